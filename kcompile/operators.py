"""Python's operators for every kind of tensor, and for variables: methods that call kcompile.ops."""

from __future__ import annotations

from typing import Any


def ops() -> Any:
    """kcompile.ops, which imports this module."""
    from . import ops as module

    return module


class TensorOperators:
    """Python's operators, by way of kcompile.ops; Keras's promotion and numpy's broadcasting rules hold."""

    __slots__ = ()
    __array_priority__ = 100  # numpy arrays on the left leave the operator to us
    __hash__ = object.__hash__

    def __add__(self, other: Any) -> Any:
        return ops().add(self, other)

    def __radd__(self, other: Any) -> Any:
        return ops().add(other, self)

    def __sub__(self, other: Any) -> Any:
        return ops().subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return ops().subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        return ops().multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return ops().multiply(other, self)

    def __truediv__(self, other: Any) -> Any:
        return ops().divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return ops().divide(other, self)

    def __floordiv__(self, other: Any) -> Any:
        return ops().floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return ops().floor_divide(other, self)

    def __mod__(self, other: Any) -> Any:
        return ops().mod(self, other)

    def __rmod__(self, other: Any) -> Any:
        return ops().mod(other, self)

    def __divmod__(self, other: Any) -> Any:
        return ops().floor_divide(self, other), ops().mod(self, other)

    def __pow__(self, other: Any) -> Any:
        return ops().power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return ops().power(other, self)

    def __matmul__(self, other: Any) -> Any:
        return ops().matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return ops().matmul(other, self)

    def __neg__(self) -> Any:
        return ops().negative(self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return ops().absolute(self)

    def __round__(self, ndigits: int | None = None) -> Any:
        return ops().round(self, decimals=ndigits or 0)

    def __invert__(self) -> Any:
        return ops().logical_not(self) if self.dtype == "bool" else ops().bitwise_not(self)  # type: ignore[attr-defined]

    def __and__(self, other: Any) -> Any:
        return self._logic(other, "and", reflected=False)

    def __rand__(self, other: Any) -> Any:
        return self._logic(other, "and", reflected=True)

    def __or__(self, other: Any) -> Any:
        return self._logic(other, "or", reflected=False)

    def __ror__(self, other: Any) -> Any:
        return self._logic(other, "or", reflected=True)

    def __xor__(self, other: Any) -> Any:
        return self._logic(other, "xor", reflected=False)

    def __rxor__(self, other: Any) -> Any:
        return self._logic(other, "xor", reflected=True)

    def _logic(self, other: Any, name: str, reflected: bool) -> Any:
        kind = "logical" if self.dtype == "bool" else "bitwise"  # type: ignore[attr-defined]
        function = getattr(ops(), f"{kind}_{name}")
        return function(other, self) if reflected else function(self, other)

    def __lshift__(self, other: Any) -> Any:
        return ops().left_shift(self, other)

    def __rshift__(self, other: Any) -> Any:
        return ops().right_shift(self, other)

    def __lt__(self, other: Any) -> Any:
        return ops().less(self, other)

    def __le__(self, other: Any) -> Any:
        return ops().less_equal(self, other)

    def __gt__(self, other: Any) -> Any:
        return ops().greater(self, other)

    def __ge__(self, other: Any) -> Any:
        return ops().greater_equal(self, other)

    def __eq__(self, other: Any) -> Any:
        return False if other is None else ops().equal(self, other)

    def __ne__(self, other: Any) -> Any:
        return True if other is None else ops().not_equal(self, other)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError(f"a {type(self).__name__} cannot be changed in place: use ops.where or ops.slice_update, which give a new tensor")

    def __getitem__(self, key: Any) -> Any:
        return ops().get_item(self, key)
