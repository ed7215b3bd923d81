"""dot: the contraction of two arrays over pairs of axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import build
from ..graph import Value
from ..kernel import Kernel
from ..op import Attrs, Op, register
from ..types import TensorType
from . import check
from .describe import axis_names, described, load, multiply, operands, plain, reduce, ref, store
from .family import Array, Cotangents, Types, of, widened

Pairs = tuple[tuple[int, ...], tuple[int, ...]]


def _free(rank: int, *used: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in range(rank) if not any(n in axes for axes in used))


def _infer(types: tuple[TensorType, ...], attrs: Attrs) -> Types:
    check.arity("dot", types, 2)
    check.element_type("dot", types[0], check.NUMBERS)
    check.same_dtype("dot", types)
    batch, contract = attrs["batch"], attrs["contract"]
    for side, type in enumerate(types):
        check.distinct_axes("dot", (*batch[side], *contract[side]), type)
    for what, axes in (("batch", batch), ("contracted", contract)):
        if [types[0].shape[n] for n in axes[0]] != [types[1].shape[n] for n in axes[1]]:
            check.reject("dot", f"equal {what} extents at axes {axes[0]} and {axes[1]}", f"{types[0]} and {types[1]}")
    kept = [types[0].shape[n] for n in batch[0]]
    for side, type in enumerate(types):
        kept += [type.shape[n] for n in _free(type.rank, batch[side], contract[side])]
    return (types[0].with_shape(kept),)


def _reference(a: Array, b: Array, batch: Pairs, contract: Pairs) -> Array:
    free_a, free_b = _free(a.ndim, batch[0], contract[0]), _free(b.ndim, batch[1], contract[1])
    left = widened(a).transpose(*batch[0], *free_a, *contract[0])
    right = widened(b).transpose(*batch[1], *contract[1], *free_b)
    outer = [a.shape[n] for n in batch[0]]
    rows, columns = [a.shape[n] for n in free_a], [b.shape[n] for n in free_b]
    depth = int(np.prod([a.shape[n] for n in contract[0]], dtype=np.int64))
    m, n = (int(np.prod(extents, dtype=np.int64)) for extents in (rows, columns))
    with np.errstate(all="ignore"):
        result = np.matmul(left.reshape((*outer, m, depth)), right.reshape((*outer, depth, n)))
    return np.asarray(result).reshape((*outer, *rows, *columns)).astype(a.dtype, copy=False)


def _vjp(cts: tuple[Value | None, ...], inputs: tuple[Value, ...], outputs: tuple[Value, ...], attrs: Attrs) -> Cotangents:
    (ct,) = cts
    a, b = inputs
    if ct is None or not a.dtype.is_float:
        return [None, None]
    batch, contract = attrs["batch"], attrs["contract"]
    outer = tuple(range(len(batch[0])))
    free_a, free_b = _free(a.rank, batch[0], contract[0]), _free(b.rank, batch[1], contract[1])
    rows = tuple(range(len(outer), len(outer) + len(free_a)))
    columns = tuple(range(len(outer) + len(free_a), ct.rank))

    # ct . b over b's free axes: batch, a's free axes, then the contracted ones in the order in which b has them
    da = build.dot(ct, b, batch=(outer, batch[1]), contract=(columns, free_b))
    by_b = sorted(range(len(contract[1])), key=lambda n: contract[1][n])
    da = _put_axes(da, (*batch[0], *free_a, *(contract[0][n] for n in by_b)))
    # a . ct over a's free axes: batch, the contracted axes in the order in which a has them, then b's free axes
    db = build.dot(a, ct, batch=(batch[0], outer), contract=(free_a, rows))
    by_a = sorted(range(len(contract[0])), key=lambda n: contract[0][n])
    db = _put_axes(db, (*batch[1], *(contract[1][n] for n in by_a), *free_b))
    return [da, db]


def _put_axes(value: Value, places: tuple[int, ...]) -> Value:
    """Axis n of value goes to place places[n]."""
    return build.transpose(value, [places.index(n) for n in range(value.rank)])


def _kernel(inputs: Types, outputs: Types, attrs: Attrs) -> Sequence[Kernel]:
    """One sum of products: i, j, .. are the axes of the result, the contracted ones follow."""
    a, b = inputs
    arrays = operands(inputs, outputs)
    batch, contract = attrs["batch"], attrs["contract"]
    free_a, free_b = _free(a.rank, batch[0], contract[0]), _free(b.rank, batch[1], contract[1])
    names = axis_names(outputs[0].rank + len(contract[0]))
    free, over = names[:outputs[0].rank], names[outputs[0].rank:]
    of_a = dict(zip((*batch[0], *free_a, *contract[0]), (*free[:len(batch[0]) + len(free_a)], *over), strict=True))
    of_b = dict(zip((*batch[1], *free_b, *contract[1]), (*free[:len(batch[1])], *free[len(batch[0]) + len(free_a):], *over), strict=True))
    axes = dict(zip(free, outputs[0].shape, strict=True))
    axes.update({name: a.shape[n] for name, n in zip(over, contract[0], strict=True)})
    product = multiply(load(arrays, "in0", plain(of_a[n] for n in range(a.rank))),
                       load(arrays, "in1", plain(of_b[n] for n in range(b.rank))))
    if not over:
        return [described("dot", axes, arrays, [store(arrays, "out0", plain(free), product, free)])]
    total = reduce("acc", "add", product, free, over)
    return [described("dot", axes, arrays, [total, store(arrays, "out0", plain(free), ref(total), free)])]


def _attrs(batch: Pairs, contract: Pairs) -> dict[str, Pairs]:
    return {"batch": batch, "contract": contract}


_NONE: Pairs = ((), ())
_DENSE = _attrs(_NONE, ((1,), (0,)))

dot = register(Op(
    name="dot",
    doc="The sum of products over the contracted axes: batch axes, free axes of a, free axes of b. f16 and bf16 accumulate in f32.",
    infer=_infer,
    reference=_reference,
    vjp=_vjp,
    kernel=_kernel,
    samples=(
        of("f32[B, 7]", "f32[7, 17]", attrs=_DENSE), of("f32[B, 33]", "f32[33, 16]", attrs=_DENSE),
        of("f32[B, 4]", "f32[4, 1]", attrs=_DENSE),
        of("f64[B, 5]", "f64[5, 15]", attrs=_DENSE), of("f32[B, 17]", "f32[9, 17]", attrs=_attrs(_NONE, ((1,), (1,)))),
        of("f32[B, 15]", "f32[B, 18]", attrs=_attrs(_NONE, ((0,), (0,)))),
        of("f32[B, 3, 5]", "f32[B, 5, 17]", attrs=_attrs(((0,), (0,)), ((2,), (1,)))),
        of("f32[B, 4, 2, 5]", "f32[B, 6, 2, 5]", attrs=_attrs(((0, 2), (0, 2)), ((3,), (3,)))),
        of("f64[3, B, 4, 2]", "f64[2, 5, 3, B]", attrs=_attrs(((1,), (3,)), ((3, 0), (0, 2)))),
        of("f32[B, 2, 3]", "f32[2, 3, 4]", attrs=_attrs(_NONE, ((1, 2), (0, 1)))), of("f32[B]", "f32[17]", attrs=_attrs(_NONE, _NONE)),
        of("f32[16]", "f32[16]", attrs=_attrs(_NONE, ((0,), (0,)))), of("f32[]", "f32[3]", attrs=_attrs(_NONE, _NONE)),
        of("f16[B, 20]", "f16[20, 16]", attrs=_DENSE), of("bf16[B, 20]", "bf16[20, 17]", attrs=_DENSE),
        of("i32[B, 6]", "i32[6, 5]", attrs=_DENSE, integer_low=-4),
    ),
))
