"""Owns the transposed convolutions Conv1DTranspose, Conv2DTranspose and Conv3DTranspose."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..ops.convolution import transposed_size
from .base_conv import BaseWindow, positive
from .support import sizes, spatial_axes, with_spatial


class BaseConvTranspose(BaseWindow):
    """What the transposed convolutions of any rank share.

    x[N, spatial.., C] -> y[N, spatial'.., filters], with a kernel [window.., filters, C]: the adjoint of the convolution which,
    with these strides and this padding, makes spatial of spatial'. Each element of x adds the kernel, times itself, to y. With
    reach = (kernel_size - 1) * dilation_rate + 1:

        valid               spatial' = (spatial - 1) * strides + max(reach, strides)
        same                spatial' = spatial * strides
        output_padding=p    (spatial - 1) * strides + reach + p; for "same" with reach % 2 instead of reach
    """

    _settings = ("filters", "output_padding")

    def __init__(self, rank: int, filters: int, kernel_size: Any, strides: Any, padding: str, output_padding: Any,
                 data_format: str | None, dilation_rate: Any, activation: Any, use_bias: bool, kernel_initializer: Any,
                 bias_initializer: Any, kernel_regularizer: Any, bias_regularizer: Any, activity_regularizer: Any,
                 kernel_constraint: Any, bias_constraint: Any, **kwargs: Any) -> None:
        super().__init__(rank, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, activity_regularizer,
                         {"kernel": (kernel_initializer, kernel_regularizer, kernel_constraint),
                          "bias": (bias_initializer, bias_regularizer, bias_constraint)}, **kwargs)
        self.filters = positive("filters", filters)
        self.output_padding = None if output_padding is None else sizes(output_padding, rank, "output_padding", least=0)
        for axis, (extra, stride) in enumerate(zip(self.output_padding or (), self.strides, strict=self.output_padding is not None)):
            if extra >= stride:
                raise ValueError("`output_padding` must be strictly less than `strides` for all dimensions. At dimension "
                                 f"{axis}, `output_padding` is {extra} but `strides` is {stride}. "
                                 f"Received: output_padding={self.output_padding}, strides={self.strides}")
        self._refuse_strides_with_dilation()

    def build(self, input_shape: Any) -> None:
        channels = self._channels_of(input_shape)
        self.kernel = self._weight("kernel", (*self.kernel_size, self.filters, channels))
        self._build_bias(self.filters)

    def call(self, inputs: Any) -> Any:
        self.compute_output_shape(inputs.shape)
        return self._finished(ops.conv_transpose(inputs, self.kernel, strides=self.strides, padding=self.padding,
                                                 output_padding=self.output_padding, dilation_rate=self.dilation_rate,
                                                 data_format=self.data_format))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Raises ValueError when nothing would be left."""
        extras = self.output_padding or (None,) * self.rank
        spatial = [None if (extent := input_shape[axis]) is None
                   else transposed_size(extent, (window - 1) * dilation + 1, stride, self.padding, extra)
                   for axis, window, stride, dilation, extra in zip(spatial_axes(self.rank, self.data_format), self.kernel_size,
                                                                    self.strides, self.dilation_rate, extras, strict=True)]
        if any(extent is not None and extent <= 0 for extent in spatial):
            raise ValueError(f"Computed output size would be zero or negative. Received `inputs shape={tuple(input_shape)}`, "
                             f"`kernel_size={self.kernel_size}`, `strides={self.strides}`, `padding={self.padding}`, "
                             f"`output_padding={self.output_padding}`.")
        return with_spatial(input_shape, spatial, self.data_format, self.filters)


class Conv1DTranspose(BaseConvTranspose):
    """x[N, steps, C] -> y[N, steps', filters]. See BaseConvTranspose."""

    def __init__(self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid", output_padding: Any = None,
                 data_format: str | None = None, dilation_rate: Any = 1, activation: Any = None, use_bias: bool = True,
                 kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
                 bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None,
                 bias_constraint: Any = None, **kwargs: Any) -> None:
        super().__init__(1, filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, activation, use_bias,
                         kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
                         kernel_constraint, bias_constraint, **kwargs)


class Conv2DTranspose(BaseConvTranspose):
    """x[N, height, width, C] -> y[N, height', width', filters]. See BaseConvTranspose."""

    def __init__(self, filters: int, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid", output_padding: Any = None,
                 data_format: str | None = None, dilation_rate: Any = (1, 1), activation: Any = None, use_bias: bool = True,
                 kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
                 bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None,
                 bias_constraint: Any = None, **kwargs: Any) -> None:
        super().__init__(2, filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, activation, use_bias,
                         kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
                         kernel_constraint, bias_constraint, **kwargs)


class Conv3DTranspose(BaseConvTranspose):
    """x[N, depth, height, width, C] -> y[N, depth', height', width', filters]. See BaseConvTranspose."""

    def __init__(self, filters: int, kernel_size: Any, strides: Any = (1, 1, 1), padding: str = "valid",
                 data_format: str | None = None, output_padding: Any = None, dilation_rate: Any = (1, 1, 1), activation: Any = None,
                 use_bias: bool = True, kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
                 kernel_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
                 kernel_constraint: Any = None, bias_constraint: Any = None, **kwargs: Any) -> None:
        super().__init__(3, filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, activation, use_bias,
                         kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
                         kernel_constraint, bias_constraint, **kwargs)


Convolution1DTranspose = Conv1DTranspose
Convolution2DTranspose = Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
