"""Matrix products and other contractions; all of them become the one primitive `dot`."""

from __future__ import annotations

import string
from typing import Any

from ..dtypes import ir_dtype, result_type
from ..ir import build
from ..ir.graph import Value
from ..ir.types import DimLike
from ..tracing import operation
from ._support import as_value, cast_value, common_shape, kind, normalized_axis, splat, wrap

__all__ = [
    "cross", "dot", "einsum", "inner", "kron", "matmul", "outer", "tensordot", "vdot",
]


def _operands(*xs: Any) -> tuple[list[Value], Any]:
    """(operands in the type products are computed in, the result's dtype): bools and small integers are computed as int32."""
    dtype = ir_dtype(result_type(*(kind(x) for x in xs)))
    if dtype.name == "i8":  # products of int8 are int32, as in Keras
        dtype = ir_dtype("int32")
    work = ir_dtype("int32") if dtype.kind == "b" or (dtype.is_integer and dtype.size < 4) else dtype
    return [cast_value(as_value(x), work) for x in xs], dtype


def matmul_value(a: Value, b: Value) -> Value:
    """The matrix product by numpy's rules: leading axes broadcast, vectors are rows or columns."""
    if a.rank == 0 or b.rank == 0:
        raise ValueError("matmul: a scalar is no matrix; use multiply")
    inner = b.shape[0] if b.rank == 1 else b.shape[-2]
    if a.shape[-1] != inner:
        raise ValueError(f"matmul: the last size of {a.shape} and the second to last of {b.shape} must be equal")
    if b.rank <= 2:
        return build.dot(a, b, contract=((a.rank - 1,), (0,)))
    if a.rank == 1:
        return build.dot(b, a, contract=((b.rank - 2,), (0,)))
    lead = common_shape("matmul", [a.shape[:-2], b.shape[:-2]])
    a, b = splat(a, (*lead, *a.shape[-2:])), splat(b, (*lead, *b.shape[-2:]))
    axes = tuple(range(len(lead)))
    return build.dot(a, b, batch=(axes, axes), contract=((a.rank - 1,), (b.rank - 2,)))


@operation
def matmul(x1: Any, x2: Any) -> Any:
    """The matrix product over the last axis of x1 and the second to last of x2; leading axes broadcast."""
    (a, b), dtype = _operands(x1, x2)
    return wrap(cast_value(matmul_value(a, b), dtype))


@operation
def dot(x1: Any, x2: Any) -> Any:
    """numpy's dot: the last axis of x1 with the second to last (or only) one of x2; a product where one is a scalar."""
    (a, b), dtype = _operands(x1, x2)
    if a.rank == 0 or b.rank == 0:
        return wrap(cast_value(_scaled("dot", a, b), dtype))
    axis = 0 if b.rank == 1 else b.rank - 2
    if a.shape[-1] != b.shape[axis]:
        raise ValueError(f"dot: shapes {a.shape} and {b.shape} do not fit")
    return wrap(cast_value(build.dot(a, b, contract=((a.rank - 1,), (axis,))), dtype))


@operation
def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    """Contraction over given axes: a number (the last of x1 with the first of x2), or a pair of axes or of lists of axes."""
    (a, b), dtype = _operands(x1, x2)
    if isinstance(axes, int):
        first, second = list(range(a.rank - axes, a.rank)), list(range(axes))
    else:
        first, second = ([part] if isinstance(part, int) else list(part) for part in axes)
    left = tuple(normalized_axis(n, a.rank, "tensordot") for n in first)
    right = tuple(normalized_axis(n, b.rank, "tensordot") for n in second)
    if len(left) != len(right) or any(a.shape[m] != b.shape[n] for m, n in zip(left, right, strict=True)):
        raise ValueError(f"tensordot: axes {left} of shape {a.shape} do not fit axes {right} of shape {b.shape}")
    if not left:
        return wrap(cast_value(_outer(a, b), dtype))
    return wrap(cast_value(build.dot(a, b, contract=(left, right)), dtype))


def _scaled(name: str, a: Value, b: Value) -> Value:
    """The product where one is a scalar."""
    shape = common_shape(name, [a.shape, b.shape])
    return splat(a, shape) * splat(b, shape)


def _outer(a: Value, b: Value) -> Value:
    shape = (*a.shape, *b.shape)
    return build.broadcast(a, shape, range(a.rank)) * build.broadcast(b, shape, range(a.rank, a.rank + b.rank))


@operation
def inner(x1: Any, x2: Any) -> Any:
    """The sum of products over the last axes."""
    (a, b), dtype = _operands(x1, x2)
    if a.rank == 0 or b.rank == 0:
        return wrap(cast_value(_scaled("inner", a, b), dtype))
    return wrap(cast_value(build.dot(a, b, contract=((a.rank - 1,), (b.rank - 1,))), dtype))


@operation
def outer(x1: Any, x2: Any) -> Any:
    """The matrix of products of two (flattened) tensors."""
    (a, b), dtype = _operands(x1, x2)
    return wrap(cast_value(_outer(build.reshape(a, [a.type.size]), build.reshape(b, [b.type.size])), dtype))


@operation
def vdot(x1: Any, x2: Any) -> Any:
    """The sum of products of two flattened tensors."""
    (a, b), dtype = _operands(x1, x2)
    return wrap(cast_value(build.dot(build.reshape(a, [a.type.size]), build.reshape(b, [b.type.size]), contract=((0,), (0,))), dtype))


