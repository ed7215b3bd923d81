"""What all functions of images need: their shape, and numbers given as tensors."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.tensor import KerasTensor, Tensor


def image_tensor(image: Any) -> Any:
    """The image as a tensor. Raises ValueError for another rank than 3 (one image) or 4 (a batch)."""
    tensor = image if isinstance(image, (Tensor, KerasTensor)) else ops.convert_to_tensor(image)
    if len(tensor.shape) not in (3, 4):
        raise ValueError("an image has rank 3 (height, width, channels) or 4 (a batch of them); given shape "
                         f"{tuple(tensor.shape)}")
    return tensor


def height_axis(image: Any) -> int:
    """The axis of rows; that of columns is the next."""
    return len(image.shape) - 3


def height_width(image: Any) -> tuple[int, int]:
    """The size of an image. Raises ValueError where it is not known while tracing."""
    axis = height_axis(image)
    height, width = image.shape[axis], image.shape[axis + 1]
    if height is None or width is None:
        raise ValueError(f"the height and width of the image must be known; given shape {tuple(image.shape)}")
    return int(height), int(width)


def whole(value: Any, name: str, least: int = 0) -> int:
    """A static integer, also given as a tensor. Raises ValueError that names it."""
    try:
        found = int(value.__index__())
    except (AttributeError, TypeError):
        raise ValueError(f"`{name}` must be an integer, received {value!r}") from None
    if found < least:
        raise ValueError(f"`{name}` must be at least {least}, received {found}")
    return found


def box(image: Any, axis: int, start: int, size: int) -> Any:
    """The part of an axis from `start` on."""
    return image[(slice(None),) * axis + (slice(start, start + size),)]


def with_channels(image: Any, count: int, what: str) -> Any:
    """Raises ValueError for another number of channels."""
    if image.shape[-1] != count:
        raise ValueError(f"{what} needs images of {count} channels, given shape {tuple(image.shape)}")
    return image
