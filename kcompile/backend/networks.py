"""Keras 2's functions of neural networks: activations, losses, convolutions, pooling, phases."""

from __future__ import annotations

from typing import Any

from .. import ops, random, tracing
from ..config import standardize_data_format
from ..tensor import KerasTensor

__all__ = [
    "batch_normalization", "bias_add", "binary_crossentropy", "categorical_crossentropy", "conv1d", "conv2d", "conv2d_transpose",
    "conv3d", "depthwise_conv2d", "dropout", "elu", "gradients", "hard_sigmoid", "in_top_k", "in_train_phase", "learning_phase",
    "pool2d", "pool3d", "relu", "separable_conv2d", "set_learning_phase", "sigmoid", "softmax", "softplus", "softsign",
    "sparse_categorical_crossentropy", "stop_gradient", "switch", "tanh",
]

_phase: list[int] = []


def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """max(x, 0), with a slope below the threshold and a limit above."""
    from .. import activations

    return activations.relu(x, negative_slope=alpha, max_value=max_value, threshold=threshold)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x above 0, alpha * (exp(x) - 1) below."""
    return ops.elu(x, alpha)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x))."""
    return ops.sigmoid(x)


def hard_sigmoid(x: Any) -> Any:
    """Keras 2's: 0.2 x + 0.5, kept within [0, 1]."""
    return ops.clip(x * 0.2 + 0.5, 0.0, 1.0)


def tanh(x: Any) -> Any:
    """The hyperbolic tangent."""
    return ops.tanh(x)


def softmax(x: Any, axis: int = -1) -> Any:
    """exp(x) / sum(exp(x)) along an axis."""
    return ops.softmax(x, axis=axis)


def softplus(x: Any) -> Any:
    """log(1 + exp(x))."""
    return ops.softplus(x)


def softsign(x: Any) -> Any:
    """x / (1 + |x|)."""
    return ops.softsign(x)


def dropout(x: Any, level: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """Elements set to 0 with probability `level`, the others scaled."""
    return random.dropout(x, level, noise_shape, seed)


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """-sum(target * log(output)) along an axis."""
    return ops.categorical_crossentropy(target, output, from_logits=from_logits, axis=axis)


def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1,
                                    ignore_class: int | None = None) -> Any:
    """-log(output[target]); targets equal to ignore_class count as 0."""
    if ignore_class is None:
        return ops.sparse_categorical_crossentropy(target, output, from_logits=from_logits, axis=axis)
    valid = ops.not_equal(target, ignore_class)
    loss = ops.sparse_categorical_crossentropy(ops.where(valid, target, 0), output, from_logits=from_logits, axis=axis)
    return ops.where(valid, loss, 0.0)


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """-(target * log(output) + (1 - target) * log(1 - output))."""
    return ops.binary_crossentropy(target, output, from_logits=from_logits)


def in_top_k(predictions: Any, targets: Any, k: int) -> Any:
    """Whether the target is among the k largest predictions (Keras 2's order of arguments)."""
    return ops.in_top_k(targets, predictions, k)


def batch_normalization(x: Any, mean: Any, var: Any, beta: Any, gamma: Any, axis: int = -1, epsilon: float = 1e-3) -> Any:
    """gamma * (x - mean) / sqrt(var + epsilon) + beta."""
    return ops.batch_normalization(x, mean, var, axis, beta, gamma, epsilon)


def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Any:
    """x plus a bias along its channels."""
    rank = len(x.shape)
    if rank > 2 and standardize_data_format(data_format) == "channels_first" and len(bias.shape) == 1:
        return x + ops.reshape(bias, (1, -1) + (1,) * (rank - 2))
    return x + bias


def stop_gradient(variables: Any) -> Any:
    """The tensors themselves, through which no gradient flows."""
    if isinstance(variables, (list, tuple)):
        return [ops.stop_gradient(v) for v in variables]
    return ops.stop_gradient(variables)


