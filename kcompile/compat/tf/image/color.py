"""The values of pixels: dtypes, brightness, contrast, hue, saturation, grey."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.dtypes import standardize_dtype
from kcompile.tensor import KerasTensor, Tensor

from .support import height_axis, image_tensor, with_channels

GREY = (0.2989, 0.5870, 0.1140)


def convert_image_dtype(image: Any, dtype: Any, saturate: bool = False, name: str | None = None) -> Any:
    """The image in another dtype, scaled: floats in 0 ... 1, integers up to the largest of their dtype.

    saturate: values outside the range of the dtype become its ends. Raises ValueError for other dtypes.
    """
    image = image if isinstance(image, (Tensor, KerasTensor)) else ops.convert_to_tensor(image)
    given, wanted = standardize_dtype(image.dtype), standardize_dtype(dtype)
    if not (wanted.is_floating or wanted.is_integer) or not (given.is_floating or given.is_integer):
        raise ValueError(f"convert_image_dtype: images are integers or floats, received {given} and dtype={wanted}")
    if given == wanted or (given.is_floating and wanted.is_floating):
        return ops.cast(image, wanted)
    if given.is_integer and wanted.is_integer:
        if given.max > wanted.max:
            return _cast(image // ops.cast((given.max + 1) // (wanted.max + 1), given), wanted, saturate)
        return _cast(image, wanted, saturate) * ops.cast((wanted.max + 1) // (given.max + 1), wanted)
    if given.is_integer:
        return ops.cast(image, wanted) * (1.0 / given.max)
    return _cast(image * (wanted.max + 0.5), wanted, saturate)


def _cast(image: Any, dtype: Any, saturate: bool) -> Any:
    """A cast; with saturate, values are first brought into the range of the dtype."""
    if saturate:
        given = standardize_dtype(image.dtype)
        low, high = dtype.min, dtype.max
        if given.is_integer:
            low, high = max(low, given.min), min(high, given.max)
        elif high > 2**24:  # the largest float that does not round up beyond the range
            high = float(np.nextafter(np.float32(high), np.float32(0)))
        image = ops.clip(image, low, high)
    return ops.cast(image, dtype)


def _as_float(image: Any) -> Any:
    image = image if isinstance(image, (Tensor, KerasTensor)) else ops.convert_to_tensor(image)
    return image if image.dtype in ("float16", "float32") else convert_image_dtype(image, "float32")


def adjust_brightness(image: Any, delta: Any) -> Any:
    """`delta` added, on the scale of 0 ... 1; integers stay in their range."""
    values = _as_float(image)
    return convert_image_dtype(values + ops.cast(delta, values.dtype), _dtype(image), saturate=True)


def _dtype(image: Any) -> Any:
    return standardize_dtype(image.dtype) if hasattr(image, "dtype") else ops.convert_to_tensor(image).dtype


def adjust_contrast(images: Any, contrast_factor: Any) -> Any:
    """The distance of each value from the mean of its channel times `contrast_factor`."""
    values = _as_float(image_tensor(images))
    axis = height_axis(values)
    mean = ops.mean(values, axis=(axis, axis + 1), keepdims=True)
    return convert_image_dtype((values - mean) * ops.cast(contrast_factor, values.dtype) + mean, _dtype(images), saturate=True)


def adjust_gamma(image: Any, gamma: Any = 1, gain: Any = 1) -> Any:
    """gain * image ** gamma, on the scale of 0 ... 1. Raises ValueError for a negative gamma."""
    if isinstance(gamma, (int, float)) and gamma < 0:
        raise ValueError(f"`gamma` must not be negative, received {gamma}")
    values = _as_float(image)
    return convert_image_dtype(gain * values ** gamma, _dtype(image), saturate=True)


def rgb_to_grayscale(images: Any, name: str | None = None) -> Any:
    """[..., 3] -> [..., 1], the brightness of each pixel."""
    images = images if isinstance(images, (Tensor, KerasTensor)) else ops.convert_to_tensor(images)
    values = _as_float(with_channels(images, 3, "rgb_to_grayscale"))
    grey = ops.sum(values * ops.cast(list(GREY), values.dtype), axis=-1, keepdims=True)
    return convert_image_dtype(grey, images.dtype)


def grayscale_to_rgb(images: Any, name: str | None = None) -> Any:
    """[..., 1] -> [..., 3], three equal channels."""
    images = images if isinstance(images, (Tensor, KerasTensor)) else ops.convert_to_tensor(images)
    return ops.concatenate([with_channels(images, 1, "grayscale_to_rgb")] * 3, axis=-1)


def rgb_to_hsv(images: Any, name: str | None = None) -> Any:
    """Hue, saturation and value, all in 0 ... 1, of floats [..., 3]."""
    images = with_channels(images if isinstance(images, (Tensor, KerasTensor)) else ops.convert_to_tensor(images), 3, "rgb_to_hsv")
    red, green, blue = (images[..., channel] for channel in range(3))
    value = ops.max(images, axis=-1)
    spread = value - ops.min(images, axis=-1)
    saturation = ops.where(value > 0, spread / ops.where(value > 0, value, 1.0), 0.0)
    scale = 1.0 / (6.0 * ops.where(spread > 0, spread, 1.0))
    hue = ops.where(red == value, scale * (green - blue),
                    ops.where(green == value, scale * (blue - red) + 2 / 6, scale * (red - green) + 4 / 6))
    hue = ops.where(spread > 0, ops.where(hue < 0, hue + 1.0, hue), 0.0)
    return ops.stack([hue, saturation, value], axis=-1)


def hsv_to_rgb(images: Any, name: str | None = None) -> Any:
    """The inverse of rgb_to_hsv."""
    images = with_channels(images if isinstance(images, (Tensor, KerasTensor)) else ops.convert_to_tensor(images), 3, "hsv_to_rgb")
    hue, saturation, value = images[..., 0] * 6.0, images[..., 1], images[..., 2]
    parts = (ops.abs(hue - 3.0) - 1.0, 2.0 - ops.abs(hue - 2.0), 2.0 - ops.abs(hue - 4.0))
    return ops.stack([((1.0 - saturation) + saturation * ops.clip(part, 0.0, 1.0)) * value for part in parts], axis=-1)


def adjust_hue(image: Any, delta: Any, name: str | None = None) -> Any:
    """The hue of each pixel turned by `delta` of the circle."""
    hsv = rgb_to_hsv(_as_float(image))
    hue = hsv[..., 0] + ops.cast(delta, hsv.dtype)
    turned = ops.stack([hue - ops.floor(hue), hsv[..., 1], hsv[..., 2]], axis=-1)
    return convert_image_dtype(hsv_to_rgb(turned), _dtype(image))


def adjust_saturation(image: Any, saturation_factor: Any, name: str | None = None) -> Any:
    """The saturation of each pixel times `saturation_factor`, at most 1."""
    hsv = rgb_to_hsv(_as_float(image))
    saturation = ops.clip(hsv[..., 1] * ops.cast(saturation_factor, hsv.dtype), 0.0, 1.0)
    return convert_image_dtype(hsv_to_rgb(ops.stack([hsv[..., 0], saturation, hsv[..., 2]], axis=-1)), _dtype(image))


def per_image_standardization(image: Any) -> Any:
    """Mean 0 and variance 1 over each image; the divisor is at least 1 / sqrt(number of values)."""
    image = image_tensor(image)
    values = image if image.dtype == "float16" else ops.cast(image, "float32")
    axes = tuple(range(height_axis(image), len(image.shape)))
    count = math.prod(int(image.shape[axis]) for axis in axes)
    centered = values - ops.mean(values, axis=axes, keepdims=True)
    deviation = ops.sqrt(ops.mean(ops.square(centered), axis=axes, keepdims=True))
    return centered / ops.maximum(deviation, 1.0 / math.sqrt(count))