@operation
def kron(x1: Any, x2: Any) -> Any:
    """The Kronecker product of two tensors of one rank."""
    (a, b), dtype = _operands(x1, x2)
    rank = max(a.rank, b.rank)
    a = build.reshape(a, [1] * (rank - a.rank) + list(a.shape))
    b = build.reshape(b, [1] * (rank - b.rank) + list(b.shape))
    mixed: list[DimLike] = []
    for m, n in zip(a.shape, b.shape, strict=True):
        mixed += [m, n]
    left = build.broadcast(a, mixed, [2 * n for n in range(rank)])
    right = build.broadcast(b, mixed, [2 * n + 1 for n in range(rank)])
    return wrap(cast_value(build.reshape(left * right, [m * n for m, n in zip(a.shape, b.shape, strict=True)]), dtype))


@operation
def cross(x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """The cross product of vectors of three elements along an axis."""
    from .shapes import moveaxis

    if axis is not None:
        axisa = axisb = axisc = axis
    (a, b), dtype = _operands(moveaxis(x1, axisa, -1), moveaxis(x2, axisb, -1))
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ValueError(f"cross: expected vectors of 3 elements, received shapes {a.shape} and {b.shape}")
    shape = common_shape("cross", [a.shape, b.shape])
    a, b = splat(a, shape), splat(b, shape)

    def part(v: Value, n: int) -> Value:
        return build.slice(v, [0] * (v.rank - 1) + [n], [*v.shape[:-1], n + 1])

    columns = [part(a, i) * part(b, j) - part(a, j) * part(b, i) for i, j in ((1, 2), (2, 0), (0, 1))]
    return moveaxis(wrap(cast_value(build.concat(columns, len(shape) - 1), dtype)), -1, axisc)


# -- einsum -------------------------------------------------------------------------------------------------------
@operation(tensors="operands")
def einsum(subscripts: str, *operands: Any, **kwargs: Any) -> Any:
    """Sums of products by index letters, such as 'bij,bjk->bik'; `...` stands for leading axes that broadcast."""
    values, dtype = _operands(*operands)
    terms, result = _parsed(subscripts, values)
    value, letters = values[0], terms[0]
    value, letters = _single(value, letters, set(result).union(*terms[1:]))
    for n in range(1, len(values)):
        later = set(result).union(*terms[n + 1:]) if n + 1 < len(terms) else set(result)
        other, other_letters = _single(values[n], terms[n], later | set(letters))
        value, letters = _pair(value, letters, other, other_letters, later)
    value, letters = _single(value, letters, set(result))
    missing = [c for c in result if c not in letters]
    if missing:
        raise ValueError(f"einsum: index {missing[0]!r} of the result is in no operand of {subscripts!r}")
    return wrap(cast_value(build.transpose(value, [letters.index(c) for c in result]), dtype))


def _parsed(subscripts: str, values: list[Value]) -> tuple[list[str], str]:
    """Letters of each operand and of the result, with `...` replaced by letters of its own."""
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(values):
        raise ValueError(f"einsum: {subscripts!r} has {len(terms)} operands, {len(values)} were given")
    free = [c for c in string.ascii_letters if c not in text]
    widest = max((v.rank - len(t.replace("...", "")) for t, v in zip(terms, values, strict=True) if "..." in t), default=0)
    spread = "".join(free[:widest])
    filled = []
    for term, value in zip(terms, values, strict=True):
        width = value.rank - len(term.replace("...", ""))
        if width < 0 or (width and "..." not in term):
            raise ValueError(f"einsum: operand {term!r} of {subscripts!r} has shape {value.shape}")
        filled.append(term.replace("...", spread[len(spread) - width:] if width else ""))
    if arrow:
        return filled, right.replace("...", spread)
    letters = "".join(filled).replace(spread, "") if spread else "".join(filled)
    single = sorted(c for c in set(letters) if letters.count(c) == 1 and c not in spread)
    return filled, spread + "".join(single)


def _single(value: Value, letters: str, needed: set[str]) -> tuple[Value, str]:
    """Repeated letters of one operand become a diagonal; letters that nothing needs are summed."""
    from .indexing import diagonal

    for c in dict.fromkeys(letters):
        while letters.count(c) > 1:
            first = letters.index(c)
            second = letters.index(c, first + 1)
            value = diagonal(wrap(value), 0, first, second).value
            letters = letters[:first] + letters[first + 1:second] + letters[second + 1:] + c
    axes = [n for n, c in enumerate(letters) if c not in needed]
    return build.reduce_sum(value, axes), "".join(c for c in letters if c in needed)


def _pair(a: Value, la: str, b: Value, lb: str, needed: set[str]) -> tuple[Value, str]:
    """The contraction of two operands; letters that are needed later stay."""
    shared = [c for c in la if c in lb]
    # an extent of 1 against a larger one broadcasts (as `...` may ask): that axis is dropped here
    for c in list(shared):
        m, n = a.shape[la.index(c)], b.shape[lb.index(c)]
        if m == n:
            continue
        if m != 1 and n != 1:
            raise ValueError(f"einsum: index {c!r} has sizes {m} and {n}")
        shared.remove(c)
        if m == 1:
            a, la = build.reduce_sum(a, (la.index(c),)), la.replace(c, "")
        else:
            b, lb = build.reduce_sum(b, (lb.index(c),)), lb.replace(c, "")
    kept = [c for c in shared if c in needed]
    summed = [c for c in shared if c not in needed]
    batch = (tuple(la.index(c) for c in kept), tuple(lb.index(c) for c in kept))
    contract = (tuple(la.index(c) for c in summed), tuple(lb.index(c) for c in summed))
    letters = "".join(kept) + "".join(c for c in la if c not in shared) + "".join(c for c in lb if c not in shared)
    return build.dot(a, b, batch=batch, contract=contract), letters
