"""Resampling along an axis: each result is a weighted sum of what lies near it, so that a resize is two products with matrices.

The weights are those of tf.image.resize, with and without antialiasing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def _cubic(b: float, c: float) -> Callable[[Array], Array]:
    """The cubic kernels of Mitchell and Netravali; (0, 1/2) is Keys's."""
    def kernel(x: Array) -> Array:
        near = ((12 - 9 * b - 6 * c) * x**3 + (-18 + 12 * b + 6 * c) * x**2 + (6 - 2 * b)) / 6
        far = ((-b - 6 * c) * x**3 + (6 * b + 30 * c) * x**2 + (-12 * b - 48 * c) * x + (8 * b + 24 * c)) / 6
        return np.where(x < 1, near, np.where(x < 2, far, 0.0))

    return kernel


def _lanczos(radius: int) -> Callable[[Array], Array]:
    return lambda x: np.where(x < radius, np.sinc(x) * np.sinc(x / radius), 0.0)


# (how far it reaches, the weight at a distance)
_KERNELS: dict[str, tuple[float, Callable[[Array], Array]]] = {
    "bilinear": (1.0, lambda x: np.maximum(1.0 - x, 0.0)),
    "bicubic": (2.0, _cubic(0.0, 0.5)),
    "mitchellcubic": (2.0, _cubic(1 / 3, 1 / 3)),
    "lanczos3": (3.0, _lanczos(3)),
    "lanczos5": (5.0, _lanczos(5)),
    "gaussian": (1.5, lambda x: np.where(x < 1.5, np.exp(-0.5 * (x / 0.5) ** 2), 0.0)),
}
METHODS = (*_KERNELS, "nearest", "area")


@functools.lru_cache(maxsize=64)
def weights(size: int, wanted: int, method: str, antialias: bool) -> Array:
    """[wanted, size]: the share of each input in each output. Kernels are widened when shrinking with antialias."""
    scale = size / wanted
    if method == "area":
        low, high = np.arange(wanted)[:, None] * scale, (np.arange(wanted)[:, None] + 1) * scale
        pixel = np.arange(size)[None]
        share = np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0.0, None)
        whole_share: Array = (share / share.sum(axis=1, keepdims=True)).astype(np.float32)
        return whole_share
    reach, kernel = _KERNELS[method]
    width = max(scale, 1.0) if antialias else 1.0
    middle = (np.arange(wanted)[:, None] + 0.5) * scale
    if method == "bicubic" and not antialias:  # TensorFlow looks its weights up in a table of 1024 places between two pixels
        middle = np.round((middle - 0.5) * 1024) / 1024 + 0.5
    distance = np.abs(np.arange(size)[None] + 0.5 - middle) / width
    share = np.where(distance <= reach, kernel(distance), 0.0)
    total = share.sum(axis=1, keepdims=True)
    return (share / np.where(total == 0, 1.0, total)).astype(np.float32)


def nearest(size: int, wanted: int) -> Array:
    """[wanted]: which input each output is."""
    places: Array = np.minimum(np.floor((np.arange(wanted) + 0.5) * np.float32(size / wanted)), size - 1).astype(np.int32)
    return places


def resize_axis(x: Any, axis: int, wanted: int, method: str, antialias: bool = False) -> Any:
    """A tensor with another size along one axis: of its own dtype with "nearest", else of floats."""
    from .. import ops

    size = int(x.shape[axis])
    if method == "nearest":
        return ops.take(x, nearest(size, wanted), axis=axis)
    if not x.dtype.is_floating:
        x = ops.cast(x, "float32")
    letters = "abcdefgh"[:len(x.shape)]
    shares = ops.cast(weights(size, wanted, method, antialias), x.dtype)
    return ops.einsum(f"o{letters[axis]},{letters}->{letters.replace(letters[axis], 'o')}", shares, x)
