"""Owns layers around a layer: Wrapper, and SpectralNormalization, which keeps the largest singular value of its kernel at 1."""

from __future__ import annotations

from typing import Any

from .. import initializers, ops
from .input_spec import InputSpec
from .layer import Layer


class Wrapper(Layer):
    """The base of layers around another one, `layer`, which is built with them. Raises ValueError for what is no layer."""

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        if not isinstance(layer, Layer):
            raise ValueError(f"Layer {layer} supplied to Wrapper isn't a supported layer type. Please ensure wrapped layer is a valid "
                             "Keras layer.")
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)
            self.layer.built = True

    def get_config(self) -> dict[str, Any]:
        from ..saving import serialize_keras_object

        return {**super().get_config(), "layer": serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        from ..saving import deserialize_keras_object

        config = dict(config)
        layer = deserialize_keras_object(config.pop("layer"), custom_objects=custom_objects)
        return cls(layer, **config)


class SpectralNormalization(Wrapper):
    """Divides the kernel of `layer` by its largest singular value (estimated by `power_iterations` rounds) in each training step.

    The kernel itself is changed, before the layer is called; the gradient is that of the divided kernel. Raises ValueError for a layer
    that has neither kernel nor embeddings, and for no rounds.
    """

    def __init__(self, layer: Any, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        if power_iterations <= 0:
            raise ValueError(f"`power_iterations` should be greater than zero. Received: `power_iterations={power_iterations}`")
        self.power_iterations = power_iterations

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        if hasattr(self.layer, "kernel"):
            self.kernel = self.layer.kernel
        elif hasattr(self.layer, "embeddings"):
            self.kernel = self.layer.embeddings
        else:
            raise ValueError(f"{type(self.layer).__name__} object has no attribute 'kernel' nor 'embeddings'")
        self.vector_u = self.add_weight(name="vector_u", shape=(1, self.kernel.shape[-1]), dtype=self.kernel.dtype, trainable=False,
                                        initializer=initializers.TruncatedNormal(stddev=0.02))

    def call(self, inputs: Any, training: Any = False) -> Any:
        if training:
            self._normalize()
        return ops.cast(self.layer(inputs), inputs.dtype)

    def _normalize(self) -> None:
        kernel = ops.convert_to_tensor(self.kernel)
        fixed = ops.stop_gradient(kernel)
        rows = ops.reshape(fixed, (-1, fixed.shape[-1]))
        u = before = ops.convert_to_tensor(self.vector_u)
        for _ in range(self.power_iterations):
            v = ops.normalize(ops.matmul(u, ops.transpose(rows)), axis=-1)
            u = ops.normalize(ops.matmul(v, rows), axis=-1)
        largest = ops.matmul(ops.matmul(v, rows), ops.transpose(u))[0, 0]
        zero = ops.all(ops.equal(fixed, 0))
        self.vector_u.assign(ops.stop_gradient(ops.where(zero, before, u)))
        divided = ops.where(zero, fixed, fixed / ops.where(zero, ops.ones_like(largest), largest))
        # its value is the divided kernel's; for the gradient it is the kernel, as an assignment is no part of what is differentiated
        self.kernel.assign(ops.stop_gradient(divided) + (kernel - fixed))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "power_iterations": self.power_iterations}
