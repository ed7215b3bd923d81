"""Constants folded: what numpy can compute now, with the bits the reference gives."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..build import plain_constant
from ..evaluate import run_node
from ..graph import Node, Value
from ..op import OPS
from ..patterns import Attr, Equation, Make, Pat, Splat, derive, is_splat, p, splat, splat_like
from ..rewrite import procedure, rule
from ..types import TensorType, is_static
from .families import ELEMENTWISE

LARGEST = 64  # elements of a dense constant that folding may make
_FOLDED = tuple(op for op in (*ELEMENTWISE, "reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reshape", "transpose", "broadcast",
                              "slice", "pad", "concat", "reverse", "cumsum", "iota") if op != "stop_gradient")


def _array(value: Value, shape: tuple[int, ...]) -> Any:
    return np.broadcast_to(np.asarray(value.node.attrs["value"]).astype(value.dtype.numpy), shape)


@procedure(tuple(op for op in ELEMENTWISE if op != "stop_gradient"), ("""graph g {
  %0 = constant(0.5): f32[B, 3]
  %1 = constant(0.25): f32[B, 3]
  %2 = pow(%0, %1)
  %3 = lt(%2, %0)
  %4 = select(%3, %2, %0)
  %5 = cast(%4, dtype=i32)
  param %x: i32[B, 3]
  %6 = add(%x, %5)
  out a = %6
}
""",))
def fold_elementwise(make: Make, node: Node) -> Value | None:
    """An elementwise op of splat constants is a splat constant, of any shape."""
    if not all(is_splat(value) for value in node.inputs):
        return None
    scalars = [_array(value, (1,)) for value in node.inputs]
    with np.errstate(all="ignore"):
        result = np.asarray(node.op.reference(*scalars, **node.attrs))
    type_ = node.types[0]
    return make("constant", value=plain_constant(result[0], type_), type=type_)


@procedure(_FOLDED, ("""graph g {
  %0 = iota(shape=(3,), axis=0, dtype=i32)
  %1 = constant((5, 7, 9)): i32[3]
  %2 = mul(%0, %1)
  %3 = reduce_sum(%2, axes=(0,))
  out a = %2
  out b = %3
}
""",))
def fold_small(make: Make, node: Node) -> Value | None:
    """Any pure op of constants whose result has few elements."""
    type_ = node.types[0]
    if not all(value.node.op.name == "constant" for value in node.inputs):
        return None
    if not all(is_static(d) for v in (*node.inputs, node.output) for d in v.shape):
        return None
    sizes = [int(v.type.size) for v in (*node.inputs, node.output)]  # type: ignore[arg-type]
    if sizes[-1] > LARGEST or max(sizes) > 64 * LARGEST or node.op is OPS["broadcast"] or node.op is OPS["reshape"]:
        return None
    arrays = [_array(value, tuple(int(d) for d in value.shape)) for value in node.inputs]  # type: ignore[arg-type]
    with np.errstate(all="ignore"):
        (result,) = run_node(node, arrays, {})
    value = plain_constant(result, type_)
    flat = plain_constant(result.reshape(-1), TensorType((result.size,), type_.dtype))
    same = len({repr(number) for number in flat}) == 1  # repr: 0.0 and -0.0 are not the same
    return make("constant", value=flat[0] if same else value, type=type_)


# -- splat constants under shape ops, of any (also symbolic) shape ------------------------------------------------------
@rule(examples=({"c": (0.5, "f32[B, 3]"), "s": (3, "B")},))
def reshape_constant(c: Splat, s: Attr) -> Equation:
    return p.reshape(c, shape=s), splat_like(c.value, s, c.dtype)


@rule(examples=({"c": (0.5, "f32[3]"), "s": ("B", 3), "n": (1,)},))
def broadcast_constant(c: Splat, s: Attr, n: Attr) -> Equation:
    return p.broadcast(c, shape=s, dims=n), splat_like(c.value, s, c.dtype)


@procedure(("transpose", "slice", "reverse", "reduce_max", "reduce_min"), ("""graph g {
  %0 = constant(0.5): f32[B, 3]
  %1 = transpose(%0, perm=(1, 0))
  %2 = reverse(%1, axes=(0, 1))
  %3 = slice(%2, starts=(1, 0), stops=(3, B), strides=(1, 1))
  %4 = reduce_max(%3, axes=(0,))
  out a = %4
}
""",))
def rearranged_constant(make: Make, node: Node) -> Value | None:
    """Moving or taking elements that are all equal gives that element."""
    (value,) = node.inputs
    if not is_splat(value) or value.type.size == 0:
        return None
    return make("constant", value=value.node.attrs["value"], type=node.types[0])


@procedure(("concat",), ("""graph g {
  %0 = constant(0.5): f32[B, 3]
  %1 = constant(0.5): f32[B, 2]
  %2 = concat(%0, %1, axis=1)
  out a = %2
}
""",))
def concat_of_equal_constants(make: Make, node: Node) -> Value | None:
    """concat of the same number is that number."""
    if not all(is_splat(value) for value in node.inputs):
        return None
    parts = {repr(value.node.attrs["value"]) for value in node.inputs}
    return make("constant", value=node.inputs[0].node.attrs["value"], type=node.types[0]) if len(parts) == 1 else None


def _padded(c: Pat, low: Attr, high: Attr) -> Attr:
    return derive(lambda x, a, b: tuple(i + d + j for i, d, j in zip(a, x.shape, b, strict=True)), c, low, high)


@rule(where=lambda c, v: repr(c.node.attrs["value"]) == repr(v),
      examples=({"c": (0.5, "f32[B, 3]"), "low": (0, 1), "high": (0, 0), "v": 0.5},))
def pad_constant_with_itself(c: Splat, low: Attr, high: Attr, v: Attr) -> Equation:
    return p.pad(c, low=low, high=high, value=v), splat_like(c.value, _padded(c, low, high), c.dtype)


def _scalar(d: Attr) -> Attr:
    return derive(lambda dtype: TensorType((), dtype), d)


@rule(where=lambda n: is_static(n), examples=({"n": 784, "d": "f32"}, {"n": 3, "d": "i64"}))
def size_of_known_dim(n: Attr, d: Attr) -> Equation:
    return p.dim_size(dim=n, dtype=d), splat(n, _scalar(d))


@rule(where=lambda s, a: s[a] == 1, examples=({"s": ("B", 1), "a": 1, "d": "i32"}, {"s": (1, 3), "a": 0, "d": "f32"}))
def iota_of_one(s: Attr, a: Attr, d: Attr) -> Equation:
    return p.iota(shape=s, axis=a, dtype=d), splat_like(0, s, d)
