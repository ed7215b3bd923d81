"""Helpers that write kernel descriptions: axis names, indices, loads, accumulation types.

float16 and bfloat16 are storage types: `wide` reads them into f32, `narrow` rounds a result back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..kernel import INDEX, LET, REDUCE, STORE, Eq, Kernel
from ..scalar import Aff, AxisValue, Const, Expr, Guard, Load, Ref, apply, cast
from ..types import DimLike, DType, Shape, TensorType, bf16, f16, f32, i32, i64

Types = tuple[TensorType, ...]
LETTERS = "ijklmn"


def axis_names(count: int) -> tuple[str, ...]:
    """i, j, k, l, m, n, then i6, i7, ..."""
    return tuple(LETTERS[n] if n < len(LETTERS) else f"i{n}" for n in range(count))


def axes_of(shape: Shape) -> dict[str, DimLike]:
    """An axis for each dimension."""
    return dict(zip(axis_names(len(shape)), shape, strict=True))


def plain(names: Iterable[str]) -> tuple[Aff, ...]:
    """The index [i, j, ...]."""
    return tuple(Aff.of(name) for name in names)


def row_major(index: Sequence[Aff], shape: Shape) -> Aff:
    """The number of the element at `index`."""
    total = Aff.of(0)
    for aff, extent in zip(index, shape, strict=True):
        total = total * extent + aff
    return total


def compute_type(dtype: DType) -> DType:
    """The type that values of `dtype` are computed and accumulated in."""
    return f32 if dtype in (f16, bf16) else dtype


def wide(expr: Expr) -> Expr:
    return cast(expr, compute_type(expr.dtype))


def index_type(extent: DimLike) -> DType:
    """A type that holds every index below `extent`: i32 where that is certain, as vectors hold more of them."""
    return i32 if isinstance(extent, int) and extent < 2**31 else i64


def operands(inputs: Types, outputs: Types, **temporaries: TensorType) -> dict[str, TensorType]:
    """The arrays of a description: in0.. out0.. and the temporaries given by name."""
    arrays = {f"in{n}": t for n, t in enumerate(inputs)}
    arrays.update({f"out{n}": t for n, t in enumerate(outputs)})
    arrays.update(temporaries)
    return arrays


def load(arrays: Mapping[str, TensorType], name: str, index: Sequence[Aff], guards: Sequence[Guard] = (),
         other: float | int | bool = 0) -> Load:
    dtype = arrays[name].dtype
    if not guards:
        return Load(name, tuple(index), dtype)
    return Load(name, tuple(index), dtype, tuple(guards), Const(_typed(other, dtype), dtype))


def number(value: float | int | bool, dtype: DType) -> Const:
    return Const(_typed(value, dtype), dtype)


def _typed(value: float | int | bool, dtype: DType) -> float | int | bool:
    return float(value) if dtype.is_float else bool(value) if dtype.kind == "b" else int(value)


def position(index: Aff, dtype: DType, extent: DimLike) -> Expr:
    """The value of an index as an element of any dtype."""
    return AxisValue(index, dtype) if dtype.is_integer else cast(AxisValue(index, index_type(extent)), dtype)


def store(arrays: Mapping[str, TensorType], name: str, index: Sequence[Aff], expr: Expr, free: Iterable[str]) -> Eq:
    return Eq(STORE, name, cast(expr, arrays[name].dtype), tuple(free), index=tuple(index))


def let(name: str, expr: Expr, free: Iterable[str]) -> Eq:
    return Eq(LET, name, expr, tuple(free))


def index_value(name: str, expr: Expr, free: Iterable[str]) -> Eq:
    return Eq(INDEX, name, expr, tuple(free))


def reduce(name: str, op: str, expr: Expr, free: Iterable[str], over: Iterable[str]) -> Eq:
    return Eq(REDUCE, name, expr, tuple(free), tuple(over), op)


def ref(equation: Eq) -> Ref:
    return Ref(equation.name, equation.expr.dtype)


def described(name: str, axes: Mapping[str, DimLike], arrays: Mapping[str, TensorType], equations: Sequence[Eq]) -> Kernel:
    """A Kernel that lists just the axes and arrays its equations use."""
    used = {a for e in equations for a in e.axes}
    kernel = Kernel(name, {n: d for n, d in axes.items() if n in used}, dict(arrays), tuple(equations))
    touched = {*kernel.reads, *kernel.writes}
    return Kernel(name, kernel.axes, {n: t for n, t in arrays.items() if n in touched}, kernel.equations)


def mapped(name: str, arrays: Mapping[str, TensorType], out: str, shape: Shape, index: Sequence[Aff], expr: Expr) -> Kernel:
    """out[index] = expr over the axes i, j, .. of `shape`: a map."""
    axes = axes_of(shape)
    return described(name, axes, arrays, (store(arrays, out, index, expr, axes),))


def moved(name: str, inputs: Types, outputs: Types, index: Sequence[Aff], guards: Sequence[Guard] = (),
          other: float | int | bool = 0) -> list[Kernel]:
    """out0[i, j, ..] = in0[index]: the kernel of every op that only moves elements."""
    arrays = operands(inputs, outputs)
    shape = outputs[0].shape
    return [mapped(name, arrays, "out0", shape, plain(axis_names(len(shape))), load(arrays, "in0", index, guards, other))]


def multiply(a: Expr, b: Expr) -> Expr:
    return apply("mul", wide(a), wide(b))
