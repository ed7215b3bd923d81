"""Where pixels lie: flips, turns, crops, borders."""

from __future__ import annotations

from typing import Any

from kcompile import ops

from .support import box, height_axis, height_width, image_tensor, whole


def flip_left_right(image: Any) -> Any:
    """Mirror `[..., height, width, channels]` along the width; rank 3 is one image, 4 a batch."""
    image = image_tensor(image)
    return ops.flip(image, axis=height_axis(image) + 1)


def flip_up_down(image: Any) -> Any:
    """Mirror `[..., height, width, channels]` along the height."""
    image = image_tensor(image)
    return ops.flip(image, axis=height_axis(image))


def transpose(image: Any, name: str | None = None) -> Any:
    """Rows become columns."""
    image = image_tensor(image)
    axis = height_axis(image)
    return ops.transpose(image, (*range(axis), axis + 1, axis, axis + 2))


def rot90(image: Any, k: Any = 1, name: str | None = None) -> Any:
    """Turned by k times 90 degrees, counter-clockwise."""
    turns = whole(k, "k", -2**31) % 4
    if turns == 0:
        return image_tensor(image)
    if turns == 2:
        return flip_up_down(flip_left_right(image))
    return transpose(flip_left_right(image)) if turns == 1 else flip_left_right(transpose(image))


def crop_to_bounding_box(image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any) -> Any:
    """The part of `target_height` by `target_width` pixels whose upper left corner is at the offsets. Raises ValueError outside."""
    image = image_tensor(image)
    height, width = height_width(image)
    top, left = whole(offset_height, "offset_height"), whole(offset_width, "offset_width")
    rows, columns = whole(target_height, "target_height", 1), whole(target_width, "target_width", 1)
    if top + rows > height or left + columns > width:
        raise ValueError(f"crop_to_bounding_box: rows {top}...{top + rows} and columns {left}...{left + columns} do not lie in an image "
                         f"of {height} by {width}")
    axis = height_axis(image)
    return box(box(image, axis, top, rows), axis + 1, left, columns)


def pad_to_bounding_box(image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any) -> Any:
    """The image in a black one of `target_height` by `target_width`, its upper left corner at the offsets. Raises ValueError."""
    image = image_tensor(image)
    height, width = height_width(image)
    top, left = whole(offset_height, "offset_height"), whole(offset_width, "offset_width")
    bottom = whole(target_height, "target_height", 1) - top - height
    right = whole(target_width, "target_width", 1) - left - width
    if bottom < 0 or right < 0:
        raise ValueError(f"pad_to_bounding_box: an image of {height} by {width} at offset ({top}, {left}) does not fit {target_height} by "
                         f"{target_width}")
    if not (top or left or bottom or right):
        return image
    return ops.pad(image, ((0, 0),) * height_axis(image) + ((top, bottom), (left, right), (0, 0)))


def central_crop(image: Any, central_fraction: float) -> Any:
    """The middle part, `central_fraction` of the height and of the width. Raises ValueError."""
    fraction = float(central_fraction)
    if not 0 < fraction <= 1:
        raise ValueError(f"`central_fraction` must lie in (0, 1], received {central_fraction}")
    image = image_tensor(image)
    height, width = height_width(image)
    top, left = int((height - height * fraction) / 2), int((width - width * fraction) / 2)
    return crop_to_bounding_box(image, top, left, height - 2 * top, width - 2 * left)


def resize_with_crop_or_pad(image: Any, target_height: Any, target_width: Any) -> Any:
    """The middle of the image, cut off or with a black border, so that it has the target size."""
    image = image_tensor(image)
    height, width = height_width(image)
    rows, columns = whole(target_height, "target_height", 1), whole(target_width, "target_width", 1)
    image = crop_to_bounding_box(image, max((height - rows) // 2, 0), max((width - columns) // 2, 0), min(height, rows),
                                 min(width, columns))
    return pad_to_bounding_box(image, max((rows - height) // 2, 0), max((columns - width) // 2, 0), rows, columns)
