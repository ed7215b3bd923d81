"""Owns the convolutions Conv1D, Conv2D and Conv3D: y = activation(x * kernel + bias)."""

from __future__ import annotations

from typing import Any

from .. import ops
from .base_conv import BaseWindow, positive


class BaseConv(BaseWindow):
    """What the convolutions of any rank share.

    x[N, spatial.., C] (or [N, C, spatial..]) -> y[N, spatial'.., filters], with a kernel [window.., C / groups, filters]:

        y[n, p, f] = activation(sum over k, c of x[n, p * strides + k * dilation_rate, c] * kernel[k, c, f] + bias[f])

    "same" pads with zeros so that spatial' = ceil(spatial / strides), "causal" (rank 1) pads before only.
    """

    _settings = ("filters", "groups")

    def __init__(self, rank: int, filters: int, kernel_size: Any, strides: Any, padding: str, data_format: str | None,
                 dilation_rate: Any, groups: int, activation: Any, use_bias: bool, kernel_initializer: Any, bias_initializer: Any,
                 kernel_regularizer: Any, bias_regularizer: Any, activity_regularizer: Any, kernel_constraint: Any,
                 bias_constraint: Any, **kwargs: Any) -> None:
        super().__init__(rank, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, activity_regularizer,
                         {"kernel": (kernel_initializer, kernel_regularizer, kernel_constraint),
                          "bias": (bias_initializer, bias_regularizer, bias_constraint)}, **kwargs)
        self.filters, self.groups = positive("filters", filters), groups
        if groups is None or groups <= 0:
            raise ValueError(f"The number of groups must be a positive integer. Received: groups={groups}.")
        if filters % groups:
            raise ValueError("The number of filters must be evenly divisible by the number of groups. "
                             f"Received: groups={groups}, filters={filters}.")
        self._refuse_strides_with_dilation()
        if self.padding == "causal" and self.data_format != "channels_last":
            raise ValueError("Causal padding is only supported with `data_format='channels_last'`.")

    def build(self, input_shape: Any) -> None:
        channels = self._channels_of(input_shape)
        if channels % self.groups:
            raise ValueError("The number of input channels must be evenly divisible by the number of groups. "
                             f"Received groups={self.groups}, but the input has {channels} channels "
                             f"(full input shape is {tuple(input_shape)}).")
        self.kernel = self._weight("kernel", (*self.kernel_size, channels // self.groups, self.filters))
        self._build_bias(self.filters)

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """The convolution alone, without bias and activation."""
        return ops.conv(inputs, kernel, strides=self.strides, padding=self.padding, dilation_rate=self.dilation_rate,
                        data_format=self.data_format)

    def call(self, inputs: Any) -> Any:
        self.compute_output_shape(inputs.shape)
        return self._finished(self.convolution_op(inputs, self.kernel))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Raises ValueError when the window does not fit."""
        return self._window_shape(input_shape, self.filters)


class Conv1D(BaseConv):
    """x[N, steps, C] -> y[N, steps', filters]; `padding="causal"`: y[t] depends on x[:t + 1] only. See BaseConv."""

    _paddings = ("valid", "same", "causal")

    def __init__(self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid", data_format: str | None = None,
                 dilation_rate: Any = 1, groups: int = 1, activation: Any = None, use_bias: bool = True,
                 kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
                 bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None,
                 bias_constraint: Any = None, **kwargs: Any) -> None:
        super().__init__(1, filters, kernel_size, strides, padding, data_format, dilation_rate, groups, activation, use_bias,
                         kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
                         kernel_constraint, bias_constraint, **kwargs)

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        if self.padding != "causal":
            return super().convolution_op(inputs, kernel)
        before = self.dilation_rate[0] * (self.kernel_size[0] - 1)
        padded = ops.pad(inputs, ((0, 0), (before, 0), (0, 0)))
        return ops.conv(padded, kernel, strides=self.strides, padding="valid", dilation_rate=self.dilation_rate,
                        data_format=self.data_format)


class Conv2D(BaseConv):
    """x[N, height, width, C] -> y[N, height', width', filters]. See BaseConv."""

    def __init__(self, filters: int, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid", data_format: str | None = None,
                 dilation_rate: Any = (1, 1), groups: int = 1, activation: Any = None, use_bias: bool = True,
                 kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
                 bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None,
                 bias_constraint: Any = None, **kwargs: Any) -> None:
        super().__init__(2, filters, kernel_size, strides, padding, data_format, dilation_rate, groups, activation, use_bias,
                         kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
                         kernel_constraint, bias_constraint, **kwargs)


class Conv3D(BaseConv):
    """x[N, depth, height, width, C] -> y[N, depth', height', width', filters]. See BaseConv."""

    def __init__(self, filters: int, kernel_size: Any, strides: Any = (1, 1, 1), padding: str = "valid",
                 data_format: str | None = None, dilation_rate: Any = (1, 1, 1), groups: int = 1, activation: Any = None,
                 use_bias: bool = True, kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
                 kernel_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
                 kernel_constraint: Any = None, bias_constraint: Any = None, **kwargs: Any) -> None:
        super().__init__(3, filters, kernel_size, strides, padding, data_format, dilation_rate, groups, activation, use_bias,
                         kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
                         kernel_constraint, bias_constraint, **kwargs)


Convolution1D = Conv1D
Convolution2D = Conv2D
Convolution3D = Conv3D
