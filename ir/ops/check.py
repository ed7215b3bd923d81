"""What every `infer` checks: operand counts, element types, axes. One form of message: op, expected, given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from ..types import FLOATS, INTEGERS, Dim, DimLike, DType, Shape, TensorType, boolean

NUMBERS = FLOATS + INTEGERS
EVERY = (*FLOATS, *INTEGERS, boolean)


def reject(op: str, expected: object, given: object) -> NoReturn:
    """Raises the TypeError of every check here: what was expected, what was given."""
    raise TypeError(f"{op}: expected {expected}, given {given}")


def arity(op: str, types: Sequence[TensorType], count: int) -> None:
    """Raises TypeError unless there are `count` operands."""
    if len(types) != count:
        reject(op, f"{count} operand{'' if count == 1 else 's'}", len(types))


def element_type(op: str, type: TensorType, allowed: Sequence[DType]) -> None:
    """Raises TypeError unless the dtype is one of `allowed`."""
    if type.dtype not in allowed:
        reject(op, "an element type of " + ", ".join(map(str, allowed)), type)


def same_dtype(op: str, types: Sequence[TensorType]) -> None:
    """Raises TypeError unless all operands have one dtype; shapes may differ."""
    if len({t.dtype for t in types}) > 1:
        reject(op, "operands of one element type", " and ".join(map(str, types)))


def same_type(op: str, types: Sequence[TensorType]) -> None:
    """Raises TypeError unless all operands have one dtype and shape."""
    if types.count(types[0]) != len(types):
        reject(op, "operands of one type", " and ".join(map(str, types)))


def axis_in_range(op: str, axis: Any, type: TensorType) -> int:
    """The axis, if it is one of the type; else raises TypeError."""
    if not isinstance(axis, int) or isinstance(axis, bool) or not 0 <= axis < type.rank:
        reject(op, f"an axis from 0 to {type.rank - 1} of {type}", axis)
    return axis


def distinct_axes(op: str, axes: Any, type: TensorType) -> tuple[int, ...]:
    """The axes, if each is one of the type and none stands twice; else raises TypeError."""
    if not isinstance(axes, tuple) or len(set(axes)) != len(axes):
        reject(op, "a tuple of distinct axes", axes)
    for axis in axes:
        axis_in_range(op, axis, type)
    return axes


def extents(op: str, shape: Any) -> Shape:
    """A shape given as an attribute."""
    if not isinstance(shape, tuple) or any(not _is_extent(d) for d in shape):
        reject(op, "a shape (a tuple of extents)", shape)
    return shape


def positive(op: str, what: str, values: Any, count: int) -> tuple[int, ...]:
    """A tuple of `count` ints of at least 1."""
    if not isinstance(values, tuple) or len(values) != count or any(not isinstance(v, int) or v < 1 for v in values):
        reject(op, f"{count} {what} of at least 1", values)
    return values


def _is_extent(dim: object) -> bool:
    return isinstance(dim, Dim) or (isinstance(dim, int) and not isinstance(dim, bool) and dim >= 0)


def known(*dims: DimLike) -> bool:
    """Whether all of these are plain ints, so that they can be ordered."""
    return all(isinstance(d, int) for d in dims)


def without(shape: Iterable[DimLike], axes: Iterable[int]) -> Shape:
    """The shape with these axes removed."""
    gone = set(axes)
    return tuple(d for i, d in enumerate(shape) if i not in gone)
