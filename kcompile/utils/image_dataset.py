"""image_dataset_from_directory: image files in folders, one for each class, as a data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..config import standardize_data_format
from .directories import DirectoryOptions, Samples, check_batch_size, label_array
from .images import COLOR_MODES, in_mode, opened, pillow
from .images import image_size as checked_size
from .resizing import METHODS, resize, resize_cropped, resize_padded

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")  # whatever the ending; no others, since Pillow runs programs for some


def image_dataset_from_directory(directory: Any, labels: Any = "inferred", label_mode: str | None = "int",
                                 class_names: Sequence[str] | None = None, color_mode: str = "rgb", batch_size: int | None = 32,
                                 image_size: Any = (256, 256), shuffle: bool = True, seed: int | None = None,
                                 validation_split: float | None = None, subset: str | None = None, interpolation: str = "bilinear",
                                 follow_links: bool = False, crop_to_aspect_ratio: bool = False, pad_to_aspect_ratio: bool = False,
                                 data_format: str | None = None, format: str = "tf", verbose: bool = True) -> Any:
    """A `data.Dataset` of the images in `directory`, read when they are wanted; [train, validation] for subset="both".

    Elements are images float32 [batch, height, width, channels] in 0 ... 255 (uint8 for interpolation="nearest"), or (images, labels).
    labels: "inferred" from the subdirectories' names (their classes in alphanumeric order, or in that of class_names), None, or a list
    of numbers in the order of the paths. label_mode: "int" (int32 [batch]), "categorical" (float32 [batch, classes]), "binary" (float32
    [batch, 1]) or None. color_mode: "rgb", "rgba" or "grayscale". shuffle: by `seed`, and anew for each pass; else by path. Images of
    another shape are stretched to image_size, or cut (crop_to_aspect_ratio) or set in black (pad_to_aspect_ratio). The data set has
    `class_names` and `file_paths`. format: "tf" alone.

    Raises ImportError without Pillow, NotADirectoryError, ValueError and TypeError that name the argument; while it is gone through,
    OSError that names a file that is no image.
    """
    options = DirectoryOptions(directory, labels, label_mode, class_names, shuffle, seed, validation_split, subset, follow_links, verbose,
                               "images", ENDINGS)
    reader = _ImageOptions(color_mode, checked_size(image_size, "image_size"), interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio,
                           standardize_data_format(data_format))
    check_batch_size(batch_size)
    check_format(format)
    seed = int(np.random.randint(1_000_000)) if seed is None else seed
    made = [_dataset(part, reader, label_mode, batch_size, shuffle and not (subset == "both" and number), seed)
            for number, part in enumerate(options.parts(options.samples(seed)))]
    return made if subset == "both" else made[0]


def check_format(format: str) -> None:
    """Raises ValueError unless it is "tf"."""
    if format != "tf":
        raise ValueError(f"`format` must be 'tf' (a kcompile.data.Dataset); kcompile has no other, received format={format!r}")


class _ImageOptions:
    """How one file becomes an array. Raises ValueError for arguments that are none."""

    def __init__(self, color_mode: str, size: tuple[int, int], interpolation: str, crop: bool, pad: bool, data_format: str) -> None:
        self.pillow = pillow("image_dataset_from_directory")
        if color_mode not in COLOR_MODES:
            raise ValueError(f"`color_mode` must be 'rgb', 'rgba' or 'grayscale', received color_mode={color_mode!r}")
        if not isinstance(interpolation, str) or interpolation.lower() not in METHODS:
            raise ValueError(f"`interpolation` must be one of {', '.join(METHODS)}; received interpolation={interpolation!r}")
        if crop and pad:
            raise ValueError("only one of `crop_to_aspect_ratio` and `pad_to_aspect_ratio` can be True")
        self.color_mode, self.size, self.method = color_mode, size, interpolation.lower()
        self.fit = resize_cropped if crop else resize_padded if pad else resize
        self.first = data_format == "channels_first"
        channels = COLOR_MODES[color_mode]
        self.shape = (channels, *size) if self.first else (*size, channels)
        self.dtype = "uint8" if self.method == "nearest" else "float32"

    def read(self, path: str) -> Any:
        """One file as an array of this shape and dtype."""
        image = opened(self.pillow, path, FORMATS)
        if image.mode.startswith("I"):  # 16 bits of grey, of which Pillow would cut off the upper ones
            image = self.pillow.fromarray((np.asarray(image, np.uint32) >> 8).astype(np.uint8))
        pixels = np.asarray(in_mode(image, self.color_mode))
        if pixels.ndim == 2:
            pixels = pixels[:, :, None]
        resized = self.fit(pixels, self.size, self.method)
        return resized.transpose(2, 0, 1) if self.first else resized


def _dataset(samples: Samples, reader: _ImageOptions, label_mode: str | None, batch_size: int | None, shuffle: bool, seed: int) -> Any:
    from ..data import TensorSpec
    from .loading import FileReader, samples_dataset

    labels = None if samples.labels is None else label_array(samples.labels, label_mode, len(samples.class_names or ()))
    made: Any = samples_dataset(FileReader(samples.paths, reader.read), TensorSpec(reader.shape, reader.dtype), len(samples.paths), labels,
                                batch_size, shuffle, seed)
    made.class_names, made.file_paths = samples.class_names, samples.paths
    return made
