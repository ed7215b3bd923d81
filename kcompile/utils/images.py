"""Images and arrays: load_img, img_to_array, array_to_img, save_img, smart_resize. Files are read and written by Pillow, an extra."""

from __future__ import annotations

import io
import os
import pathlib
from typing import Any

import numpy as np

from ..common.users_code import warn
from ..config import floatx, standardize_data_format
from ..dtypes import numpy_dtype
from ..tensor import KerasTensor, Tensor
from .resizing import METHODS, centre_box, resize

COLOR_MODES = {"grayscale": 1, "rgb": 3, "rgba": 4}
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
_GREY = ("L", "I;16", "I")


def pillow(purpose: str) -> Any:
    """The module PIL.Image. Raises ImportError that says how to get it."""
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(f"{purpose} needs Pillow, which is not installed: pip install 'kcompile[images]'") from None
    return Image


def load_img(path: Any, color_mode: str = "rgb", target_size: Any = None, interpolation: str = "nearest",
             keep_aspect_ratio: bool = False) -> Any:
    """An image file as a Pillow image.

    path: a path, or a file in memory (io.BytesIO); color_mode: "rgb", "rgba" or "grayscale"; target_size: (height, width) to resize
    to; interpolation: "nearest", "bilinear", "bicubic", "hamming", "box" or "lanczos"; keep_aspect_ratio: cut what is too much off two
    sides first. Raises ImportError without Pillow, OSError for a file that is missing, damaged or no image, ValueError and TypeError
    for other arguments.
    """
    image_module = pillow("load_img")
    if color_mode not in COLOR_MODES:
        raise ValueError(f"`color_mode` must be 'grayscale', 'rgb' or 'rgba', received color_mode={color_mode!r}")
    if interpolation not in _INTERPOLATIONS:
        raise ValueError(f"`interpolation` must be one of {', '.join(_INTERPOLATIONS)}; received interpolation={interpolation!r}")
    size = None if target_size is None else image_size(target_size, "target_size")
    image = in_mode(opened(image_module, path), color_mode)
    if size is None or image.size == (size[1], size[0]):
        return image
    resample = getattr(image_module.Resampling, interpolation.upper())
    box = None
    if keep_aspect_ratio:
        top, left, height, width = _whole_box(image.size[1], image.size[0], size)
        box = (left, top, left + width, top + height)
    return image.resize((size[1], size[0]), resample, box=box)


