"""TensorSpec: the shape and dtype of what a data set yields, with None for sizes that differ from element to element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..dtypes import DType, standardize_dtype
from ..tensor import Shape


class TensorSpec:
    """Shape and dtype of a tensor.

    shape: sizes, None where one is not fixed; or None for an unknown rank. dtype: an element type. Raises ValueError.
    """

    __slots__ = ("dtype", "name", "shape")

    def __init__(self, shape: Any, dtype: Any = "float32", name: str | None = None) -> None:
        self.shape: Shape | None = None if shape is None else _shape(shape)
        self.dtype: DType = standardize_dtype(dtype)
        self.name = name

    @classmethod
    def from_tensor(cls, tensor: Any, name: str | None = None) -> TensorSpec:
        """The exact shape and dtype of a tensor or array."""
        return cls(tensor.shape, tensor.dtype, name)

    from_spec = from_tensor

    @property
    def rank(self) -> int | None:
        return None if self.shape is None else len(self.shape)

    @property
    def is_static(self) -> bool:
        """Whether every size is known."""
        return self.shape is not None and None not in self.shape

    def is_compatible_with(self, other: Any) -> bool:
        """Whether a tensor, array or spec can be one of these: the same dtype, and equal sizes where both are known."""
        try:
            if standardize_dtype(other.dtype) != self.dtype:
                return False
        except ValueError:
            return False
        return fits(self.shape, None if other.shape is None else tuple(other.shape))

    def most_specific_common_supertype(self, others: Sequence[TensorSpec]) -> TensorSpec | None:
        """The narrowest spec that this one and the others are instances of; None where the dtypes differ."""
        shape = self.shape
        for other in others:
            if other.dtype != self.dtype:
                return None
            shape = common_shape(shape, other.shape)
        return TensorSpec(shape, self.dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorSpec) and self.shape == other.shape and self.dtype == other.dtype and self.name == other.name

    def __hash__(self) -> int:
        return hash((self.shape, str(self.dtype), self.name))

    def __repr__(self) -> str:
        shape = "<unknown>" if self.shape is None else tuple(self.shape)
        return f"TensorSpec(shape={shape}, dtype=tf.{self.dtype}, name={self.name!r})"


class DatasetSpec:
    """In the place of a component that is itself a data set (as `window` yields them): the spec of its elements."""

    __slots__ = ("element_spec",)

    def __init__(self, element_spec: Any) -> None:
        self.element_spec = element_spec

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DatasetSpec) and self.element_spec == other.element_spec

    def __hash__(self) -> int:
        return hash(("DatasetSpec", repr(self.element_spec)))

    def __repr__(self) -> str:
        return f"DatasetSpec({self.element_spec!r})"


def _shape(shape: Any) -> Shape:
    if isinstance(shape, int):
        shape = (shape,)
    if isinstance(shape, (str, bytes)) or not hasattr(shape, "__iter__"):
        raise ValueError(f"Not a shape: {shape!r}; expected a tuple of integers and Nones")
    sizes = []
    for size in shape:
        if size is not None and (isinstance(size, bool) or not hasattr(size, "__index__") or int(size) < 0):
            raise ValueError(f"Not a shape: {tuple(shape)!r}; expected integers of at least 0 and Nones")
        sizes.append(None if size is None else int(size))
    return Shape(sizes)


def fits(shape: Sequence[int | None] | None, other: Sequence[int | None] | None) -> bool:
    """Whether two shapes agree wherever both are known."""
    if shape is None or other is None:
        return True
    return len(shape) == len(other) and all(a is None or b is None or a == b for a, b in zip(shape, other, strict=True))


def common_shape(a: Sequence[int | None] | None, b: Sequence[int | None] | None) -> Shape | None:
    """The narrowest shape that both are instances of: None where sizes differ, no shape where ranks do."""
    if a is None or b is None or len(a) != len(b):
        return None
    return Shape(m if m == n else None for m, n in zip(a, b, strict=True))


def batched(spec: Any, size: int | None) -> Any:
    """The spec of `size` elements stacked (None: of a number that is not fixed)."""
    if not isinstance(spec, TensorSpec):
        raise TypeError(f"elements that hold {spec!r} cannot be batched: take the inner data sets apart first, with "
                        "flat_map(lambda window: window.batch(...))")
    return TensorSpec(None if spec.shape is None else (size, *spec.shape), spec.dtype)
