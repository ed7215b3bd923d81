"""Owns InputSpec: what a layer expects of its inputs, and the check that says which input is wrong and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import tree


class InputSpec:
    """Expectations on one input: any of dtype, whole shape (None: any), rank, rank bounds, and single axes.

    axes: {axis: size}. allow_last_axis_squeeze: a missing or surplus last axis of size 1 is accepted.
    """

    def __init__(self, dtype: Any = None, shape: Any = None, ndim: int | None = None, max_ndim: int | None = None,
                 min_ndim: int | None = None, axes: Mapping[int, int | None] | None = None,
                 allow_last_axis_squeeze: bool = False, name: str | None = None, optional: bool = False) -> None:
        self.dtype = str(dtype) if dtype is not None else None
        self.shape = tuple(shape) if shape is not None else None
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.name, self.optional, self.allow_last_axis_squeeze = name, optional, allow_last_axis_squeeze
        try:
            self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        except (ValueError, TypeError, AttributeError):
            raise TypeError(f"Argument `axes` must be a dict with integer keys. Received: axes={axes}") from None
        limit = self.ndim if self.ndim is not None else self.max_ndim
        if self.axes and limit is not None and max(self.axes) >= limit:
            raise ValueError(f"Axis {max(self.axes)} is greater than the maximum allowed value: {limit - 1}")

    def __repr__(self) -> str:
        facts = {"dtype": self.dtype, "shape": self.shape, "ndim": self.ndim, "max_ndim": self.max_ndim,
                 "min_ndim": self.min_ndim, "axes": self.axes or None}
        return f"InputSpec({', '.join(f'{key}={value}' for key, value in facts.items() if value is not None)})"

    def get_config(self) -> dict[str, Any]:
        return {"dtype": self.dtype, "shape": self.shape, "ndim": self.ndim, "max_ndim": self.max_ndim,
                "min_ndim": self.min_ndim, "axes": self.axes}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputSpec:
        return cls(**config)

    def problem_with(self, shape: Sequence[Any], dtype: Any) -> str | None:
        """What is wrong with an input of this shape (None: unknown size) and dtype, or None."""
        shape, rank = tuple(shape), len(shape)
        if self.ndim is not None and rank != self.ndim and not self._squeezable(shape):
            return f"expected ndim={self.ndim}, found ndim={rank}. Full shape received: {shape}"
        if self.max_ndim is not None and rank > self.max_ndim:
            return f"expected max_ndim={self.max_ndim}, found ndim={rank}"
        if self.min_ndim is not None and rank < self.min_ndim:
            return f"expected min_ndim={self.min_ndim}, found ndim={rank}. Full shape received: {shape}"
        if self.dtype is not None and str(dtype) != self.dtype:
            return f"expected dtype={self.dtype}, found dtype={dtype}"
        for axis, size in self.axes.items():
            if size is not None and -rank <= axis < rank and shape[axis] not in (size, None):
                return f"expected axis {axis} of input shape to have value {size}, but received input with shape {shape}"
        if self.shape is not None and rank == len(self.shape) and any(
                want not in (None, got) for want, got in zip(self.shape, shape, strict=True) if got is not None):
            return f"expected shape={self.shape}, found shape={shape}"
        return None

    def _squeezable(self, shape: tuple[Any, ...]) -> bool:
        if not self.allow_last_axis_squeeze or self.shape is None or abs(len(shape) - len(self.shape)) != 1:
            return False
        longer = shape if len(shape) > len(self.shape) else self.shape
        return longer[-1] in (1, None)


def check_inputs(input_spec: Any, inputs: Any, layer_name: str) -> None:
    """Compare the first argument of a call with the layer's spec (one, a list, or a dict of InputSpecs or None).

    Raises ValueError naming the layer, the input, what was expected and what was found.
    """
    if input_spec is None:
        return
    values: list[Any]
    specs = tree.flatten(input_spec) if not isinstance(input_spec, dict) else list(input_spec.values())
    if isinstance(inputs, dict) and all(spec is not None and spec.name for spec in specs):
        missing = [spec.name for spec in specs if spec.name not in inputs and not spec.optional]
        if missing:
            raise ValueError(f'Missing data for input "{missing[0]}" of layer \'{layer_name}\'. You passed a data dictionary '
                             f"with keys {list(inputs)}. Expected the following keys: {[spec.name for spec in specs]}")
        values = [inputs.get(spec.name) for spec in specs]
    else:
        values = tree.flatten(inputs)
    if len(values) != len(specs):
        shapes = [tuple(value.shape) for value in values if hasattr(value, "shape")]
        raise ValueError(f"Layer '{layer_name}' expects {len(specs)} input(s), but it received {len(values)} input tensors. "
                         f"Shapes received: {shapes}")
    value: Any
    for position, (value, spec) in enumerate(zip(values, specs, strict=True)):
        if spec is None or (value is None and spec.optional):
            continue
        title = f"Input {position}" + (f" with name '{spec.name}'" if spec.name else "")
        if not hasattr(value, "shape"):
            raise ValueError(f"{title} of layer '{layer_name}' should be a tensor. Received: {value!r} (of type {type(value)})")
        problem = spec.problem_with(value.shape, value.dtype)
        if problem:
            raise ValueError(f"{title} of layer '{layer_name}' is incompatible with the layer: {problem}")
