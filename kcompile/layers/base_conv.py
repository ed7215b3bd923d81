"""Owns what every layer with a window of weights shares: its arguments, its weights' settings, bias, activation, configuration."""

from __future__ import annotations

from typing import Any

from .. import activations, config, constraints, initializers, ops, regularizers
from .input_spec import InputSpec
from .layer import Layer
from .support import output_size, padding_name, sizes, spatial_axes, with_spatial


class BaseWindow(Layer):
    """A layer that moves a window of weights over `rank` spatial axes, adds a bias and applies an activation.

    weights: for each kind of weight ("kernel", "bias", ...) its initializer, regularizer and constraint, which become the
    attributes and the entries of the configuration KIND_initializer, KIND_regularizer and KIND_constraint.
    """

    _paddings: tuple[str, ...] = ("valid", "same")
    _settings: tuple[str, ...] = ()
    """The arguments of a subclass that its configuration has besides those of all."""

    def __init__(self, rank: int, kernel_size: Any, strides: Any, padding: str, data_format: str | None, dilation_rate: Any,
                 activation: Any, use_bias: bool, activity_regularizer: Any, weights: dict[str, tuple[Any, Any, Any]],
                 **kwargs: Any) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.rank = rank
        self.kernel_size = sizes(kernel_size, rank, "kernel_size")
        self.strides = sizes(strides, rank, "strides")
        self.dilation_rate = sizes(dilation_rate, rank, "dilation_rate")
        self.padding = padding_name(padding, self._paddings)
        self.data_format = config.standardize_data_format(data_format)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self._kinds = tuple(weights)
        for kind, (initializer, regularizer, constraint) in weights.items():
            setattr(self, f"{kind}_initializer", initializers.get(initializer))
            setattr(self, f"{kind}_regularizer", regularizers.get(regularizer))
            setattr(self, f"{kind}_constraint", constraints.get(constraint))
        self.bias: Any = None
        self.input_spec = InputSpec(min_ndim=rank + 2)

    def _refuse_strides_with_dilation(self) -> None:
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError("`strides > 1` not supported in conjunction with `dilation_rate > 1`. "
                             f"Received: strides={self.strides} and dilation_rate={self.dilation_rate}")

    @property
    def _channel_axis(self) -> int:
        return -1 if self.data_format == "channels_last" else 1

    def _channels_of(self, input_shape: Any) -> int:
        """The channels of the inputs, from now on expected of each. Raises ValueError where they are not known."""
        channels = input_shape[self._channel_axis]
        if channels is None:
            raise ValueError(f"The channel dimension of the inputs should be defined. Received input shape {tuple(input_shape)}.")
        self.input_spec = InputSpec(min_ndim=self.rank + 2, axes={self._channel_axis: channels})
        return int(channels)

    def _weight(self, kind: str, shape: tuple[int, ...], name: str | None = None) -> Any:
        return self.add_weight(name=name or kind, shape=shape, initializer=getattr(self, f"{kind}_initializer"),
                               regularizer=getattr(self, f"{kind}_regularizer"), constraint=getattr(self, f"{kind}_constraint"))

    def _build_bias(self, channels: int) -> None:
        if self.use_bias:
            self.bias = self._weight("bias", (channels,))

    def _finished(self, outputs: Any) -> Any:
        """Bias and activation."""
        if self.use_bias:
            last = self.data_format == "channels_last"
            outputs = ops.add(outputs, self.bias if last else ops.reshape(self.bias, (1, -1) + (1,) * self.rank))
        return self.activation(outputs)

    def _window_shape(self, input_shape: Any, channels: int) -> tuple[int | None, ...]:
        """The shape that a window moving over the inputs leaves. Raises ValueError when it does not fit."""
        extents = [input_shape[axis] for axis in spatial_axes(self.rank, self.data_format)]
        spatial = [output_size(extent, window, stride, self.padding, dilation) for extent, window, stride, dilation
                   in zip(extents, self.kernel_size, self.strides, self.dilation_rate, strict=True)]
        if any(extent is not None and extent <= 0 for extent in spatial):
            raise ValueError(f"Computed output size would be zero or negative. Received `inputs shape={tuple(input_shape)}`, "
                             f"`kernel_size={self.kernel_size}`, `dilation_rate={self.dilation_rate}`, `strides={self.strides}`, "
                             f"`padding={self.padding}`.")
        return with_spatial(input_shape, spatial, self.data_format, channels)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in self._settings},
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            **{f"{kind}_initializer": initializers.serialize(getattr(self, f"{kind}_initializer")) for kind in self._kinds},
            **{f"{kind}_regularizer": regularizers.serialize(getattr(self, f"{kind}_regularizer")) for kind in self._kinds},
            **{f"{kind}_constraint": constraints.serialize(getattr(self, f"{kind}_constraint")) for kind in self._kinds},
        }


def positive(name: str, value: Any) -> int:
    """A number of filters, or of filters a channel. Raises ValueError."""
    if value is None or value <= 0:
        raise ValueError(f"Invalid value for argument `{name}`. Expected a strictly positive value. Received {name}={value}.")
    return int(value)