def _whole_box(height: int, width: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    crop_height, crop_width = min(height, width * size[0] // size[1]), min(width, height * size[1] // size[0])
    return (height - crop_height) // 2, (width - crop_width) // 2, crop_height, crop_width


def opened(image_module: Any, path: Any, formats: tuple[str, ...] | None = None) -> Any:
    """The decoded image of a path or of a file in memory; `formats`: the only ones of Pillow's that may be tried."""
    if isinstance(path, io.BytesIO):
        source, shown = path, "the file in memory"
    elif isinstance(path, (str, bytes, os.PathLike)):
        shown = os.fsdecode(path)
        with open(path, "rb") as file:
            source = io.BytesIO(file.read())
    else:
        raise TypeError(f"`path` must be a path or io.BytesIO, received {type(path).__name__}")
    try:
        image = image_module.open(source, formats=formats)
        image.load()
    except image_module.UnidentifiedImageError:
        kinds = "a format that Pillow can read" if formats is None else f"the formats {', '.join(formats)}"
        raise OSError(f"{shown} is not an image of {kinds}") from None
    except (OSError, SyntaxError, ValueError, EOFError, image_module.DecompressionBombError) as error:
        raise OSError(f"{shown} cannot be read as an image: {error}") from None
    return image


def in_mode(image: Any, color_mode: str) -> Any:
    """A Pillow image in the mode of `color_mode`; grey of 16 bits stays for "grayscale"."""
    if color_mode == "grayscale":
        return image if image.mode in _GREY else image.convert("L")
    mode = color_mode.upper()
    return image if image.mode == mode else image.convert(mode)


def image_size(size: Any, argument: str) -> tuple[int, int]:
    """(height, width) of an argument: one whole number or two. Raises ValueError that names the argument."""
    sizes = (size, size) if isinstance(size, (int, np.integer)) else tuple(size) if isinstance(size, (tuple, list, np.ndarray)) else ()
    if len(sizes) != 2 or any(isinstance(one, bool) or not isinstance(one, (int, np.integer)) or one < 1 for one in sizes):
        raise ValueError(f"`{argument}` must be (height, width), two whole numbers of 1 or more; received {argument}={size!r}")
    return int(sizes[0]), int(sizes[1])


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> Any:
    """A Pillow image as an array [height, width, channels] ([channels, height, width] for "channels_first").

    dtype: by default `floatx()`. Raises ValueError for an array of another rank than 2 or 3.
    """
    data_format = standardize_data_format(data_format)
    array = np.asarray(img, numpy_dtype(dtype or floatx()))
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3:
        raise ValueError(f"`img` must be an image or an array of rank 2 or 3, received shape {array.shape}")
    return array.transpose(2, 0, 1) if data_format == "channels_first" else array


def array_to_img(x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None) -> Any:
    """A Pillow image of an array of rank 3 with 1, 3 or 4 channels.

    scale: spread the values over 0 ... 255; without it they must lie there. dtype: what to compute in, by default `floatx()`. Raises
    ImportError without Pillow, ValueError for arrays of other shapes.
    """
    image_module = pillow("array_to_img")
    data_format = standardize_data_format(data_format)
    array = np.asarray(x, numpy_dtype(dtype or floatx()))
    if array.ndim != 3:
        raise ValueError(f"`x` must be an array of rank 3 (one image), received shape {array.shape}")
    if data_format == "channels_first":
        array = array.transpose(1, 2, 0)
    if not array.size or array.shape[2] not in (1, 3, 4):
        raise ValueError(f"`x` must have 1, 3 or 4 channels, its {'last' if data_format == 'channels_last' else 'first'} axis; "
                         f"received shape {np.shape(x)} with data_format={data_format!r}")
    if scale:
        array = array - array.min()
        largest = array.max()
        if largest != 0:
            array = array / largest
        array = array * 255
    if array.shape[2] > 1:
        return image_module.fromarray(np.ascontiguousarray(array.astype(np.uint8)))
    kind = np.int32 if array.max() > 255 else np.uint8
    return image_module.fromarray(np.ascontiguousarray(array[:, :, 0].astype(kind)))


def save_img(path: Any, x: Any, data_format: str | None = None, file_format: str | None = None, scale: bool = True, **kwargs: Any) -> None:
    """Write an array as an image file, in the format of the path's ending or in `file_format`.

    path: a path, or a file open for writing, which needs `file_format`; kwargs: for Pillow's `save`. Raises ValueError for formats
    that Pillow does not write, ImportError without Pillow, OSError where the file cannot be written.
    """
    image_module = pillow("save_img")
    if file_format is None and isinstance(path, (str, os.PathLike)):
        file_format = pathlib.Path(path).suffix[1:]
    file_format = {"jpg": "jpeg"}.get((file_format or "").lower(), (file_format or "").lower())
    image_module.init()
    known = {ending[1:] for ending, name in image_module.EXTENSION.items() if name in image_module.SAVE} | {
        name.lower() for name in image_module.SAVE}
    if file_format not in known:
        raise ValueError(f"`file_format` {file_format!r} (by default the ending of `path`) is no image format that Pillow writes, such as "
                         f"'png' or 'jpeg'; received path={path!r}")
    file_format = image_module.EXTENSION.get(f".{file_format}", file_format)
    image = array_to_img(x, data_format=data_format, scale=scale)
    if image.mode == "RGBA" and file_format == "JPEG":
        warn("The JPEG format does not support RGBA images, converting to RGB.")
        image = image.convert("RGB")
    image.save(path, format=file_format, **kwargs)


def smart_resize(x: Any, size: Any, interpolation: str = "bilinear", data_format: str = "channels_last", **kwargs: Any) -> Any:
    """One image or a batch resized without distortion: the largest part in the middle of the target's aspect ratio.

    x: an array or tensor [height, width, channels] or [batch, height, width, channels] (channels first with that data_format); size:
    (height, width); interpolation: one of those of `image_dataset_from_directory`. The result is float32, for "nearest" of the dtype of
    x. Raises ValueError.
    """
    kwargs.pop("backend_module", None)
    if kwargs:
        raise TypeError(f"smart_resize() got unexpected keyword arguments: {', '.join(kwargs)}")
    if isinstance(size, (int, np.integer)):
        raise ValueError(f"`size` must be (height, width), received size={size!r}")
    height_width = image_size(size, "size")
    if interpolation not in METHODS:
        raise ValueError(f"`interpolation` must be one of {', '.join(METHODS)}; received interpolation={interpolation!r}")
    data_format = standardize_data_format(data_format)
    if isinstance(x, KerasTensor) and not isinstance(x, Tensor):
        raise ValueError("smart_resize() works on arrays and tensors with values; `x` is symbolic. Use layers.Resizing in a model")
    array = x.numpy() if isinstance(x, Tensor) else np.asarray(x)
    if array.ndim not in (3, 4):
        raise ValueError("`x` must have shape (height, width, channels) or (batch, height, width, channels), in data_format="
                         f"'channels_first' with the channels before the height; received shape {array.shape}")
    first = data_format == "channels_first"
    batch = array if array.ndim == 4 else array[None]
    batch = batch.transpose(0, 2, 3, 1) if first else batch
    top, left, height, width = centre_box(batch.shape[1], batch.shape[2], height_width)
    part = batch[:, top:top + height, left:left + width]
    part = np.stack([resize(image, height_width, interpolation) for image in part]) if len(part) else \
        np.zeros((0, *height_width, batch.shape[3]), np.float32)
    part = part.transpose(0, 3, 1, 2) if first else part
    part = part if array.ndim == 4 else part[0]
    return Tensor(np.ascontiguousarray(part)) if isinstance(x, Tensor) else np.array(part)
