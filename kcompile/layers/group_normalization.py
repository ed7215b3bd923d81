"""Owns normalizations within each sample besides LayerNormalization: by groups of channels, by root mean square, to unit length."""

from __future__ import annotations

from typing import Any

from .. import constraints, initializers, ops, regularizers
from ..dtypes import result_type
from .input_spec import InputSpec
from .layer import Layer


def _check_axes(axes: Any, input_shape: Any, given: Any) -> None:
    for axis in [axes] if isinstance(axes, int) else axes:
        if not -len(input_shape) <= axis < len(input_shape):
            raise ValueError(f"Axis {axis} is out of bounds for input shape {tuple(input_shape)}. Received: axis={given}")


class GroupNormalization(Layer):
    """Normalizes each sample over all other axes together with groups of channels.

    y = (x - mean) / sqrt(variance + epsilon) * gamma + beta
    groups: how many groups the channels (`axis`) are divided into; -1: as many as channels. gamma and beta have one number a channel.
    float16 inputs are normalized in float32. Raises ValueError where the channels cannot be divided so.
    """

    def __init__(self, groups: int = 32, axis: int = -1, epsilon: float = 0.001, center: bool = True, scale: bool = True,
                 beta_initializer: Any = "zeros", gamma_initializer: Any = "ones", beta_regularizer: Any = None,
                 gamma_regularizer: Any = None, beta_constraint: Any = None, gamma_constraint: Any = None, **kwargs: Any) -> None:
        if not isinstance(groups, int) or (groups <= 0 and groups != -1):
            raise ValueError("Received an invalid value for argument `groups`, expected a positive integer (or `-1` for instance "
                             f"normalization). Received: groups={groups}")
        super().__init__(**kwargs)
        self.supports_masking = True
        self.autocast = False
        self.groups, self.axis, self.epsilon, self.center, self.scale = groups, axis, epsilon, center, scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Any = None
        self.beta: Any = None

    def build(self, input_shape: Any) -> None:
        _check_axes(self.axis, input_shape, self.axis)
        channels = input_shape[self.axis]
        if channels is None:
            raise ValueError(f"Axis {self.axis} of input tensor should have a defined dimension but the layer received an input with shape "
                             f"{tuple(input_shape)}.")
        if self.groups == -1:
            self.groups = channels
        if channels < self.groups:
            raise ValueError(f"Number of groups ({self.groups}) cannot be more than the number of channels ({channels}).")
        if channels % self.groups:
            raise ValueError(f"The number of channels ({channels}) must be a multiple of the number of groups ({self.groups}).")
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})
        if self.scale:
            self.gamma = self.add_weight(name="gamma", shape=(channels,), initializer=self.gamma_initializer,
                                         regularizer=self.gamma_regularizer, constraint=self.gamma_constraint, autocast=False)
        if self.center:
            self.beta = self.add_weight(name="beta", shape=(channels,), initializer=self.beta_initializer,
                                        regularizer=self.beta_regularizer, constraint=self.beta_constraint, autocast=False)

    def call(self, inputs: Any) -> Any:
        dtype = result_type(inputs.dtype, "float32")
        rank, place = len(inputs.shape), self.axis % len(inputs.shape)
        shape = ops.shape(inputs)
        parts = (self.groups, inputs.shape[place] // self.groups)
        x = ops.reshape(ops.cast(inputs, dtype), (*shape[:place], *parts, *shape[place + 1:]))
        axes = tuple(axis for axis in range(1, rank + 1) if axis != place)
        mean = ops.mean(x, axis=axes, keepdims=True)
        variance = ops.mean(ops.square(x - ops.stop_gradient(mean)), axis=axes, keepdims=True)
        along = tuple(parts[axis - place] if axis in (place, place + 1) else 1 for axis in range(rank + 1))
        factor = ops.rsqrt(variance + self.epsilon)
        if self.gamma is not None:
            factor = factor * ops.reshape(ops.cast(self.gamma, dtype), along)
        shift = -mean * factor
        if self.beta is not None:
            shift = shift + ops.reshape(ops.cast(self.beta, dtype), along)
        return ops.cast(ops.reshape(x * factor + shift, shape), self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        _check_axes(self.axis, input_shape, self.axis)
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "groups": self.groups,
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
            "beta_constraint": constraints.serialize(self.beta_constraint),
            "gamma_constraint": constraints.serialize(self.gamma_constraint),
        }


class RMSNormalization(Layer):
    """y = x / sqrt(mean(x**2) + epsilon) * scale over `axis`, one or several, with a scale of those axes' sizes."""

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis, self.epsilon = axis, epsilon

    def build(self, input_shape: Any) -> None:
        self.axis = sorted(self.axis) if isinstance(self.axis, (list, tuple)) else [self.axis]
        _check_axes(self.axis, input_shape, self.axis)
        self.scale = self.add_weight(name="scale", shape=tuple(input_shape[axis] for axis in self.axis), initializer="ones")

    def call(self, x: Any) -> Any:
        return ops.rms_normalization(x, scale=self.scale, axis=self.axis, epsilon=self.epsilon)

    def compute_output_shape(self, input_shape: Any) -> Any:
        _check_axes(self.axis, input_shape, self.axis)
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}


class UnitNormalization(Layer):
    """Each sample divided by its Euclidean norm along `axis`, one or several."""

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axis, (int, list, tuple)):
            raise TypeError(f"Invalid value for `axis` argument: expected an int or a list/tuple of ints. Received: axis={axis}")
        self.axis = axis if isinstance(axis, int) else list(axis)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Any) -> Any:
        return ops.normalize(inputs, axis=self.axis, order=2, epsilon=1e-12)

    def compute_output_shape(self, input_shape: Any) -> Any:
        _check_axes(self.axis, input_shape, self.axis)
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
