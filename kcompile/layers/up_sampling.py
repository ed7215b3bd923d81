"""Owns layers that make images larger, or another size: UpSampling, Resizing, CenterCrop."""

from __future__ import annotations

import math
from typing import Any

from .. import config, ops
from ..utils.resampling import resize_axis
from .input_spec import InputSpec
from .layer import Layer
from .support import sizes, spatial_axes

INTERPOLATIONS = ("bilinear", "nearest", "lanczos3", "lanczos5", "bicubic", "area")


class BaseUpSampling(Layer):
    """Each element of a spatial axis several times."""

    size: tuple[int, ...]
    data_format: str

    def call(self, inputs: Any) -> Any:
        for axis, times in zip(spatial_axes(len(self.size), self.data_format), self.size, strict=True):
            inputs = ops.repeat(inputs, times, axis=axis)
        return inputs

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        shape = list(input_shape)
        for axis, times in zip(spatial_axes(len(self.size), self.data_format), self.size, strict=True):
            shape[axis] = None if shape[axis] is None else shape[axis] * times
        return tuple(shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "data_format": self.data_format}


class UpSampling1D(BaseUpSampling):
    """Each step `size` times: x[N, steps, C] -> y[N, steps * size, C]."""

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size, self.data_format = (int(size),), "channels_last"
        self.input_spec = InputSpec(ndim=3)

    def get_config(self) -> dict[str, Any]:
        return {**Layer.get_config(self), "size": self.size[0]}


class UpSampling2D(BaseUpSampling):
    """Images `size` times as large: rows and columns repeated ("nearest"), or resampled by the weights of another interpolation.

    Raises ValueError for an unknown interpolation.
    """

    def __init__(self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = sizes(size, 2, "size")
        self.data_format = config.standardize_data_format(data_format)
        self.interpolation = _interpolation(interpolation)
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs: Any) -> Any:
        if self.interpolation == "nearest":
            return super().call(inputs)
        for axis, times in zip(spatial_axes(2, self.data_format), self.size, strict=True):
            if self.interpolation == "bilinear":
                inputs = _between(inputs, axis, times)
            elif times > 1:
                inputs = resize_axis(inputs, axis, _known(inputs, axis) * times, self.interpolation)
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "interpolation": self.interpolation}


class UpSampling3D(BaseUpSampling):
    """Each plane, row and column `size` times: x[N, D, H, W, C]."""

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = sizes(size, 3, "size")
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=5)


def _interpolation(value: Any) -> str:
    name = str(value).lower()
    if name not in INTERPOLATIONS:
        raise ValueError(f"Invalid value for argument `interpolation`. Expected of one {INTERPOLATIONS}. Received: interpolation={value}")
    return name


def _known(inputs: Any, axis: int) -> int:
    size = inputs.shape[axis]
    if not isinstance(size, int):
        raise ValueError(f"images of unknown size cannot be resampled: the input has shape {tuple(inputs.shape)}, and size {axis} must be "
                         "known")
    return size


def _between(x: Any, axis: int, times: int) -> Any:
    """Linear interpolation to `times` as many: of two neighbours each, whose shares repeat; at the edges they are one and the same."""
    if times == 1:
        return x

    def part(start: int | None, stop: int | None) -> Any:
        index = [slice(None)] * len(x.shape)
        index[axis] = slice(start, stop)
        return tuple(index)

    wide = ops.concatenate([x[part(None, 1)], x, x[part(-1, None)]], axis=axis)
    phases = []
    for phase in range(times):
        place = (phase + 0.5) / times - 0.5
        first = 0 if place < 0 else 1  # of the two neighbours, in `wide`
        share = place - math.floor(place)
        low, high = wide[part(first, first - 2)], wide[part(first + 1, first - 1 or None)]
        phases.append(low + (high - low) * share if share else low)
    shape = ops.shape(x)
    return ops.reshape(ops.stack(phases, axis=axis + 1), (*shape[:axis], shape[axis] * times, *shape[axis + 1:]))


