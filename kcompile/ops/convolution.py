"""Convolutions and pooling in one, two and three spatial dimensions, in both data formats.

The primitives take channels last and no padding: channels_first is transposed around them, and 'same' padding (as TensorFlow
places it: the odd element at the end) is an explicit pad before them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..config import standardize_data_format
from ..dtypes import result_type
from ..ir import build
from ..ir.graph import Value
from ..ir.types import Dim, DimLike, TensorType
from ..tracing import operation
from ._support import as_value, float_value, kind, splat, static_dim, wrap

__all__ = [
    "average_pool", "conv", "conv_transpose", "depthwise_conv", "max_pool", "separable_conv",
]


def spatial_tuple(value: Any, count: int, name: str, what: str, zero: bool = False) -> tuple[int, ...]:
    """One positive integer for each spatial dimension. Raises ValueError."""
    parts = tuple(value) if isinstance(value, (tuple, list)) else (value,) * count
    if len(parts) == 1:
        parts = parts * count
    if len(parts) != count or any(int(p) < (0 if zero else 1) for p in parts):
        raise ValueError(f"{name}: `{what}` must be a positive integer or {count} of them, received {value!r}")
    return tuple(int(p) for p in parts)


def to_channels_last(value: Value, data_format: str) -> Value:
    """[N, C, spatial..] as [N, spatial.., C]; what is channels_last already stays."""
    if data_format == "channels_last":
        return value
    return build.transpose(value, [0, *range(2, value.rank), 1])


def from_channels_last(value: Value, data_format: str) -> Value:
    """[N, spatial.., C] in the layout that data_format names."""
    if data_format == "channels_last":
        return value
    return build.transpose(value, [0, value.rank - 1, *range(1, value.rank - 1)])


def same_padding(size: DimLike, window: int, stride: int, dilation: int, name: str) -> tuple[int, int]:
    """(before, after) so that the result has ceil(size / stride) elements."""
    reach = (window - 1) * dilation + 1
    if stride == 1:
        total = reach - 1
    else:
        known = static_dim(size, name, "a spatial size under stride and 'same' padding")
        total = max((-(-known // stride) - 1) * stride + reach - known, 0)
    return total // 2, total - total // 2


def _spatial_padding(value: Value, padding: str, window: Sequence[int], strides: Sequence[int], dilation: Sequence[int],
                     name: str) -> list[tuple[int, int]]:
    mode = str(padding).lower()
    if mode == "valid":
        return [(0, 0)] * len(window)
    if mode == "same":
        return [same_padding(size, w, s, d, name) for size, w, s, d in zip(value.shape[1:-1], window, strides, dilation, strict=True)]
    if mode == "causal" and len(window) == 1:
        return [((window[0] - 1) * dilation[0], 0)]
    raise ValueError(f"{name}: `padding` must be 'valid' or 'same', received {padding!r}")


def padded(value: Value, pairs: Sequence[tuple[int, int]], number: float) -> Value:
    """Elements added around the spatial axes of a channels-last value."""
    return build.pad(value, [0, *(a for a, _ in pairs), 0], [0, *(b for _, b in pairs), 0], number)


def _check_room(value: Value, window: Sequence[int], dilation: Sequence[int], name: str) -> None:
    for axis, (size, w, d) in enumerate(zip(value.shape[1:-1], window, dilation, strict=True)):
        if not isinstance(size, Dim) and size < (w - 1) * d + 1:
            raise ValueError(f"{name}: spatial dimension {axis} of size {size} is too small for a window that reaches over "
                             f"{(w - 1) * d + 1} (use padding='same', or a smaller window)")


def conv_operands(inputs: Any, kernel: Any, data_format: str | None) -> tuple[Value, Value, str]:
    """(input with channels last, kernel, data format), both of one float type."""
    dtype = result_type(kind(inputs), kind(kernel), float) if not _both_float(inputs, kernel) else result_type(kind(inputs), kind(kernel))
    fmt = standardize_data_format(data_format)
    return to_channels_last(as_value(inputs, dtype), fmt), as_value(kernel, dtype), fmt


def _both_float(*xs: Any) -> bool:
    return all(kind(x) in ("float16", "bfloat16", "float32", "float64") for x in xs)


@operation(tensors="inputs kernel")
def conv(inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid", data_format: str | None = None, dilation_rate: Any = 1) -> Any:
    """Convolution: inputs [N, spatial.., C], kernel [spatial.., C / groups, O] -> [N, spatial.., O].

    The number of groups follows from the channels. Raises ValueError where they do not divide.
    """
    value, weights, fmt = conv_operands(inputs, kernel, data_format)
    count = value.rank - 2
    if weights.rank != value.rank:
        raise ValueError(f"conv: inputs of rank {value.rank} need a kernel of the same rank, received kernel shape {weights.shape}")
    steps = spatial_tuple(strides, count, "conv", "strides")
    dilation = spatial_tuple(dilation_rate, count, "conv", "dilation_rate")
    channels, per_group = (static_dim(d, "conv", "the number of channels") for d in (value.shape[-1], weights.shape[-2]))
    if per_group == 0 or channels % per_group or int(weights.shape[-1]) % max(1, channels // per_group):  # type: ignore[arg-type]
        raise ValueError(f"conv: {channels} input channels do not fit a kernel of shape {weights.shape}: "
                         f"the number of input channels must be a multiple of {per_group}")
    window = [static_dim(d, "conv", "the kernel's size") for d in weights.shape[:-2]]
    value = padded(value, _spatial_padding(value, padding, window, steps, dilation, "conv"), 0)
    _check_room(value, window, dilation, "conv")
    return wrap(from_channels_last(build.conv(value, weights, steps, dilation, channels // per_group), fmt))


@operation(tensors="inputs kernel")
def depthwise_conv(inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid", data_format: str | None = None,
                   dilation_rate: Any = 1) -> Any:
    """A convolution of each channel by itself: kernel [spatial.., C, multiplier] -> C * multiplier channels."""
    value, weights, fmt = conv_operands(inputs, kernel, data_format)
    count = value.rank - 2
    steps = spatial_tuple(strides, count, "depthwise_conv", "strides")
    dilation = spatial_tuple(dilation_rate, count, "depthwise_conv", "dilation_rate")
    channels = static_dim(value.shape[-1], "depthwise_conv", "the number of channels")
    if weights.rank != value.rank or weights.shape[-2] != channels:
        raise ValueError(f"depthwise_conv: {channels} input channels do not fit a kernel of shape {weights.shape}")
    window = [static_dim(d, "depthwise_conv", "the kernel's size") for d in weights.shape[:-2]]
    grouped = build.reshape(weights, [*window, 1, weights.shape[-2] * weights.shape[-1]])
    value = padded(value, _spatial_padding(value, padding, window, steps, dilation, "depthwise_conv"), 0)
    _check_room(value, window, dilation, "depthwise_conv")
    return wrap(from_channels_last(build.conv(value, grouped, steps, dilation, channels), fmt))


def separable_conv(inputs: Any, depthwise_kernel: Any, pointwise_kernel: Any, strides: Any = 1, padding: str = "valid",
                   data_format: str | None = None, dilation_rate: Any = 1) -> Any:
    """depthwise_conv, then a convolution of size 1."""
    deep = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(deep, pointwise_kernel, 1, "valid", data_format, 1)


@operation(tensors="inputs kernel")
def conv_transpose(inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid", output_padding: Any = None,
                   data_format: str | None = None, dilation_rate: Any = 1) -> Any:
    """The adjoint of a strided convolution: inputs [N, spatial.., C], kernel [spatial.., O, C] -> [N, larger spatial.., O]."""
    value, weights, fmt = conv_operands(inputs, kernel, data_format)
    count = value.rank - 2
    steps = spatial_tuple(strides, count, "conv_transpose", "strides")
    dilation = spatial_tuple(dilation_rate, count, "conv_transpose", "dilation_rate")
    extra: tuple[int | None, ...] = (None,) * count
    if output_padding is not None:
        extra = spatial_tuple(output_padding, count, "conv_transpose", "output_padding", zero=True)
    window = [static_dim(d, "conv_transpose", "the kernel's size") for d in weights.shape[:-2]]
    mode = str(padding).lower()
    if mode not in ("valid", "same"):
        raise ValueError(f"conv_transpose: `padding` must be 'valid' or 'same', received {padding!r}")
    sizes: list[DimLike] = []
    cuts: list[tuple[int, int]] = []
    for size, w, s, d, e in zip(value.shape[1:-1], window, steps, dilation, extra, strict=True):
        reach = (w - 1) * d + 1
        out = transposed_size(size, reach, s, mode, e)
        sizes.append(out)
        # the forward convolution whose gradient this is padded its input (of the result's size) by `total`
        total = 0 if mode == "valid" else _forward_padding(out, size, reach, s)
        cuts.append((total // 2, total - total // 2))
    return wrap(from_channels_last(build.conv_input_grad(value, weights, sizes, steps, dilation, padding=cuts), fmt))


def transposed_size(size: DimLike, reach: int, stride: int, mode: str, output_padding: int | None) -> DimLike:
    """The size that a transposed convolution gives."""
    if output_padding is None:
        return size * stride + (max(reach - stride, 0) if mode == "valid" else 0)
    padding = reach // 2 if mode == "same" else 0
    return (size - 1) * stride + reach - 2 * padding + output_padding


def _forward_padding(out: DimLike, size: DimLike, reach: int, stride: int) -> int:
    total = (size - 1) * stride + reach - out
    return max(0, static_dim(total, "conv_transpose", "the padding"))


# -- pooling ------------------------------------------------------------------------------------------------------
def _pool_operands(name: str, inputs: Any, pool_size: Any, strides: Any,
                   data_format: str | None) -> tuple[Value, tuple[int, ...], tuple[int, ...], str]:
    fmt = standardize_data_format(data_format)
    value = to_channels_last(as_value(inputs), fmt)
    count = value.rank - 2
    window = spatial_tuple(pool_size, count, name, "pool_size")
    steps = window if strides is None else spatial_tuple(strides, count, name, "strides")
    return value, window, steps, fmt


@operation(tensors="inputs")
def max_pool(inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None) -> Any:
    """The largest element of each window; a NaN wins. Strides are pool_size by default."""
    value, window, steps, fmt = _pool_operands("max_pool", inputs, pool_size, strides, data_format)
    ones = (1,) * len(window)
    lowest = -math.inf if value.dtype.is_float else wrap(value).dtype.min
    value = padded(value, _spatial_padding(value, padding, window, steps, ones, "max_pool"), lowest)
    _check_room(value, window, ones, "max_pool")
    return wrap(from_channels_last(build.window_max(value, window, steps), fmt))


@operation(tensors="inputs")
def average_pool(inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None) -> Any:
    """The mean of each window; with 'same' padding, of the elements of the window that exist."""
    value, window, steps, fmt = _pool_operands("average_pool", wrap(float_value(inputs)), pool_size, strides, data_format)
    ones = (1,) * len(window)
    pairs = _spatial_padding(value, padding, window, steps, ones, "average_pool")
    sizes = value.shape[1:-1]
    value = padded(value, pairs, 0)
    _check_room(value, window, ones, "average_pool")
    sums = build.window_sum(value, window, steps)
    if not any(a or b for a, b in pairs):
        return wrap(from_channels_last(sums * (1 / math.prod(window)), fmt))
    counts = None
    for axis, (size, w, s, pair) in enumerate(zip(sizes, window, steps, pairs, strict=True), 1):
        known = static_dim(size, "average_pool", "a spatial size under 'same' padding")
        along = window_counts(known, w, s, pair)
        vector = build.constant(value.graph, along, TensorType((len(along),), value.dtype))
        spread = build.broadcast(vector, sums.shape, (axis,))
        counts = spread if counts is None else counts * spread
    return wrap(from_channels_last(sums / splat(counts, sums.shape), fmt))  # type: ignore[arg-type]


def window_counts(size: int, window: int, stride: int, pair: tuple[int, int]) -> np.ndarray[Any, Any]:
    """How many elements that exist each window of a padded axis covers."""
    inside = np.pad(np.ones(size), pair)
    starts = range(0, len(inside) - window + 1, stride)
    return np.array([inside[n:n + window].sum() for n in starts])
