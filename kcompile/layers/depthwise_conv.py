"""Owns the convolutions of each channel by itself, DepthwiseConv1D and DepthwiseConv2D, and with a mixing of the channels after,
SeparableConv1D and SeparableConv2D."""

from __future__ import annotations

from typing import Any

from .. import ops
from .base_conv import BaseWindow, positive


class BaseDepthwiseConv(BaseWindow):
    """x[N, spatial.., C] -> y[N, spatial'.., C * depth_multiplier], with a kernel [window.., C, depth_multiplier]:

        y[n, p, c * depth_multiplier + m] = activation(sum over k of x[n, p * strides + k * dilation_rate, c] * kernel[k, c, m] + bias)
    """

    _settings = ("depth_multiplier",)

    def __init__(self, rank: int, kernel_size: Any, strides: Any, padding: str, depth_multiplier: int, data_format: str | None,
                 dilation_rate: Any, activation: Any, use_bias: bool, depthwise_initializer: Any, bias_initializer: Any,
                 depthwise_regularizer: Any, bias_regularizer: Any, activity_regularizer: Any, depthwise_constraint: Any,
                 bias_constraint: Any, **kwargs: Any) -> None:
        super().__init__(rank, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, activity_regularizer,
                         {"depthwise": (depthwise_initializer, depthwise_regularizer, depthwise_constraint),
                          "bias": (bias_initializer, bias_regularizer, bias_constraint)}, **kwargs)
        self.depth_multiplier = positive("depth_multiplier", depth_multiplier)

    def build(self, input_shape: Any) -> None:
        channels = self._channels_of(input_shape)
        self.compute_output_shape(input_shape)
        self.kernel = self._weight("depthwise", (*self.kernel_size, channels, self.depth_multiplier), "kernel")
        self._build_bias(channels * self.depth_multiplier)

    def call(self, inputs: Any) -> Any:
        self.compute_output_shape(inputs.shape)
        return self._finished(ops.depthwise_conv(inputs, self.kernel, strides=self.strides, padding=self.padding,
                                                 dilation_rate=self.dilation_rate, data_format=self.data_format))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Raises ValueError when the window does not fit."""
        return self._window_shape(input_shape, input_shape[self._channel_axis] * self.depth_multiplier)


class DepthwiseConv1D(BaseDepthwiseConv):
    """x[N, steps, C] -> y[N, steps', C * depth_multiplier]. See BaseDepthwiseConv."""

    def __init__(self, kernel_size: Any, strides: Any = 1, padding: str = "valid", depth_multiplier: int = 1,
                 data_format: str | None = None, dilation_rate: Any = 1, activation: Any = None, use_bias: bool = True,
                 depthwise_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", depthwise_regularizer: Any = None,
                 bias_regularizer: Any = None, activity_regularizer: Any = None, depthwise_constraint: Any = None,
                 bias_constraint: Any = None, **kwargs: Any) -> None:
        super().__init__(1, kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate, activation, use_bias,
                         depthwise_initializer, bias_initializer, depthwise_regularizer, bias_regularizer, activity_regularizer,
                         depthwise_constraint, bias_constraint, **kwargs)


class DepthwiseConv2D(BaseDepthwiseConv):
    """x[N, height, width, C] -> y[N, height', width', C * depth_multiplier]. See BaseDepthwiseConv."""

    def __init__(self, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid", depth_multiplier: int = 1,
                 data_format: str | None = None, dilation_rate: Any = (1, 1), activation: Any = None, use_bias: bool = True,
                 depthwise_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", depthwise_regularizer: Any = None,
                 bias_regularizer: Any = None, activity_regularizer: Any = None, depthwise_constraint: Any = None,
                 bias_constraint: Any = None, **kwargs: Any) -> None:
        super().__init__(2, kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate, activation, use_bias,
                         depthwise_initializer, bias_initializer, depthwise_regularizer, bias_regularizer, activity_regularizer,
                         depthwise_constraint, bias_constraint, **kwargs)


class BaseSeparableConv(BaseWindow):
    """A depthwise convolution, then one of window 1 over all its channels: x[N, spatial.., C] -> y[N, spatial'.., filters],
    with kernels [window.., C, depth_multiplier] and [1.., C * depth_multiplier, filters]."""

    _settings = ("depth_multiplier", "filters")

    def __init__(self, rank: int, depth_multiplier: int, filters: int, kernel_size: Any, strides: Any, padding: str,
                 data_format: str | None, dilation_rate: Any, activation: Any, use_bias: bool, depthwise_initializer: Any,
                 pointwise_initializer: Any, bias_initializer: Any, depthwise_regularizer: Any, pointwise_regularizer: Any,
                 bias_regularizer: Any, activity_regularizer: Any, depthwise_constraint: Any, pointwise_constraint: Any,
                 bias_constraint: Any, **kwargs: Any) -> None:
        super().__init__(rank, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, activity_regularizer,
                         {"depthwise": (depthwise_initializer, depthwise_regularizer, depthwise_constraint),
                          "pointwise": (pointwise_initializer, pointwise_regularizer, pointwise_constraint),
                          "bias": (bias_initializer, bias_regularizer, bias_constraint)}, **kwargs)
        self.depth_multiplier = positive("depth_multiplier", depth_multiplier)
        self.filters = positive("filters", filters)

    def build(self, input_shape: Any) -> None:
        channels = self._channels_of(input_shape)
        self.compute_output_shape(input_shape)
        self.depthwise_kernel = self._weight("depthwise", (*self.kernel_size, channels, self.depth_multiplier), "depthwise_kernel")
        self.pointwise_kernel = self._weight("pointwise", (*(1,) * self.rank, channels * self.depth_multiplier, self.filters),
                                             "pointwise_kernel")
        self._build_bias(self.filters)

    def call(self, inputs: Any) -> Any:
        self.compute_output_shape(inputs.shape)
        return self._finished(ops.separable_conv(inputs, self.depthwise_kernel, self.pointwise_kernel, strides=self.strides,
                                                 padding=self.padding, dilation_rate=self.dilation_rate,
                                                 data_format=self.data_format))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Raises ValueError when the window does not fit."""
        return self._window_shape(input_shape, self.filters)


class SeparableConv1D(BaseSeparableConv):
    """x[N, steps, C] -> y[N, steps', filters]. See BaseSeparableConv."""

    def __init__(self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid", data_format: str | None = None,
                 dilation_rate: Any = 1, depth_multiplier: int = 1, activation: Any = None, use_bias: bool = True,
                 depthwise_initializer: Any = "glorot_uniform", pointwise_initializer: Any = "glorot_uniform",
                 bias_initializer: Any = "zeros", depthwise_regularizer: Any = None, pointwise_regularizer: Any = None,
                 bias_regularizer: Any = None, activity_regularizer: Any = None, depthwise_constraint: Any = None,
                 pointwise_constraint: Any = None, bias_constraint: Any = None, **kwargs: Any) -> None:
        super().__init__(1, depth_multiplier, filters, kernel_size, strides, padding, data_format, dilation_rate, activation,
                         use_bias, depthwise_initializer, pointwise_initializer, bias_initializer, depthwise_regularizer,
                         pointwise_regularizer, bias_regularizer, activity_regularizer, depthwise_constraint, pointwise_constraint,
                         bias_constraint, **kwargs)


class SeparableConv2D(BaseSeparableConv):
    """x[N, height, width, C] -> y[N, height', width', filters]. See BaseSeparableConv."""

    def __init__(self, filters: int, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid", data_format: str | None = None,
                 dilation_rate: Any = (1, 1), depth_multiplier: int = 1, activation: Any = None, use_bias: bool = True,
                 depthwise_initializer: Any = "glorot_uniform", pointwise_initializer: Any = "glorot_uniform",
                 bias_initializer: Any = "zeros", depthwise_regularizer: Any = None, pointwise_regularizer: Any = None,
                 bias_regularizer: Any = None, activity_regularizer: Any = None, depthwise_constraint: Any = None,
                 pointwise_constraint: Any = None, bias_constraint: Any = None, **kwargs: Any) -> None:
        super().__init__(2, depth_multiplier, filters, kernel_size, strides, padding, data_format, dilation_rate, activation,
                         use_bias, depthwise_initializer, pointwise_initializer, bias_initializer, depthwise_regularizer,
                         pointwise_regularizer, bias_regularizer, activity_regularizer, depthwise_constraint, pointwise_constraint,
                         bias_constraint, **kwargs)


SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D
