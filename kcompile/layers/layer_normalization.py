"""Owns LayerNormalization: y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, over axes of each sample."""

from __future__ import annotations

from typing import Any

from .. import constraints, initializers, ops, regularizers
from ..dtypes import result_type
from .layer import Layer


class LayerNormalization(Layer):
    """Normalizes each sample over `axis` (one or several), with gamma and beta of those axes' sizes.

    rms_scaling=True: y = x / sqrt(variance + epsilon) * gamma, without subtracting the mean. float16 inputs are normalized in float32.
    """

    def __init__(self, axis: Any = -1, epsilon: float = 0.001, center: bool = True, scale: bool = True,
                 beta_initializer: Any = "zeros", gamma_initializer: Any = "ones", beta_regularizer: Any = None,
                 gamma_regularizer: Any = None, beta_constraint: Any = None, gamma_constraint: Any = None, **kwargs: Any) -> None:
        self.rms_scaling = kwargs.pop("rms_scaling", False)
        super().__init__(**kwargs)
        if isinstance(axis, (list, tuple)):
            self.axis: Any = list(axis)
        elif isinstance(axis, int):
            self.axis = axis
        else:
            raise TypeError(f"Expected an int or a list/tuple of ints for the argument 'axis', but received {axis!r} instead.")
        self.epsilon, self.center, self.scale = epsilon, center, scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Any = None
        self.beta: Any = None
        self.supports_masking = True

    def _axes(self, rank: int) -> tuple[int, ...]:
        axes = self.axis if isinstance(self.axis, list) else [self.axis]
        return tuple(sorted(axis % rank for axis in axes))

    def build(self, input_shape: Any) -> None:
        if not isinstance(self.axis, list):
            self.axis = [self.axis]
        shape = tuple(input_shape[axis] for axis in self._axes(len(input_shape)))
        if self.scale or self.rms_scaling:
            self.gamma = self.add_weight(name="gamma", shape=shape, initializer=self.gamma_initializer,
                                         regularizer=self.gamma_regularizer, constraint=self.gamma_constraint, autocast=False)
        if self.center and not self.rms_scaling:
            self.beta = self.add_weight(name="beta", shape=shape, initializer=self.beta_initializer,
                                        regularizer=self.beta_regularizer, constraint=self.beta_constraint, autocast=False)

    def call(self, inputs: Any) -> Any:
        dtype = result_type(inputs.dtype, "float32")
        x = ops.cast(inputs, dtype)
        axes = self._axes(len(x.shape))
        mean = ops.mean(x, axis=axes, keepdims=True)
        variance = ops.mean(ops.square(x - ops.stop_gradient(mean)), axis=axes, keepdims=True)
        factor = ops.rsqrt(variance + self.epsilon)
        if self.gamma is not None:
            factor = factor * self._spread(self.gamma, x, axes, dtype)
        if self.rms_scaling:
            return ops.cast(x * factor, self.compute_dtype)
        shift = -mean * factor
        if self.beta is not None:
            shift = shift + self._spread(self.beta, x, axes, dtype)
        return ops.cast(x * factor + shift, self.compute_dtype)

    def _spread(self, weight: Any, x: Any, axes: tuple[int, ...], dtype: Any) -> Any:
        """gamma or beta, shaped to broadcast against x."""
        rank = len(x.shape)
        weight = ops.cast(weight, dtype)
        if axes == tuple(range(rank - len(axes), rank)):
            return weight
        return ops.reshape(weight, tuple(x.shape[axis] if axis in axes else 1 for axis in range(rank)))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "rms_scaling": self.rms_scaling,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
            "beta_constraint": constraints.serialize(self.beta_constraint),
            "gamma_constraint": constraints.serialize(self.gamma_constraint),
        }
