"""tf.nn: activations, losses, and the few layers-as-functions that tutorials use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcompile import activations, ops
from kcompile import random as keras_random
from kcompile.suggest import suggest_names

from .math import l2_normalize, sigmoid, tanh

__all__ = [
    "avg_pool2d", "bias_add", "conv2d", "dropout", "elu", "embedding_lookup", "gelu", "l2_loss", "l2_normalize", "leaky_relu",
    "log_softmax", "max_pool2d", "moments", "relu", "relu6", "selu", "sigmoid", "sigmoid_cross_entropy_with_logits", "silu", "softmax",
    "softmax_cross_entropy_with_logits", "softplus", "softsign", "sparse_softmax_cross_entropy_with_logits", "swish", "tanh",
]


def _activation(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(features: Any, name: str | None = None) -> Any:
        return function(features)
    call.__name__ = call.__qualname__ = function.__name__  # by which a layer's configuration knows it
    call.__doc__ = f"`keras.activations.{function.__name__}`."
    return call


relu, relu6 = _activation(activations.relu), _activation(activations.relu6)
elu, selu = _activation(activations.elu), _activation(activations.selu)
silu = swish = _activation(activations.silu)
softplus, softsign = _activation(activations.softplus), _activation(activations.softsign)


def softmax(logits: Any, axis: int = -1, name: str | None = None) -> Any:
    """exp(logits) / sum(exp(logits))."""
    return activations.softmax(logits, axis=axis)


def log_softmax(logits: Any, axis: int = -1, name: str | None = None) -> Any:
    """logits - log(sum(exp(logits)))."""
    return ops.log_softmax(logits, axis=axis)


def leaky_relu(features: Any, alpha: float = 0.2, name: str | None = None) -> Any:
    """x above zero, alpha * x below."""
    return ops.leaky_relu(features, negative_slope=alpha)


def gelu(features: Any, approximate: bool = False, name: str | None = None) -> Any:
    """Gaussian error linear unit."""
    return ops.gelu(features, approximate=approximate)


def dropout(x: Any, rate: float, noise_shape: Any = None, seed: int | None = None, name: str | None = None) -> Any:
    """Elements zeroed with probability `rate`, the others scaled by 1 / (1 - rate)."""
    return keras_random.dropout(ops.convert_to_tensor(x), rate, noise_shape=noise_shape, seed=seed)


def bias_add(value: Any, bias: Any, data_format: str | None = None, name: str | None = None) -> Any:
    """A bias for each channel."""
    if data_format is not None and data_format.startswith("NC"):
        return ops.add(value, ops.reshape(bias, (1, -1) + (1,) * (len(value.shape) - 2)))
    return ops.add(value, bias)


def _spatial(argument: Any) -> Any:
    """TensorFlow's four numbers [1, h, w, 1] are Keras's two."""
    return argument if isinstance(argument, int) or len(argument) == 2 else tuple(argument[1:3])


def conv2d(input: Any, filters: Any, strides: Any, padding: str, data_format: str = "NHWC", dilations: Any = 1,
           name: str | None = None) -> Any:
    """Convolution of `[N, H, W, C]` by `[h, w, C, O]`."""
    layout = "channels_last" if data_format == "NHWC" else "channels_first"
    return ops.conv(input, filters, strides=_spatial(strides), padding=padding.lower(), data_format=layout,
                    dilation_rate=_spatial(dilations))


def max_pool2d(input: Any, ksize: Any, strides: Any, padding: str, data_format: str = "NHWC", name: str | None = None) -> Any:
    """Largest element of each window."""
    layout = "channels_last" if data_format == "NHWC" else "channels_first"
    return ops.max_pool(input, _spatial(ksize), strides=_spatial(strides), padding=padding.lower(), data_format=layout)


def avg_pool2d(input: Any, ksize: Any, strides: Any, padding: str, data_format: str = "NHWC", name: str | None = None) -> Any:
    """Mean of each window."""
    layout = "channels_last" if data_format == "NHWC" else "channels_first"
    return ops.average_pool(input, _spatial(ksize), strides=_spatial(strides), padding=padding.lower(), data_format=layout)


def moments(x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: str | None = None) -> Any:
    """(mean, variance) over the axes."""
    return ops.moments(x, axes=axes, keepdims=keepdims)


def embedding_lookup(params: Any, ids: Any, max_norm: Any = None, name: str | None = None) -> Any:
    """Rows of a table."""
    if max_norm is not None:
        raise ValueError("tf.nn.embedding_lookup: max_norm is not supported")
    return ops.take(params, ids, axis=0)


def l2_loss(t: Any, name: str | None = None) -> Any:
    """sum(t ** 2) / 2."""
    return ops.sum(ops.square(t)) / 2


def softmax_cross_entropy_with_logits(labels: Any, logits: Any, axis: int = -1, name: str | None = None) -> Any:
    """Cross-entropy of one-hot (or soft) labels, one value a row."""
    return ops.categorical_crossentropy(labels, logits, from_logits=True, axis=axis)


def sparse_softmax_cross_entropy_with_logits(labels: Any, logits: Any, name: str | None = None) -> Any:
    """Cross-entropy of integer labels, one value a row."""
    return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def sigmoid_cross_entropy_with_logits(labels: Any = None, logits: Any = None, name: str | None = None) -> Any:
    """Binary cross-entropy, elementwise."""
    return ops.binary_crossentropy(labels, logits, from_logits=True)


suggest_names(__name__)
