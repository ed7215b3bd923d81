"""Images of another size: each output pixel is a weighted mean of input pixels, so that a resize is two matrix products."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from kcompile import ops

from .place import pad_to_bounding_box
from .support import height_axis, height_width, image_tensor, whole

Array = npt.NDArray[Any]


class ResizeMethod:
    """Names of the kernels."""

    BILINEAR = "bilinear"
    NEAREST_NEIGHBOR = "nearest"
    BICUBIC = "bicubic"
    AREA = "area"
    LANCZOS3 = "lanczos3"
    LANCZOS5 = "lanczos5"
    GAUSSIAN = "gaussian"
    MITCHELLCUBIC = "mitchellcubic"


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


def resize(images: Any, size: Any, method: Any = "bilinear", preserve_aspect_ratio: bool = False, antialias: bool = False,
           name: str | None = None) -> Any:
    """Images of `size` (height, width); float32, but of their own dtype with 'nearest'.

    preserve_aspect_ratio: as large as fits into `size`. Raises ValueError for an unknown method or size.
    """
    method = str(method).lower()
    method = {"0": "bilinear", "1": "nearest", "2": "bicubic", "3": "area"}.get(method, method)
    if method not in METHODS:
        raise ValueError(f"resize: unknown method {method!r}; expected one of {', '.join(METHODS)}")
    images = image_tensor(images)
    if len(size) != 2:
        raise ValueError(f"resize: `size` must be (height, width), received {size!r}")
    rows, columns = whole(size[0], "size[0]", 1), whole(size[1], "size[1]", 1)
    height, width = height_width(images)
    if preserve_aspect_ratio:
        factor = min(rows / height, columns / width)
        rows, columns = max(1, math.floor(height * factor + 0.5)), max(1, math.floor(width * factor + 0.5))
    axis = height_axis(images)
    if method == "nearest":
        for place, have, want in ((axis, height, rows), (axis + 1, width, columns)):
            chosen = np.minimum(np.floor((np.arange(want) + 0.5) * np.float32(have / want)), have - 1).astype(np.int32)
            images = ops.take(images, chosen, axis=place) if have != want else images
        return images
    images = ops.cast(images, "float32")
    if height != rows:
        down = weights(height, rows, method, antialias)
        images = ops.einsum("oh,hwc->owc" if axis == 0 else "oh,bhwc->bowc", down, images)
    if width != columns:
        across = weights(width, columns, method, antialias)
        images = ops.einsum("ow,hwc->hoc" if axis == 0 else "ow,bhwc->bhoc", across, images)
    return images


def resize_with_pad(image: Any, target_height: Any, target_width: Any, method: Any = "bilinear", antialias: bool = False) -> Any:
    """As large as fits into the target size with its proportions kept, in the middle of a black image of that size."""
    image = image_tensor(image)
    height, width = height_width(image)
    rows, columns = whole(target_height, "target_height", 1), whole(target_width, "target_width", 1)
    ratio = max(width / columns, height / rows)
    new_height, new_width = math.floor(height / ratio), math.floor(width / ratio)
    top, left = max(0, math.floor((rows - height / ratio) / 2)), max(0, math.floor((columns - width / ratio) / 2))
    return pad_to_bounding_box(resize(image, (new_height, new_width), method, antialias=antialias), top, left, rows, columns)
