"""Activations, convolutions, pooling, normalization and cross-entropies against direct formulas and loops."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from kcompile import activations, ops

rng = np.random.default_rng(1)
X = rng.uniform(-4, 4, (5, 6)).astype("float32")
IMAGES = rng.normal(size=(2, 7, 6, 4)).astype("float32")


def close(actual, expected, tolerance=1e-5):
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=tolerance, atol=tolerance)


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)


FORMULAS = {
    "relu": lambda x: np.maximum(x, 0), "relu6": lambda x: x.clip(0, 6), "sigmoid": sigmoid, "silu": lambda x: x * sigmoid(x),
    "softplus": softplus, "softsign": lambda x: x / (1 + np.abs(x)), "log_sigmoid": lambda x: -softplus(-x),
    "mish": lambda x: x * np.tanh(softplus(x)), "hard_sigmoid": lambda x: (x / 6 + 0.5).clip(0, 1), "hard_tanh": lambda x: x.clip(-1, 1),
    "hard_silu": lambda x: x * (x / 6 + 0.5).clip(0, 1), "tanh_shrink": lambda x: x - np.tanh(x), "softmax": softmax,
    "log_softmax": lambda x: np.log(softmax(x)), "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)), "celu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "selu": lambda x: 1.05070098 * np.where(x > 0, x, 1.67326324 * np.expm1(x)),
    "gelu": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "hard_shrink": lambda x: np.where(np.abs(x) > 0.5, x, 0), "soft_shrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
    "squareplus": lambda x: (x + np.sqrt(x * x + 4)) / 2, "sparse_sigmoid": lambda x: (x / 2 + 0.5).clip(0, 1),
    "sparse_plus": lambda x: np.where(x <= -1, 0, np.where(x >= 1, x, (x + 1) ** 2 / 4)),
}


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_activation(name):
    close(getattr(ops, name)(X), FORMULAS[name](X))


def test_activations_stay_finite_far_out():
    far = np.array([-1e4, -100, 100, 1e4], "float32")
    for name in FORMULAS:
        assert np.isfinite(np.asarray(getattr(ops, name)(far))).all(), name


def test_gelu_and_relu_of_the_activations_module_differ_in_defaults():
    close(activations.gelu(X), 0.5 * X * (1 + np.vectorize(math.erf)(X / np.sqrt(2))))
    close(activations.relu(X, negative_slope=0.1, max_value=2.0, threshold=0.5),
          np.where(X < 0.5, 0.1 * (X - 0.5), np.minimum(X, 2)))
    assert activations.get("relu") is activations.relu and activations.get(None)(3) == 3
    assert activations.serialize(activations.relu) == "relu"
    with pytest.raises(ValueError, match="Did you mean 'relu'"):
        activations.get("rellu")


def test_sparsemax_is_a_point_of_the_simplex():
    found = np.asarray(ops.sparsemax(X))
    close(found.sum(-1), np.ones(5))
    assert (found >= 0).all() and (found == 0).any()
    close(ops.sparsemax(np.array([[0.1, 0.0, -0.1]], "float32")), [[0.43333, 0.33333, 0.23333]], 1e-4)


def direct_conv(x, w, strides, dilation, groups):
    """[N, H, W, C] * [h, w, C / groups, O], no padding."""
    n, height, width, _ = x.shape
    h, k, per_group, out = w.shape
    rows = (height - (h - 1) * dilation - 1) // strides[0] + 1
    columns = (width - (k - 1) * dilation - 1) // strides[1] + 1
    y = np.zeros((n, rows, columns, out))
    for r, c, i, j in itertools.product(range(rows), range(columns), range(h), range(k)):
        pixel = x[:, r * strides[0] + i * dilation, c * strides[1] + j * dilation]
        for g in range(groups):
            o = slice(g * out // groups, (g + 1) * out // groups)
            y[:, r, c, o] += pixel[:, g * per_group:(g + 1) * per_group] @ w[i, j, :, o]
    return y


def same_pads(size, window, stride):
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


@pytest.mark.parametrize("kernel", [(3, 3, 4, 5), (2, 3, 2, 6), (1, 1, 4, 3), (5, 5, 4, 2)])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (3, 2)])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_conv(kernel, strides, padding):
    w = rng.normal(size=kernel).astype("float32")
    x = IMAGES
    if padding == "same":
        x = np.pad(x, ((0, 0), same_pads(7, kernel[0], strides[0]), same_pads(6, kernel[1], strides[1]), (0, 0)))
    expected = direct_conv(x, w, strides, 1, 4 // kernel[2])
    close(ops.conv(IMAGES, w, strides, padding), expected, 1e-4)
    first = ops.conv(np.moveaxis(IMAGES, -1, 1), w, strides, padding, data_format="channels_first")
    close(np.moveaxis(np.asarray(first), 1, -1), expected, 1e-4)


def test_dilated_and_depthwise_convolutions():
    w = rng.normal(size=(3, 3, 4, 2)).astype("float32")
    close(ops.conv(IMAGES, w, dilation_rate=2), direct_conv(IMAGES, w, (1, 1), 2, 1), 1e-4)
    deep = np.asarray(ops.depthwise_conv(IMAGES, w))
    for c in range(4):
        close(deep[..., 2 * c:2 * c + 2], direct_conv(IMAGES[..., c:c + 1], w[:, :, c:c + 1], (1, 1), 1, 1), 1e-4)


@pytest.mark.parametrize(("window", "stride", "padding"),
                         [(3, 2, "same"), (3, 2, "valid"), (2, 3, "valid"), (4, 2, "same"), (3, 1, "same")])
def test_transposed_convolution_is_the_adjoint(window, stride, padding):
    w = rng.normal(size=(window, window, 5, 4)).astype("float32")
    grown = np.asarray(ops.conv_transpose(IMAGES, w, stride, padding))
    probe = rng.normal(size=grown.shape).astype("float32")
    forward = np.asarray(ops.conv(probe, w, stride, padding))
    close((forward[:, :7, :6] * IMAGES).sum(), (grown * probe).sum(), 2e-3)


@pytest.mark.parametrize(("window", "stride", "padding"), [(2, 2, "valid"), (3, 2, "same"), (3, 1, "same"), (3, 2, "valid")])
def test_pooling(window, stride, padding):
    pads = [same_pads(7, window, stride), same_pads(6, window, stride)] if padding == "same" else [(0, 0)] * 2
    x = np.pad(IMAGES, ((0, 0), *pads, (0, 0)), constant_values=np.nan)
    rows, columns = ((x.shape[n] - window) // stride + 1 for n in (1, 2))
    windows = np.stack([x[:, r * stride:r * stride + window, c * stride:c * stride + window].reshape(2, -1, 4)
                        for r in range(rows) for c in range(columns)], 1).reshape(2, rows, columns, -1, 4)
    close(ops.max_pool(IMAGES, window, stride, padding), np.nanmax(windows, 3))
    close(ops.average_pool(IMAGES, window, stride, padding), np.nanmean(windows, 3))


def test_one_and_three_dimensions():
    sequence = rng.normal(size=(2, 9, 4)).astype("float32")
    w = rng.normal(size=(3, 4, 5)).astype("float32")
    close(ops.conv(sequence, w, padding="same"), ops.conv(sequence[:, :, None], w[:, None], padding="same")[:, :, 0], 1e-4)
    volume = rng.normal(size=(1, 4, 4, 6, 2)).astype("float32")
    assert ops.max_pool(volume, 2).shape == (1, 2, 2, 3, 2)
    assert ops.conv(volume, np.zeros((2, 2, 2, 2, 3), "float32")).shape == (1, 3, 3, 5, 3)


def test_normalizations():
    mean, variance, scale, offset = (rng.uniform(0.1, 1, 6).astype("float32") for _ in range(4))
    close(ops.batch_normalization(X, mean, variance, -1, offset, scale), (X - mean) / np.sqrt(variance + 1e-3) * scale + offset, 1e-4)
    centred = X - X.mean(-1, keepdims=True)
    expected = centred / np.sqrt(X.var(-1, keepdims=True) + 1e-7)
    close(ops.layer_normalization(X, scale, offset), expected * scale + offset, 1e-4)
    close(ops.rms_normalization(X, scale), X / np.sqrt((X**2).mean(-1, keepdims=True) + 1e-7) * scale, 1e-4)
    close(ops.normalize(X), X / np.linalg.norm(X, axis=-1, keepdims=True))
    close(ops.normalize(np.zeros((2, 3), "float32")), np.zeros((2, 3)))


def test_attention():
    q, k, v = (rng.normal(size=(2, t, 3, 4)).astype("float32") for t in (5, 7, 7))
    scores = np.einsum("bthd,bshd->bhts", q, k) / 2
    close(ops.dot_product_attention(q, k, v), np.einsum("bhts,bshd->bthd", softmax(scores), v), 1e-4)
    causal = np.where(np.tril(np.ones((7, 7))) > 0, np.einsum("bthd,bshd->bhts", k, k) / 2, -1e30)
    close(ops.dot_product_attention(k, k, v, is_causal=True), np.einsum("bhts,bshd->bthd", softmax(causal), v), 1e-4)


LABELS = np.array([0, 5, 2, 2, 1])
ONE_HOT = np.eye(6, dtype="float32")[LABELS]


def test_cross_entropies():
    expected = -np.log(softmax(X))[np.arange(5), LABELS]
    close(ops.sparse_categorical_crossentropy(LABELS, X, from_logits=True), expected)
    close(ops.sparse_categorical_crossentropy(LABELS[:, None], softmax(X)), expected, 1e-4)
    close(ops.categorical_crossentropy(ONE_HOT, X, from_logits=True), expected)
    close(ops.categorical_crossentropy(ONE_HOT, softmax(X) * 3), expected, 1e-4)
    binary = -(ONE_HOT * np.log(sigmoid(X)) + (1 - ONE_HOT) * np.log(sigmoid(-X)))
    close(ops.binary_crossentropy(ONE_HOT, X, from_logits=True), binary)
    close(ops.binary_crossentropy(ONE_HOT, sigmoid(X)), binary, 1e-3)
    with pytest.raises(ValueError, match="same shape"):
        ops.categorical_crossentropy(ONE_HOT[:, :5], X)


def test_cross_entropies_of_probabilities_start_from_their_logits():
    far = X * 100
    close(ops.sparse_categorical_crossentropy(LABELS, ops.softmax(far)), ops.sparse_categorical_crossentropy(LABELS, far, from_logits=True))
    close(ops.binary_crossentropy(ONE_HOT, ops.sigmoid(far)), ops.binary_crossentropy(ONE_HOT, far, from_logits=True))
    clipped = np.asarray(ops.binary_crossentropy(ONE_HOT, ops.sigmoid(far) * 1.0))  # another tensor: clipped
    assert clipped.max() < 17


def test_in_top_k():
    order = np.argsort(-X, axis=1)
    for k in (1, 2, 6):
        np.testing.assert_array_equal(ops.in_top_k(LABELS, X, k), [LABELS[n] in order[n, :k] for n in range(5)])
    np.testing.assert_array_equal(ops.in_top_k([0, 9], np.array([[np.nan, 1], [1, 2]], "float32"), 1), [False, False])
