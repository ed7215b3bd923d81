"""Owns layers that move elements: Flatten, Reshape, Permute, RepeatVector, ZeroPadding, Cropping."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import config, ops
from .input_spec import InputSpec
from .layer import Layer
from .support import pairs, sizes, spatial_axes


class Flatten(Layer):
    """x[N, ...] -> y[N, product of the rest]; channels_first: the channels are moved last before."""

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)
        self._channels_first = self.data_format == "channels_first"

    def call(self, inputs: Any) -> Any:
        rank = len(inputs.shape)
        if self._channels_first and rank > 2:
            inputs = ops.transpose(inputs, (0, *range(2, rank), 1))
        return ops.reshape(inputs, _resolved(inputs, self.compute_output_shape(inputs.shape)))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        rest = input_shape[1:]
        return (input_shape[0], None if None in rest else math.prod(rest))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


def _resolved(inputs: Any, shape: Sequence[int | None]) -> tuple[Any, ...]:
    """An argument for ops.reshape: the batch as it is, one unknown other size as -1."""
    batch = shape[0] if shape[0] is not None else ops.shape(inputs)[0]
    return (batch, *[-1 if size is None else size for size in shape[1:]])


class Reshape(Layer):
    """x[N, ...] -> y[N, *target_shape]; one -1 stands for what is left. Raises ValueError when the sizes do not agree."""

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = tuple(sizes_or_rest(target_shape))
        self._build_at_init()

    def call(self, inputs: Any) -> Any:
        return ops.reshape(inputs, _resolved(inputs, self.compute_output_shape(inputs.shape)))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        rest = tuple(input_shape[1:])
        if None in rest:
            return (input_shape[0], *[None if size == -1 else size for size in self.target_shape])
        total, known = math.prod(rest), math.prod(size for size in self.target_shape if size != -1)
        if -1 not in self.target_shape:
            if total != known:
                raise ValueError("The total size of the tensor must be unchanged. "
                                 f"Received: input_shape={rest}, target_shape={self.target_shape}")
            return (input_shape[0], *self.target_shape)
        if known == 0 or total % known:
            raise ValueError("The total size of the tensor must be unchanged, however, the input size cannot be divided by the "
                             f"specified dimensions in target_shape. Received: input_shape={rest}, target_shape={self.target_shape}")
        return (input_shape[0], *[total // known if size == -1 else size for size in self.target_shape])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": self.target_shape}


def sizes_or_rest(target: Any) -> tuple[int, ...]:
    """A target shape: positive sizes and at most one -1. Raises ValueError."""
    shape = (target,) if isinstance(target, int) else tuple(int(size) for size in target)
    if shape.count(-1) > 1 or any(size < -1 for size in shape):
        raise ValueError(f"There must be at most one unknown dimension (-1) in target_shape. Received: target_shape={target}")
    return shape


class Permute(Layer):
    """The axes behind the batch in another order: dims=(2, 1) exchanges the first two (numbered from 1)."""

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError("Invalid permutation argument `dims` for Permute Layer. The set of indices in `dims` must be consecutive and "
                             f"start from 1. Received dims={dims}")
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Any) -> Any:
        return ops.transpose(inputs, (0, *self.dims))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (input_shape[0], *[input_shape[dim] for dim in self.dims])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dims": self.dims}


class RepeatVector(Layer):
    """x[N, C] -> y[N, n, C]."""

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(n, int):
            raise TypeError(f"Expected an integer value for `n`, got {type(n)}.")
        self.n = n
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Any) -> Any:
        return ops.broadcast_to(ops.expand_dims(inputs, 1), (ops.shape(inputs)[0], self.n, inputs.shape[1]))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (input_shape[0], self.n, input_shape[1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n": self.n}


class BaseZeroPadding(Layer):
    """Zeros before and after each spatial axis."""

    padding: Any
    data_format: str

    def _widths(self, rank: int) -> list[tuple[int, int]]:
        widths = [(0, 0)] * (rank + 2)
        pads = (self.padding,) if rank == 1 else self.padding
        for axis, pair in zip(spatial_axes(rank, self.data_format), pads, strict=True):
            widths[axis] = pair
        return widths

    def call(self, inputs: Any) -> Any:
        return ops.pad(inputs, tuple(self._widths(len(inputs.shape) - 2)))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        widths = self._widths(len(input_shape) - 2)
        return tuple(None if size is None else size + before + after for size, (before, after) in zip(input_shape, widths, strict=True))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding, "data_format": self.data_format}


class ZeroPadding1D(BaseZeroPadding):
    """x[N, steps, C] -> y[N, before + steps + after, C]; padding: one width for both ends, or a pair."""

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = sizes(padding, 2, "padding", least=0)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=3)


class ZeroPadding2D(BaseZeroPadding):
    """x[N, H, W, C] -> y with rows and columns of zeros; padding: an integer, (height, width), or ((top, bottom), (left, right))."""

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = pairs(padding, 2, "padding")
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=4)


class ZeroPadding3D(BaseZeroPadding):
    """x[N, D, H, W, C] -> y with zeros around; padding: an integer, three of them, or three pairs."""

    def __init__(self, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = pairs(padding, 3, "padding")
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=5)


class Cropping1D(Layer):
    """x[N, steps, C] -> y[N, steps - before - after, C]."""

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cropping = sizes(cropping, 2, "cropping", least=0)
        self.input_spec = InputSpec(ndim=3)

    def call(self, inputs: Any) -> Any:
        self.compute_output_shape(inputs.shape)
        before, after = self.cropping
        return inputs[:, before:-after or None, :]

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (input_shape[0], _cropped(input_shape[1], self.cropping, input_shape), input_shape[2])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cropping": self.cropping}


def _cropped(size: int | None, cropping: Sequence[int], input_shape: Any) -> int | None:
    if size is None:
        return None
    if sum(cropping) >= size:
        raise ValueError("`cropping` parameter of `Cropping` layer must be smaller than the input. "
                         f"Received: input_shape={tuple(input_shape)}, cropping={tuple(cropping)}")
    return size - sum(cropping)


class BaseCropping(Layer):
    """Less of each spatial axis, before and after."""

    cropping: tuple[tuple[int, int], ...]
    data_format: str

    def call(self, inputs: Any) -> Any:
        self.compute_output_shape(inputs.shape)
        index = [slice(None)] * len(inputs.shape)
        for axis, (before, after) in zip(spatial_axes(len(self.cropping), self.data_format), self.cropping, strict=True):
            index[axis] = slice(before, -after or None)
        return inputs[tuple(index)]

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        shape = list(input_shape)
        for axis, cropping in zip(spatial_axes(len(self.cropping), self.data_format), self.cropping, strict=True):
            shape[axis] = _cropped(shape[axis], cropping, input_shape)
        return tuple(shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cropping": self.cropping, "data_format": self.data_format}


class Cropping2D(BaseCropping):
    """x[N, H, W, C] -> y without ((top, bottom), (left, right)) rows and columns."""

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cropping = pairs(cropping, 2, "cropping")
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=4)


class Cropping3D(BaseCropping):
    """x[N, D, H, W, C] -> y without what `cropping` (an integer, three of them, or three pairs) takes from each side."""

    def __init__(self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cropping = pairs(cropping, 3, "cropping")
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=5)
