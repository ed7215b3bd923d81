"""Owns pooling over windows and over whole images."""

from __future__ import annotations

from typing import Any

from .. import config, ops
from .input_spec import InputSpec
from .layer import Layer
from .support import output_size, padding_name, sizes, spatial_axes, with_spatial


class BasePooling(Layer):
    """Windows of `pool_size` every `strides` (default: pool_size), each reduced to its maximum or mean.

    x[N, spatial.., C] -> y[N, spatial'.., C]. With padding "same" the mean counts only what lies inside the image.
    """

    _mode: str

    def __init__(self, rank: int, pool_size: Any, strides: Any, padding: str, data_format: str | None, name: str | None,
                 **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.rank = rank
        self.pool_size = sizes(pool_size, rank, "pool_size")
        self.strides = self.pool_size if strides is None else sizes(strides, rank, "strides")
        self.padding = padding_name(padding)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=rank + 2)
        self._build_at_init()

    def call(self, inputs: Any) -> Any:
        self.compute_output_shape(inputs.shape)
        pool = ops.max_pool if self._mode == "max" else ops.average_pool
        return pool(inputs, pool_size=self.pool_size, strides=self.strides, padding=self.padding, data_format=self.data_format)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Raises ValueError when the window does not fit."""
        extents = [input_shape[axis] for axis in spatial_axes(self.rank, self.data_format)]
        spatial = [output_size(extent, window, stride, self.padding)
                   for extent, window, stride in zip(extents, self.pool_size, self.strides, strict=True)]
        if any(extent is not None and extent <= 0 for extent in spatial):
            raise ValueError(f"Computed output size would be zero or negative. Received `inputs shape={tuple(input_shape)}`, "
                             f"`pool_size={self.pool_size}`, `strides={self.strides}`, `padding={self.padding}`.")
        return with_spatial(input_shape, spatial, self.data_format)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pool_size": self.pool_size, "padding": self.padding, "strides": self.strides,
                "data_format": self.data_format}


class MaxPooling1D(BasePooling):
    """The largest of each window of steps."""

    _mode = "max"

    def __init__(self, pool_size: Any = 2, strides: Any = None, padding: str = "valid", data_format: str | None = None,
                 name: str | None = None, **kwargs: Any) -> None:
        super().__init__(1, pool_size, strides, padding, data_format, name, **kwargs)


class MaxPooling2D(BasePooling):
    """The largest of each window of pixels."""

    _mode = "max"

    def __init__(self, pool_size: Any = (2, 2), strides: Any = None, padding: str = "valid", data_format: str | None = None,
                 name: str | None = None, **kwargs: Any) -> None:
        super().__init__(2, pool_size, strides, padding, data_format, name, **kwargs)


class MaxPooling3D(BasePooling):
    """The largest of each window of voxels."""

    _mode = "max"

    def __init__(self, pool_size: Any = (2, 2, 2), strides: Any = None, padding: str = "valid", data_format: str | None = None,
                 name: str | None = None, **kwargs: Any) -> None:
        super().__init__(3, pool_size, strides, padding, data_format, name, **kwargs)


class AveragePooling1D(BasePooling):
    """The mean of each window of steps."""

    _mode = "average"

    def __init__(self, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None,
                 name: str | None = None, **kwargs: Any) -> None:
        super().__init__(1, pool_size, strides, padding, data_format, name, **kwargs)


class AveragePooling2D(BasePooling):
    """The mean of each window of pixels."""

    _mode = "average"

    def __init__(self, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None,
                 name: str | None = None, **kwargs: Any) -> None:
        super().__init__(2, pool_size, strides, padding, data_format, name, **kwargs)


class AveragePooling3D(BasePooling):
    """The mean of each window of voxels."""

    _mode = "average"

    def __init__(self, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None,
                 name: str | None = None, **kwargs: Any) -> None:
        super().__init__(3, pool_size, strides, padding, data_format, name, **kwargs)


class BaseGlobalPooling(Layer):
    """One reduction over all spatial axes: x[N, spatial.., C] -> y[N, C] (keepdims: spatial axes of extent 1 stay)."""

    def __init__(self, rank: int, data_format: str | None, keepdims: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rank = rank
        self.data_format = config.standardize_data_format(data_format)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=rank + 2)
        self._build_at_init()

    @property
    def _axes(self) -> tuple[int, ...]:
        return spatial_axes(self.rank, self.data_format)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        if self.keepdims:
            return with_spatial(input_shape, (1,) * self.rank, self.data_format)
        return (input_shape[0], input_shape[-1] if self.data_format == "channels_last" else input_shape[1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format, "keepdims": self.keepdims}


class GlobalMaxPooling1D(BaseGlobalPooling):
    """The largest over all steps."""

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(1, data_format, keepdims, **kwargs)

    def call(self, inputs: Any) -> Any:
        return ops.max(inputs, axis=self._axes, keepdims=self.keepdims)


class GlobalMaxPooling2D(BaseGlobalPooling):
    """The largest over all pixels."""

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(2, data_format, keepdims, **kwargs)

    def call(self, inputs: Any) -> Any:
        return ops.max(inputs, axis=self._axes, keepdims=self.keepdims)


class GlobalMaxPooling3D(BaseGlobalPooling):
    """The largest over all voxels."""

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(3, data_format, keepdims, **kwargs)

    def call(self, inputs: Any) -> Any:
        return ops.max(inputs, axis=self._axes, keepdims=self.keepdims)


class GlobalAveragePooling1D(BaseGlobalPooling):
    """The mean over all steps, or over those that `mask[N, steps]` lets through."""

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(1, data_format, keepdims, **kwargs)
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return ops.mean(inputs, axis=self._axes, keepdims=self.keepdims)
        weights = ops.expand_dims(ops.cast(mask, inputs.dtype), 2 if self.data_format == "channels_last" else 1)
        total = ops.sum(inputs * weights, axis=self._axes, keepdims=self.keepdims)
        return total / ops.sum(weights, axis=self._axes, keepdims=self.keepdims)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        return None


class GlobalAveragePooling2D(BaseGlobalPooling):
    """The mean over all pixels."""

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(2, data_format, keepdims, **kwargs)

    def call(self, inputs: Any) -> Any:
        return ops.mean(inputs, axis=self._axes, keepdims=self.keepdims)


class GlobalAveragePooling3D(BaseGlobalPooling):
    """The mean over all voxels."""

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(3, data_format, keepdims, **kwargs)

    def call(self, inputs: Any) -> Any:
        return ops.mean(inputs, axis=self._axes, keepdims=self.keepdims)


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
GlobalAvgPool1D, GlobalAvgPool2D, GlobalAvgPool3D = GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D
