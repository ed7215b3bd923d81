"""Transposed, depthwise and separable convolutions against their formulas in plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile
from kcompile import layers
from kcompile.saving import deserialize_keras_object, serialize_keras_object


def close(got, wanted):
    array = np.asarray(got)
    assert array.shape == np.shape(wanted)
    np.testing.assert_allclose(array, wanted, rtol=2e-6, atol=2e-6 * max(1.0, float(np.abs(wanted).max())))


def with_weights(layer, rng, x):
    layer(x)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    return [w.astype("float64") for w in layer.get_weights()]


def scattered(x, kernel, strides, dilation=(1, 1)):
    """Each x[n, i, j] adds the kernel, times itself, at (i, j) * strides: everything that a transposed convolution may keep."""
    reach = [(k - 1) * d + 1 for k, d in zip(kernel.shape, dilation, strict=False)]
    extents = [(n - 1) * s + r for n, s, r in zip(x.shape[1:3], strides, reach, strict=True)]
    y = np.zeros((x.shape[0], *extents, kernel.shape[2]))
    for i, j in np.ndindex(*x.shape[1:3]):
        for a, b in np.ndindex(*kernel.shape[:2]):
            y[:, i * strides[0] + a * dilation[0], j * strides[1] + b * dilation[1]] += x[:, i, j] @ kernel[a, b].T
    return y


@pytest.mark.parametrize(("arguments", "cut"), [
    ({"kernel_size": 3}, ((0, 0), (0, 0))),
    ({"kernel_size": 3, "strides": 2}, ((0, 0), (0, 0))),
    ({"kernel_size": (2, 3), "dilation_rate": (2, 1)}, ((0, 0), (0, 0))),
    ({"kernel_size": 3, "padding": "same"}, ((1, 1), (1, 1))),
    ({"kernel_size": 3, "strides": 2, "padding": "same"}, ((0, 1), (0, 1))),
    ({"kernel_size": 4, "strides": 2, "padding": "same"}, ((1, 1), (1, 1))),
    ({"kernel_size": (5, 3), "strides": (1, 2), "padding": "same", "output_padding": (0, 0)}, ((2, 2), (1, 1))),
    ({"kernel_size": 2, "strides": 3, "padding": "same"}, ((0, -1), (0, -1))),
    ({"kernel_size": 2, "strides": 3}, ((0, -1), (0, -1))),
    ({"kernel_size": 3, "strides": 2, "output_padding": 1}, ((0, -1), (0, -1))),
])
def test_conv2d_transpose(rng, arguments, cut):
    x = rng.normal(size=(2, 4, 3, 5)).astype("float32")
    layer = layers.Conv2DTranspose(6, activation="relu", **arguments)
    kernel, bias = with_weights(layer, rng, x)
    assert kernel.shape == (*layer.kernel_size, 6, 5)
    whole = scattered(x, kernel, layer.strides, layer.dilation_rate)
    whole = np.pad(whole, [(0, 0), *((0, max(0, -after)) for _, after in cut), (0, 0)])
    kept = whole[:, cut[0][0]:whole.shape[1] - max(0, cut[0][1]), cut[1][0]:whole.shape[2] - max(0, cut[1][1])]
    close(layer(x), np.maximum(kept + bias, 0))
    assert layer.compute_output_shape((None, 4, 3, 5)) == (None, *kept.shape[1:])


def test_conv1d_transpose_is_conv2d_transpose_of_one_column(rng):
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    flat, deep = layers.Conv1DTranspose(4, 3, strides=2, padding="same"), layers.Conv2DTranspose(4, (3, 1), strides=(2, 1), padding="same")
    kernel, bias = with_weights(flat, rng, x)
    deep(x[:, :, None])
    deep.set_weights([kernel[:, None], bias])
    close(flat(x), np.asarray(deep(x[:, :, None]))[:, :, 0])


@pytest.mark.parametrize("arguments", [{}, {"strides": 2, "padding": "same"}, {"depth_multiplier": 3, "padding": "same"},
                                       {"dilation_rate": 2, "strides": 2}])
def test_depthwise_conv2d_is_one_conv2d_a_channel(rng, arguments):
    x = rng.normal(size=(2, 8, 7, 3)).astype("float32")
    layer = layers.DepthwiseConv2D(3, activation="tanh", **arguments)
    kernel, bias = with_weights(layer, rng, x)
    many = layer.depth_multiplier
    assert kernel.shape == (3, 3, 3, many)
    alone = {name: value for name, value in arguments.items() if name != "depth_multiplier"}
    parts = [np.asarray(kcompile.ops.conv(x[..., c:c + 1], kernel[:, :, c:c + 1].astype("float32"), **alone)) for c in range(3)]
    close(layer(x), np.tanh(np.concatenate(parts, -1) + bias))


@pytest.mark.parametrize("arguments", [{}, {"strides": 2, "padding": "same", "depth_multiplier": 2}])
def test_separable_conv2d_is_depthwise_then_pointwise(rng, arguments):
    x = rng.normal(size=(2, 8, 7, 3)).astype("float32")
    layer = layers.SeparableConv2D(5, 3, activation="relu", **arguments)
    depthwise, pointwise, bias = with_weights(layer, rng, x)
    first = layers.DepthwiseConv2D(3, use_bias=False, **arguments)
    first(x)
    first.set_weights([depthwise])
    close(layer(x), np.maximum(np.asarray(first(x), "float64") @ pointwise[0, 0] + bias, 0))
    assert [w.name for w in layer.weights] == ["depthwise_kernel", "pointwise_kernel", "bias"]
    assert [w.path for w in first.weights] == ["depthwise_conv2d/kernel"]


@pytest.mark.parametrize(("one", "two", "arguments"), [
    (layers.DepthwiseConv1D, layers.DepthwiseConv2D, {"depth_multiplier": 2}),
    (layers.SeparableConv1D, layers.SeparableConv2D, {"filters": 5}),
])
def test_one_dimension_is_two_with_one_column(rng, one, two, arguments):
    x = rng.normal(size=(2, 9, 3)).astype("float32")
    flat = one(kernel_size=3, strides=2, padding="same", **arguments)
    deep = two(kernel_size=(3, 1), strides=(2, 1), padding="same", **arguments)
    weights = with_weights(flat, rng, x)
    deep(x[:, :, None])
    deep.set_weights([w if w.ndim < 3 else w[:, None] for w in weights])
    close(flat(x), np.asarray(deep(x[:, :, None]))[:, :, 0])


@pytest.mark.parametrize("make", [
    lambda **kw: layers.Conv3D(4, 2, strides=(1, 2, 1), padding="same", activation="relu", **kw),
    lambda **kw: layers.Conv3DTranspose(4, 2, strides=2, padding="same", **kw),
    lambda **kw: layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu", **kw),
    lambda **kw: layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2, **kw),
    lambda **kw: layers.SeparableConv2D(5, 3, padding="same", **kw),
    lambda **kw: layers.SeparableConv1D(5, 3, padding="same", **kw),
    lambda **kw: layers.DepthwiseConv1D(3, padding="same", **kw),
    lambda **kw: layers.Conv1DTranspose(5, 3, strides=3, **kw),
])
def test_channels_first_is_channels_last_transposed(rng, make):
    first, last = make(data_format="channels_first"), make(data_format="channels_last")
    x = rng.normal(size=(2, *(6, 5, 4)[:last.rank], 3)).astype("float32")
    with_weights(last, rng, x)
    turned = np.moveaxis(x, -1, 1)
    first(turned)
    first.set_weights(last.get_weights())
    close(np.moveaxis(np.asarray(first(turned)), 1, -1), np.asarray(last(x)))
    assert first.compute_output_shape(turned.shape) == first(turned).shape


@pytest.mark.parametrize("layer", [
    layers.Conv3D(3, 2, dilation_rate=2), layers.Conv1DTranspose(3, 4, strides=3, output_padding=1),
    layers.Conv2DTranspose(3, 4, strides=(2, 1), padding="same", kernel_regularizer="l2", activation="relu"),
    layers.Conv3DTranspose(3, 2), layers.DepthwiseConv1D(3), layers.SeparableConv1D(4, 3, depth_multiplier=2),
    layers.DepthwiseConv2D(3, depth_multiplier=2, depthwise_initializer="he_normal", depthwise_constraint="max_norm"),
    layers.SeparableConv2D(4, 3, pointwise_regularizer="l1", activity_regularizer="l2", name="mixing"),
])
def test_configurations_make_the_same_layer(layer):
    again = deserialize_keras_object(serialize_keras_object(layer))
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize(("make", "message"), [
    (lambda: layers.Conv2DTranspose(-1, 3), "strictly positive value. Received filters=-1"),
    (lambda: layers.Conv2DTranspose(3, 3, strides=2, output_padding=2), "`output_padding` must be strictly less than `strides`"),
    (lambda: layers.Conv2DTranspose(3, 3, strides=2, dilation_rate=2), "`strides > 1` not supported in conjunction with"),
    (lambda: layers.Conv2DTranspose(3, 3, padding="causal"), "The `padding` argument must be one of"),
    (lambda: layers.DepthwiseConv2D(3, depth_multiplier=0), "strictly positive value. Received depth_multiplier=0"),
    (lambda: layers.SeparableConv2D(0, 3), "strictly positive value. Received filters=0"),
    (lambda: layers.DepthwiseConv1D((3, 3)), "`kernel_size` argument must be a tuple of 1 integers"),
])
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(("make", "shape", "message"), [
    (lambda: layers.DepthwiseConv2D(5), (1, 4, 6, 2), "Computed output size would be zero or negative"),
    (lambda: layers.SeparableConv1D(2, 5), (1, 4, 6), "Computed output size would be zero or negative"),
    (lambda: layers.Conv2DTranspose(2, 4, strides=2, padding="same", output_padding=0), (1, 1, 3, 2),
     "Computed output size would be zero or negative"),
    (lambda: layers.Conv2DTranspose(2, 3), (1, 4, 6), "expected min_ndim=4, found ndim=3"),
])
def test_wrong_shapes(make, shape, message):
    with pytest.raises(ValueError, match=message):
        make()(np.ones(shape))
