"""Images in files' bytes, through Pillow: eager only. Pillow is an extra, imported when one of these is called."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from kcompile.tensor import KerasTensor, Tensor

from .color import convert_image_dtype

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ImportError("images in files are read and written with Pillow, which is not installed: pip install pillow") from None
    return Image


def _bytes(contents: Any, name: str) -> bytes:
    if isinstance(contents, KerasTensor):
        contents._refuse(f"{name} needs the bytes themselves")
    value = contents._array[()] if isinstance(contents, Tensor) else contents
    if not isinstance(value, bytes):
        raise TypeError(f"{name} takes the bytes of a file, as tf.io.read_file gives them; received {type(value).__name__}")
    return value


def _decoded(contents: Any, channels: int, name: str, formats: tuple[str, ...] | None, dtype: Any = "uint8") -> Tensor:
    if channels not in (0, *MODES):
        raise ValueError(f"{name}: `channels` must be 0, 1, 2, 3 or 4, received {channels}")
    data = _bytes(contents, name)
    image_module = _pillow()
    try:
        with image_module.open(io.BytesIO(data), formats=formats) as image:
            if dtype == "uint16":
                array = np.asarray(image).astype(np.uint16)
                array = array if array.ndim > 2 else array[:, :, None]
                return Tensor(array if image.mode.startswith("I") else array * 257)
            array = _pixels(image, channels)
    except (OSError, SyntaxError, ValueError, image_module.DecompressionBombError) as error:
        kinds = "an image" if formats is None else "a " + " or ".join(formats) + " image"
        raise ValueError(f"{name}: the {len(data)} bytes are not {kinds} that can be read: {error}") from None
    return Tensor(array)


def _pixels(image: Any, channels: int) -> Any:
    """[height, width, channels]; with 0 channels as many as the file has."""
    if channels:
        mode = MODES[channels]
    elif image.mode in ("1", "I", "I;16", "F"):
        mode = "L"
    elif image.mode in ("P", "CMYK", "YCbCr", "HSV", "LAB", "PA"):
        mode = "RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB"
    else:
        mode = image.mode
    array = np.asarray(image if image.mode == mode else image.convert(mode))
    return array if array.ndim > 2 else array[:, :, None]


def decode_png(contents: Any, channels: int = 0, dtype: Any = "uint8", name: str | None = None) -> Any:
    """Bytes of a PNG file -> [height, width, channels]; channels 0: as many as the file has. Raises ValueError."""
    return _decoded(contents, channels, "decode_png", ("PNG",), dtype)


def decode_jpeg(contents: Any, channels: int = 0, ratio: int = 1, fancy_upscaling: bool = True, try_recover_truncated: bool = False,
                acceptable_fraction: float = 1, dct_method: str = "", name: str | None = None) -> Any:
    """Bytes of a JPEG file -> uint8 [height, width, channels]. Raises ValueError."""
    return _decoded(contents, channels, "decode_jpeg", ("JPEG",))


def decode_bmp(contents: Any, channels: int = 0, name: str | None = None) -> Any:
    """Bytes of a BMP file -> uint8 [height, width, channels]. Raises ValueError."""
    return _decoded(contents, channels, "decode_bmp", ("BMP",))


def decode_gif(contents: Any, name: str | None = None) -> Any:
    """Bytes of a GIF file -> uint8 [frames, height, width, 3]. Raises ValueError."""
    data = _bytes(contents, "decode_gif")
    image_module = _pillow()
    try:
        with image_module.open(io.BytesIO(data), formats=("GIF",)) as image:
            frames = []
            for number in range(getattr(image, "n_frames", 1)):
                image.seek(number)
                frames.append(np.asarray(image.convert("RGB")))
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"decode_gif: the {len(data)} bytes are not a GIF image that can be read: {error}") from None
    return Tensor(np.stack(frames))


def decode_image(contents: Any, channels: int = 0, dtype: Any = "uint8", name: str | None = None, expand_animations: bool = True) -> Any:
    """Bytes of a PNG, JPEG, BMP or GIF file -> [height, width, channels], scaled to 0 ... 1 for a floating dtype.

    A GIF gives [frames, height, width, 3] with expand_animations. Raises ValueError.
    """
    data = _bytes(contents, "decode_image")
    if data[:3] == b"GIF" and expand_animations:
        image = decode_gif(data)
    else:
        image = _decoded(data, channels, "decode_image", ("PNG", "JPEG", "BMP", "GIF"))
    return convert_image_dtype(image, dtype)


def _encoded(image: Any, kind: str, **options: Any) -> Any:
    array = np.asarray(image)
    if array.ndim != 3 or array.dtype != np.uint8 or array.shape[-1] not in MODES:
        raise ValueError(f"encode_{kind.lower()}: expected uint8 [height, width, 1 to 4 channels], received {array.dtype} {array.shape}")
    stream = io.BytesIO()
    _pillow().fromarray(array[:, :, 0] if array.shape[-1] == 1 else array, MODES[array.shape[-1]]).save(stream, kind, **options)
    result = np.empty((), object)
    result[()] = stream.getvalue()
    return Tensor(result)


def encode_png(image: Any, compression: int = -1, name: str | None = None) -> Any:
    """uint8 [height, width, channels] -> bytes of a PNG file."""
    return _encoded(image, "PNG", **({} if compression < 0 else {"compress_level": compression}))


def encode_jpeg(image: Any, format: str = "", quality: int = 95, name: str | None = None, **options: Any) -> Any:
    """uint8 [height, width, 1 or 3] -> bytes of a JPEG file."""
    return _encoded(image, "JPEG", quality=quality)
