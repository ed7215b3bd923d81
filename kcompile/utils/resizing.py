"""Resizing one image on the host, with the methods and numbers of tf.image.resize without antialiasing.

Every method is separable: along an axis each result is a weighted sum of a few input pixels (`taps`), first down, then across.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Taps = tuple[Array, Array]  # (input positions [out, taps], weights float32 [out, taps])

METHODS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")


def resize(image: Array, size: tuple[int, int], method: str) -> Array:
    """An image [height, width, channels] in another size: float32; for "nearest" of the image's own dtype."""
    if method == "nearest":
        rows, columns = (_nearest(inner, outer) for inner, outer in zip(image.shape[:2], size, strict=True))
        return image[rows][:, columns]
    down, across = (taps(inner, outer, method) for inner, outer in zip(image.shape[:2], size, strict=True))
    pixels = image.astype(np.float32, copy=False)
    return _along_width(_along_height(pixels, down), across)


def resize_cropped(image: Array, size: tuple[int, int], method: str) -> Array:
    """The largest part in the middle that has the target's aspect ratio, resized."""
    top, left, height, width = centre_box(image.shape[0], image.shape[1], size)
    return resize(image[top:top + height, left:left + width], size, method)


def centre_box(height: int, width: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """(top, left, height, width) of the largest part in the middle that has the aspect ratio of `size`, at least a pixel."""
    target_height, target_width = size
    crop_height = max(min(height, int(width * target_height / target_width)), 1)
    crop_width = max(min(width, int(height * target_width / target_height)), 1)
    return int((height - crop_height) / 2), int((width - crop_width) / 2), crop_height, crop_width


def resize_padded(image: Array, size: tuple[int, int], method: str) -> Array:
    """The whole image, as large as fits, in the middle of zeros."""
    height, width = image.shape[:2]
    ratio = max(width / size[1], height / size[0])
    inner = (max(math.floor(height / ratio), 1), max(math.floor(width / ratio), 1))
    top, left = max(0, math.floor((size[0] - height / ratio) / 2)), max(0, math.floor((size[1] - width / ratio) / 2))
    small = resize(image, inner, method)
    padded = np.zeros((*size, image.shape[2]), small.dtype)
    padded[top:top + inner[0], left:left + inner[1]] = small
    return padded


def _along_height(image: Array, taps: Taps) -> Array:
    places, weights = taps
    result = image[places[:, 0]] * weights[:, 0, None, None]
    for tap in range(1, places.shape[1]):
        result += image[places[:, tap]] * weights[:, tap, None, None]
    return result


def _along_width(image: Array, taps: Taps) -> Array:
    places, weights = taps
    result = image[:, places[:, 0]] * weights[:, 0, None]
    for tap in range(1, places.shape[1]):
        result += image[:, places[:, tap]] * weights[:, tap, None]
    return result


@functools.lru_cache(maxsize=256)
def taps(inner: int, outer: int, method: str) -> Taps:
    """The weighted sums that make an axis of `outer` pixels of one of `inner`."""
    if method == "bilinear":
        return _bilinear(inner, outer)
    if method == "bicubic":
        return _bicubic(inner, outer)
    if method == "area":
        return _area(inner, outer)
    return _kernel(inner, outer, *_KERNELS[method])


def _centres(inner: int, outer: int) -> Array:
    """Where the middle of each result lies in the input, in pixels from its edge."""
    scale = np.float32(inner / outer)
    return (np.arange(outer, dtype=np.float32) + np.float32(0.5)) * scale


def _nearest(inner: int, outer: int) -> Array:
    return np.minimum(np.floor(_centres(inner, outer)).astype(np.int64), inner - 1)


def _bilinear(inner: int, outer: int) -> Taps:
    place = _centres(inner, outer) - np.float32(0.5)
    low = np.floor(place)
    upper = np.minimum(np.ceil(place).astype(np.int64), inner - 1)
    lower = np.minimum(np.maximum(low.astype(np.int64), 0), upper)
    share = place - low
    return np.stack([lower, upper], 1), np.stack([1 - share, share], 1).astype(np.float32)


def _bicubic(inner: int, outer: int) -> Taps:
    """The cubic of Keys with -0.5, its argument rounded to 1/1024 as in TensorFlow's table."""
    place = _centres(inner, outer) - np.float32(0.5)
    low = np.floor(place)
    share = np.rint((place - low) * 1024) / 1024
    places = low.astype(np.int64)[:, None] + np.arange(-1, 3)
    weights = _keys(np.abs(share[:, None] - np.arange(-1, 3)))
    return _inside(places, weights, inner)


def _keys(x: Array) -> Array:
    return np.where(x <= 1, (1.5 * x - 2.5) * x * x + 1, np.where(x < 2, ((-0.5 * x + 2.5) * x - 4) * x + 2, 0.0))


def _inside(places: Array, weights: Array, inner: int) -> Taps:
    """Weights of pixels outside the image go to those inside, in proportion."""
    weights = np.where((places >= 0) & (places < inner), weights, 0.0)
    weights /= weights.sum(1, keepdims=True)
    return np.clip(places, 0, inner - 1), weights.astype(np.float32)


def _area(inner: int, outer: int) -> Taps:
    """Means over the pixels that a result covers, those at its edges in part."""
    scale = np.float32(inner / outer)
    start = np.arange(outer, dtype=np.float32) * scale
    end = np.minimum(start + scale, inner)
    places = np.floor(start).astype(np.int64)[:, None] + np.arange(math.ceil(scale) + 1)
    covered = np.minimum(places + 1, end[:, None]) - np.maximum(places, start[:, None])
    weights = np.maximum(covered, 0) / scale
    return np.clip(places, 0, inner - 1), weights.astype(np.float32)


def _kernel(inner: int, outer: int, radius: float, kernel: Callable[[Array], Array]) -> Taps:
    centre = _centres(inner, outer).astype(np.float64)
    places = np.ceil(centre - radius - 0.5).astype(np.int64)[:, None] + np.arange(2 * math.ceil(radius) + 1)
    away = np.abs(places + 0.5 - centre[:, None])
    return _inside(places, np.where(away < radius, kernel(away), 0.0), inner)


def _lanczos(radius: float) -> Callable[[Array], Array]:
    return lambda x: np.sinc(x) * np.sinc(x / radius)


def _gaussian(x: Array) -> Array:
    return np.asarray(np.exp(-2 * x * x))  # a standard deviation of half a pixel


def _mitchell(x: Array) -> Array:
    near = ((7 * x - 12) * x * x + 16 / 3) / 6
    far = (((-7 / 3 * x + 12) * x - 20) * x + 32 / 3) / 6
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


_KERNELS: dict[str, tuple[float, Callable[[Array], Array]]] = {
    "lanczos3": (3.0, _lanczos(3.0)), "lanczos5": (5.0, _lanczos(5.0)), "gaussian": (1.5, _gaussian), "mitchellcubic": (2.0, _mitchell),
}