class BaseResizing(Layer):
    """Images [N, H, W, C], or one image [H, W, C], to `height` and `width`."""

    height: int
    width: int
    data_format: str

    def _axes(self, rank: int) -> tuple[int, int]:
        if rank not in (3, 4):
            raise ValueError(f"Invalid images rank: expected rank 3 (single image) or rank 4 (batch of images), received rank {rank}")
        first = rank - 3 if self.data_format == "channels_last" else rank - 2
        return first, first + 1

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        shape = list(input_shape)
        for axis, size in zip(self._axes(len(shape)), (self.height, self.width), strict=True):
            shape[axis] = size
        return tuple(shape)

    def _resized(self, images: Any, interpolation: str, antialias: bool = False) -> Any:
        for axis, size in zip(self._axes(len(images.shape)), (self.height, self.width), strict=True):
            if images.shape[axis] != size:
                images = resize_axis(images, axis, size, interpolation, antialias)
        return images

    def _middle(self, images: Any, box: tuple[int, int]) -> Any:
        """The part of this height and width in the middle."""
        index = [slice(None)] * len(images.shape)
        for axis, size in zip(self._axes(len(images.shape)), box, strict=True):
            start = (_known(images, axis) - size) // 2
            index[axis] = slice(start, start + size)
        return images[tuple(index)]

    def _widest(self, images: Any) -> tuple[int, int]:
        """Height and width of the largest part that has the aspect ratio wanted."""
        height, width = (_known(images, axis) for axis in self._axes(len(images.shape)))
        return (max(min(height, int(float(width * self.height) / self.width)), 1),
                max(min(width, int(float(height * self.width) / self.height)), 1))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "height": self.height, "width": self.width, "data_format": self.data_format}


class Resizing(BaseResizing):
    """Images resampled to another size. Integer images stay integers, rounded.

    crop_to_aspect_ratio: of the middle of the image as much as has the aspect ratio wanted; pad_to_aspect_ratio: the whole image, with
    fill_value around. antialias: wider weights where images become smaller. Raises ValueError for wrong arguments.
    """

    def __init__(self, height: int, width: int, interpolation: str = "bilinear", crop_to_aspect_ratio: bool = False,
                 pad_to_aspect_ratio: bool = False, fill_mode: str = "constant", fill_value: float = 0.0, antialias: bool = False,
                 data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if fill_mode != "constant":
            raise ValueError("Invalid value for argument `fill_mode`. Only `'constant'` is supported. "
                             f"Received: fill_mode={fill_mode}")
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError("Only one of `pad_to_aspect_ratio` & `crop_to_aspect_ratio` can be `True`.")
        self.height, self.width = height, width
        self.interpolation = _interpolation(interpolation)
        self.crop_to_aspect_ratio, self.pad_to_aspect_ratio = crop_to_aspect_ratio, pad_to_aspect_ratio
        self.fill_mode, self.fill_value, self.antialias = fill_mode, fill_value, bool(antialias)
        self.data_format = config.standardize_data_format(data_format)
        self._build_at_init()

    def call(self, inputs: Any) -> Any:
        images = inputs
        if self.crop_to_aspect_ratio:
            images = self._middle(images, self._widest(images))
        elif self.pad_to_aspect_ratio:
            images = self._padded(images)
        images = self._resized(images, self.interpolation, self.antialias)
        if inputs.dtype.is_floating:
            return images
        if images.dtype.is_floating:
            images = ops.clip(ops.round(images), float(inputs.dtype.min), float(inputs.dtype.max))
        return ops.cast(images, inputs.dtype)

    def _padded(self, images: Any) -> Any:
        axes = self._axes(len(images.shape))
        height, width = (_known(images, axis) for axis in axes)
        wanted = (max(height, int(float(width * self.height) / self.width)), max(width, int(float(height * self.width) / self.height)))
        widths = [(0, 0)] * len(images.shape)
        for axis, have, want in zip(axes, (height, width), wanted, strict=True):
            widths[axis] = ((want - have) // 2,) * 2
        return ops.pad(images, tuple(widths), constant_values=self.fill_value)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "interpolation": self.interpolation, "crop_to_aspect_ratio": self.crop_to_aspect_ratio,
                "pad_to_aspect_ratio": self.pad_to_aspect_ratio, "fill_mode": self.fill_mode, "fill_value": self.fill_value,
                "antialias": self.antialias}


class CenterCrop(BaseResizing):
    """The middle of images; of images that are too small, as much as has the aspect ratio wanted, resized (bilinear)."""

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height, self.width = height, width
        self.data_format = config.standardize_data_format(data_format)
        self._build_at_init()

    def call(self, inputs: Any) -> Any:
        images = ops.cast(inputs, self.compute_dtype)
        if all(_known(images, axis) >= size
               for axis, size in zip(self._axes(len(images.shape)), (self.height, self.width), strict=True)):
            return self._middle(images, (self.height, self.width))
        return self._resized(self._middle(images, self._widest(images)), "bilinear")
