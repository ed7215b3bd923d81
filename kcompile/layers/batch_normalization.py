"""Owns BatchNormalization: y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, over the batch or by running averages."""

from __future__ import annotations

from typing import Any

from .. import config, constraints, initializers, ops, regularizers
from ..dtypes import result_type
from .input_spec import InputSpec
from .layer import Layer


class BatchNormalization(Layer):
    """Normalizes each index of `axis` over all other axes.

    In training (and while `trainable`), by the moments of the batch, and the averages follow:

        moving_mean     <- moving_mean     * momentum + mean     * (1 - momentum)
        moving_variance <- moving_variance * momentum + variance * (1 - momentum)

    Otherwise by the averages. A mask of the inputs' leading axes leaves masked positions out of the moments. float16 inputs are
    normalized in float32. `renorm` and `synchronized` are not supported (NotImplementedError).
    """

    def __init__(self, axis: int = -1, momentum: float = 0.99, epsilon: float = 0.001, center: bool = True, scale: bool = True,
                 beta_initializer: Any = "zeros", gamma_initializer: Any = "ones", moving_mean_initializer: Any = "zeros",
                 moving_variance_initializer: Any = "ones", beta_regularizer: Any = None, gamma_regularizer: Any = None,
                 beta_constraint: Any = None, gamma_constraint: Any = None, renorm: bool = False, renorm_clipping: Any = None,
                 renorm_momentum: float = 0.99, synchronized: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if renorm or synchronized:
            raise NotImplementedError("BatchNormalization: renorm=True and synchronized=True are not supported")
        self.axis = int(axis)
        self.momentum, self.epsilon = momentum, epsilon
        self.center, self.scale = center, scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.renorm, self.renorm_clipping, self.renorm_momentum = renorm, renorm_clipping, renorm_momentum
        self.synchronized = synchronized
        self.gamma: Any = None
        self.beta: Any = None
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        size = input_shape[self.axis]
        if size is None:
            raise ValueError(f"BatchNormalization needs a known size on axis {self.axis}. Received input shape {tuple(input_shape)}.")
        if self.scale:
            self.gamma = self.add_weight(name="gamma", shape=(size,), initializer=self.gamma_initializer,
                                         regularizer=self.gamma_regularizer, constraint=self.gamma_constraint, autocast=False)
        if self.center:
            self.beta = self.add_weight(name="beta", shape=(size,), initializer=self.beta_initializer,
                                        regularizer=self.beta_regularizer, constraint=self.beta_constraint, autocast=False)
        self.moving_mean = self.add_weight(name="moving_mean", shape=(size,), initializer=self.moving_mean_initializer,
                                           trainable=False, autocast=False)
        self.moving_variance = self.add_weight(name="moving_variance", shape=(size,), initializer=self.moving_variance_initializer,
                                               trainable=False, autocast=False)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        dtype = result_type(inputs.dtype, "float32")
        x = ops.cast(inputs, dtype)
        mean, variance = ops.cast(self.moving_mean, dtype), ops.cast(self.moving_variance, dtype)
        if training and self.trainable:
            kept, (mean, variance) = (mean, variance), self._moments(x, mask)
            for moving, before, now in zip((self.moving_mean, self.moving_variance), kept, (mean, variance), strict=True):
                moving.assign(before * self.momentum + now * (1.0 - self.momentum))
        factor = ops.rsqrt(variance + self.epsilon)
        if self.gamma is not None:
            factor = factor * ops.cast(self.gamma, dtype)
        shift = -mean * factor
        if self.beta is not None:
            shift = shift + ops.cast(self.beta, dtype)
        return ops.cast(x * self._along_axis(factor, x) + self._along_axis(shift, x), self.compute_dtype)

    def _along_axis(self, vector: Any, x: Any) -> Any:
        """A vector of the normalized axis, shaped to broadcast against x."""
        rank = len(x.shape)
        axis = self.axis % rank
        if axis == rank - 1:
            return vector
        return ops.reshape(vector, (1,) * axis + (vector.shape[0],) + (1,) * (rank - axis - 1))

    def _moments(self, x: Any, mask: Any) -> tuple[Any, Any]:
        """Mean and (population) variance of every index of the axis."""
        rank = len(x.shape)
        axes = tuple(axis for axis in range(rank) if axis != self.axis % rank)
        if mask is None:
            mean = ops.mean(x, axis=axes)
            difference = x - self._along_axis(ops.stop_gradient(mean), x)
            return mean, ops.mean(ops.square(difference), axis=axes)
        weights = ops.expand_dims(ops.cast(mask, x.dtype), -1)
        while len(weights.shape) < rank:
            weights = ops.expand_dims(weights, -1)
        weights = ops.broadcast_to(weights, ops.shape(x))
        count = ops.sum(weights, axis=axes) + config.epsilon()
        mean = ops.sum(weights * x, axis=axes) / count
        difference = x - self._along_axis(mean, x)
        return mean, ops.sum(weights * ops.square(difference), axis=axes) / count

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
            "beta_constraint": constraints.serialize(self.beta_constraint),
            "gamma_constraint": constraints.serialize(self.gamma_constraint),
            "synchronized": self.synchronized,
            "renorm": self.renorm,
            "renorm_clipping": self.renorm_clipping,
            "renorm_momentum": self.renorm_momentum,
        }