def gradients(loss: Any, variables: Any) -> Any:
    """The derivatives of a traced scalar by variables: inside a layer or a step only. Raises TypeError elsewhere."""
    if not tracing.in_trace():
        raise TypeError("K.gradients needs a graph under construction; outside a layer, train with `fit`")
    return tracing.gradients(loss, variables if isinstance(variables, (list, tuple)) else [variables])


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """then_expression where the condition holds, else else_expression; either may be a function without arguments."""
    def value(expression: Any) -> Any:
        return expression() if callable(expression) else expression

    if not isinstance(condition, KerasTensor) and len(ops.shape(condition)) == 0:
        return value(then_expression) if bool(condition) else value(else_expression)
    a, b = value(then_expression), value(else_expression)
    missing = len(ops.shape(a)) - len(ops.shape(condition))
    for _ in range(missing):
        condition = ops.expand_dims(condition, -1)
    return ops.where(condition, a, b)


def learning_phase() -> int:
    """1 while training, as far as set_learning_phase has said; else 0."""
    return _phase[-1] if _phase else 0


def set_learning_phase(value: int) -> None:
    """What learning_phase() says; layers take their `training` argument."""
    _phase[:] = [int(value)]


def in_train_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """x while training, else alt; either may be a function without arguments."""
    chosen = x if (learning_phase() if training is None else training) else alt
    return chosen() if callable(chosen) else chosen


# -- convolutions and pooling -------------------------------------------------------------------------------------
def conv1d(x: Any, kernel: Any, strides: int = 1, padding: str = "valid", data_format: str | None = None, dilation_rate: int = 1) -> Any:
    """A convolution over time."""
    return ops.conv(x, kernel, strides, padding, data_format, dilation_rate)


def conv2d(x: Any, kernel: Any, strides: Any = (1, 1), padding: str = "valid", data_format: str | None = None,
           dilation_rate: Any = (1, 1)) -> Any:
    """A convolution over images."""
    return ops.conv(x, kernel, strides, padding, data_format, dilation_rate)


def conv3d(x: Any, kernel: Any, strides: Any = (1, 1, 1), padding: str = "valid", data_format: str | None = None,
           dilation_rate: Any = (1, 1, 1)) -> Any:
    """A convolution over volumes."""
    return ops.conv(x, kernel, strides, padding, data_format, dilation_rate)


def conv2d_transpose(x: Any, kernel: Any, output_shape: Any, strides: Any = (1, 1), padding: str = "valid", data_format: str | None = None,
                     dilation_rate: Any = (1, 1)) -> Any:
    """A transposed convolution over images. Raises ValueError where its size is not output_shape."""
    result = ops.conv_transpose(x, kernel, strides, padding, None, data_format, dilation_rate)
    wanted = tuple(output_shape)[1:]
    if any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in zip(tuple(result.shape)[1:], wanted, strict=True)):
        raise ValueError(f"conv2d_transpose: output_shape={tuple(output_shape)}, but the result has shape {tuple(result.shape)}")
    return result


def depthwise_conv2d(x: Any, depthwise_kernel: Any, strides: Any = (1, 1), padding: str = "valid", data_format: str | None = None,
                     dilation_rate: Any = (1, 1)) -> Any:
    """A convolution of each channel by itself."""
    return ops.depthwise_conv(x, depthwise_kernel, strides, padding, data_format, dilation_rate)


def separable_conv2d(x: Any, depthwise_kernel: Any, pointwise_kernel: Any, strides: Any = (1, 1), padding: str = "valid",
                     data_format: str | None = None, dilation_rate: Any = (1, 1)) -> Any:
    """depthwise_conv2d, then a convolution of size 1."""
    return ops.separable_conv(x, depthwise_kernel, pointwise_kernel, strides, padding, data_format, dilation_rate)


def pool2d(x: Any, pool_size: Any, strides: Any = (1, 1), padding: str = "valid", data_format: str | None = None,
           pool_mode: str = "max") -> Any:
    """The maxima ('max') or means ('avg') of windows of images."""
    return _pooling(pool_mode)(x, pool_size, strides, padding, data_format)


def pool3d(x: Any, pool_size: Any, strides: Any = (1, 1, 1), padding: str = "valid", data_format: str | None = None,
           pool_mode: str = "max") -> Any:
    """The maxima ('max') or means ('avg') of windows of volumes."""
    return _pooling(pool_mode)(x, pool_size, strides, padding, data_format)


def _pooling(mode: str) -> Any:
    if mode not in ("max", "avg"):
        raise ValueError(f"Invalid pooling mode: {mode}; expected 'max' or 'avg'")
    return ops.max_pool if mode == "max" else ops.average_pool
