"""tf.image.resize and its kin: images of another size."""

from __future__ import annotations

import math
from typing import Any

from kcompile import ops
from kcompile.utils.resampling import METHODS, resize_axis

from .place import pad_to_bounding_box
from .support import height_axis, height_width, image_tensor, whole


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
    if method != "nearest":
        images = ops.cast(images, "float32")
    for place, have, want in ((axis, height, rows), (axis + 1, width, columns)):
        if have != want:
            images = resize_axis(images, place, want, method, antialias)
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
