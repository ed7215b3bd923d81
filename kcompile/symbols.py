"""Sizes that are not known before the data is: the batch `B` and others, inside shapes and as the user handles them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .ir import build
from .ir.types import Dim, DimLike
from .trace_state import TraceError, require_trace, user_source

if TYPE_CHECKING:
    from .tensor import TracedTensor

B = Dim.symbol("B")


def none_shape(shape: Sequence[DimLike]) -> tuple[int | None, ...]:
    """What the user sees of a graph shape: None in place of every symbolic size."""
    return tuple(None if isinstance(dim, Dim) else dim for dim in shape)


def symbol_shape(shape: Sequence[Any], prefix: str = "dim") -> tuple[DimLike, ...]:
    """The graph shape of a user's shape: a leading None is the batch `B`, another None a symbol of its own."""
    stem = re.sub(r"\W", "_", prefix) or "dim"
    stem = stem if stem[0].isalpha() else f"d{stem}"
    return tuple(dim if isinstance(dim, Dim) else int(dim) if dim is not None else B if axis == 0 else Dim.symbol(f"{stem}_{axis}")
                 for axis, dim in enumerate(shape))


class SymbolicSize:
    """A size that is not known while tracing, such as `ops.shape(x)[0]`: works in shapes and in integer arithmetic.

    Beside a tensor, or where a size has no exact polynomial form, it turns into a traced int32 scalar.
    """

    __slots__ = ("dim",)
    __array_ufunc__ = None

    def __init__(self, dim: Dim) -> None:
        self.dim = dim

    def tensor(self, dtype: Any = "int32") -> TracedTensor:
        """The size as a traced scalar."""
        from .dtypes import ir_dtype
        from .tensor import TracedTensor

        return TracedTensor(build.dim_size(require_trace("a symbolic size").graph, self.dim, ir_dtype(dtype)))

    def _combine(self, other: Any, name: str, reflected: bool) -> Any:
        if isinstance(other, (int, np.integer, SymbolicSize)) and not isinstance(other, bool):
            right: Any = other.dim if isinstance(other, SymbolicSize) else int(other)
            a, b = (right, self.dim) if reflected else (self.dim, right)
            try:
                return size_of(_DIM_ARITHMETIC[name](a, b))
            except TypeError:  # no polynomial: computed at run time
                pass
        from . import ops

        a, b = (other, self.tensor()) if reflected else (self.tensor(), other)
        return getattr(ops, name)(a, b)

    def __add__(self, other: Any) -> Any:
        return self._combine(other, "add", False)

    def __radd__(self, other: Any) -> Any:
        return self._combine(other, "add", True)

    def __sub__(self, other: Any) -> Any:
        return self._combine(other, "subtract", False)

    def __rsub__(self, other: Any) -> Any:
        return self._combine(other, "subtract", True)

    def __mul__(self, other: Any) -> Any:
        return self._combine(other, "multiply", False)

    def __rmul__(self, other: Any) -> Any:
        return self._combine(other, "multiply", True)

    def __floordiv__(self, other: Any) -> Any:
        return self._combine(other, "floor_divide", False)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._combine(other, "floor_divide", True)

    def __mod__(self, other: Any) -> Any:
        return self._combine(other, "mod", False)

    def __truediv__(self, other: Any) -> Any:
        from . import ops

        return ops.divide(self.tensor(), other)

    def __rtruediv__(self, other: Any) -> Any:
        from . import ops

        return ops.divide(other, self.tensor())

    def __neg__(self) -> Any:
        return self * -1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SymbolicSize) and other.dim == self.dim

    def __hash__(self) -> int:
        return hash(self.dim)

    def _unknown(self, *_: Any) -> Any:
        where = user_source()
        raise TraceError(f"{where + ': ' if where else ''}the size {self.dim} is not known while the model is traced, so it has no "
                         "Python value; use it in ops (ops.reshape, ops.zeros, ops.cast, ...)")

    __lt__ = __le__ = __gt__ = __ge__ = __int__ = __index__ = __float__ = _unknown

    def __repr__(self) -> str:
        return f"<size {self.dim}>"


_DIM_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: a * b,
    "floor_divide": lambda a, b: a // b, "mod": lambda a, b: a % b,
}


def size_of(dim: DimLike) -> int | SymbolicSize:
    """A dimension as the user handles it."""
    return SymbolicSize(dim) if isinstance(dim, Dim) else int(dim)


def dim_of(size: Any) -> DimLike:
    """The dimension of an int, a SymbolicSize or an eager integer scalar. Raises TypeError."""
    if isinstance(size, SymbolicSize):
        return size.dim
    if isinstance(size, Dim):
        return size
    if hasattr(size, "_refuse"):  # a symbolic tensor
        size._refuse("a size that is computed from data cannot be part of a shape")
    if isinstance(size, (float, np.floating)) and float(size).is_integer():
        return int(size)
    return int(size.__index__())
