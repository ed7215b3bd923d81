"""Layers called on arrays give what their formulas say, computed here by plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import config, layers, ops


def close(got, wanted, tolerance=2e-6):
    array = np.asarray(got)
    assert array.shape == np.shape(wanted)
    np.testing.assert_allclose(array, wanted, rtol=tolerance, atol=tolerance * max(1.0, float(np.abs(wanted).max())))


def random_weights(layer, *inputs):
    """Call once, so that the weights exist, and give them positive random values."""
    layer(*inputs)
    rng = np.random.default_rng(3)
    layer.set_weights([np.abs(rng.normal(size=w.shape)) * 0.5 for w in layer.weights])
    return [w.astype("float64") for w in layer.get_weights()]


def windows(x, size, strides, padding, fill, dilation=(1, 1)):
    """x[N, H, W, C] as [N, H', W', kh, kw, C], padded with `fill` as TensorFlow pads."""
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, size, strict=True)]
    widths = [(0, 0)]
    for extent, r, s in zip(x.shape[1:3], reach, strides, strict=True):
        total = max((-(-extent // s) - 1) * s + r - extent, 0) if padding == "same" else 0
        widths.append((total // 2, total - total // 2))
    x = np.pad(x, [*widths, (0, 0)], constant_values=fill)
    rows = range(0, x.shape[1] - reach[0] + 1, strides[0])
    columns = range(0, x.shape[2] - reach[1] + 1, strides[1])
    return np.stack([np.stack([x[:, i:i + reach[0]:dilation[0], j:j + reach[1]:dilation[1], :] for j in columns], 1) for i in rows], 1)


def test_dense(rng):
    x = rng.normal(size=(3, 5, 4)).astype("float32")
    layer = layers.Dense(6, activation="tanh")
    kernel, bias = random_weights(layer, x)
    close(layer(x), np.tanh(x @ kernel + bias))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (3, 3)])
def test_conv2d(rng, padding, strides):
    x = rng.normal(size=(2, 9, 8, 3)).astype("float32")
    layer = layers.Conv2D(5, (3, 2), strides=strides, padding=padding, activation="relu")
    kernel, bias = random_weights(layer, x)
    close(layer(x), np.maximum(np.einsum("nijklc,klco->nijo", windows(x, (3, 2), strides, padding, 0.0), kernel) + bias, 0))


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_conv2d_dilated(rng, padding):
    x = rng.normal(size=(2, 9, 9, 3)).astype("float32")
    layer = layers.Conv2D(4, 3, dilation_rate=(2, 1), padding=padding, use_bias=False)
    (kernel,) = random_weights(layer, x)
    close(layer(x), np.einsum("nijklc,klco->nijo", windows(x, (3, 3), (1, 1), padding, 0.0, (2, 1)), kernel))


def test_conv2d_groups(rng):
    x = rng.normal(size=(2, 5, 5, 6)).astype("float32")
    layer = layers.Conv2D(4, 3, groups=2)
    kernel, bias = random_weights(layer, x)
    assert kernel.shape == (3, 3, 3, 4)
    taps = windows(x, (3, 3), (1, 1), "valid", 0.0)
    halves = [np.einsum("nijklc,klco->nijo", taps[..., 3 * g:3 * g + 3], kernel[..., 2 * g:2 * g + 2]) for g in range(2)]
    close(layer(x), np.concatenate(halves, -1) + bias)


def test_conv1d_causal(rng):
    x = rng.normal(size=(2, 7, 3)).astype("float32")
    layer = layers.Conv1D(4, 3, padding="causal", dilation_rate=2)
    kernel, bias = random_weights(layer, x)
    padded = np.pad(x, ((0, 0), (4, 0), (0, 0)))
    close(layer(x), sum(padded[:, 2 * k:2 * k + 7] @ kernel[k] for k in range(3)) + bias)


def test_conv1d_strides(rng):
    x = rng.normal(size=(2, 8, 3)).astype("float32")
    layer = layers.Conv1D(4, 3, strides=2, padding="same")
    kernel, bias = random_weights(layer, x)
    taps = windows(x[:, :, None], (3, 1), (2, 1), "same", 0.0)
    close(layer(x), np.einsum("nijklc,kco->nio", taps, kernel) + bias)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [None, (2, 1)])
def test_pooling(rng, padding, strides):
    x = rng.normal(size=(2, 7, 8, 3)).astype("float32")
    step = strides or (3, 2)
    close(layers.MaxPooling2D((3, 2), strides=strides, padding=padding)(x), windows(x, (3, 2), step, padding, -np.inf).max((3, 4)))
    close(layers.AveragePooling2D((3, 2), strides=strides, padding=padding)(x),
          np.nanmean(windows(x, (3, 2), step, padding, np.nan), (3, 4)))


def test_pooling_1d(rng):
    x = rng.normal(size=(2, 7, 3)).astype("float32")
    taps = windows(x[:, :, None], (3, 1), (2, 1), "same", -np.inf)
    close(layers.MaxPooling1D(3, 2, padding="same")(x), taps.max((2, 3, 4)))
    close(layers.AveragePooling1D(2)(x), (x[:, 0:6:2] + x[:, 1:6:2]) / 2)


@pytest.mark.parametrize("keepdims", [False, True])
def test_global_pooling(rng, keepdims):
    image, series = rng.normal(size=(2, 3, 4, 5)).astype("float32"), rng.normal(size=(2, 3, 5)).astype("float32")
    close(layers.GlobalMaxPooling2D(keepdims=keepdims)(image), image.max((1, 2), keepdims=keepdims))
    close(layers.GlobalAveragePooling2D(keepdims=keepdims)(image), image.mean((1, 2), keepdims=keepdims))
    close(layers.GlobalMaxPooling1D(keepdims=keepdims)(series), series.max(1, keepdims=keepdims))
    close(layers.GlobalAveragePooling1D(keepdims=keepdims)(series), series.mean(1, keepdims=keepdims))


def test_global_average_of_unmasked_steps(rng):
    x = rng.normal(size=(2, 4, 3)).astype("float32")
    mask = np.array([[True, True, False, False], [True, False, True, True]])
    close(layers.GlobalAveragePooling1D()(x, mask=mask), np.stack([x[i][mask[i]].mean(0) for i in range(2)]))


def channels_first(make):
    return make(data_format="channels_first"), make(data_format="channels_last")


@pytest.mark.parametrize("make", [
    lambda **kw: layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", **kw),
    lambda **kw: layers.MaxPooling2D(2, **kw),
    lambda **kw: layers.AveragePooling2D(3, 2, padding="same", **kw),
    lambda **kw: layers.ZeroPadding2D(((1, 2), (0, 3)), **kw),
    lambda **kw: layers.Cropping2D(((1, 2), (0, 3)), **kw),
    lambda **kw: layers.UpSampling2D((2, 3), **kw),
])
def test_channels_first_is_channels_last_transposed(rng, make):
    x = rng.normal(size=(2, 7, 8, 3)).astype("float32")
    first, last = channels_first(make)
    random_weights(last, x)
    first(np.moveaxis(x, -1, 1))
    first.set_weights(last.get_weights())
    close(np.moveaxis(np.asarray(first(np.moveaxis(x, -1, 1))), 1, -1), np.asarray(last(x)))


def test_flatten_channels_first_moves_channels_last(rng):
    x = rng.normal(size=(2, 3, 4, 5)).astype("float32")
    close(layers.Flatten(data_format="channels_first")(x), np.moveaxis(x, 1, -1).reshape(2, -1))


def test_reshaping(rng):
    x = rng.normal(size=(2, 4, 6)).astype("float32")
    close(layers.Flatten()(x), x.reshape(2, 24))
    close(layers.Flatten()(x[:, 0, 0]), x[:, :1, 0])
    close(layers.Reshape((-1, 3))(x), x.reshape(2, 8, 3))
    close(layers.Permute((2, 1))(x), x.transpose(0, 2, 1))
    close(layers.RepeatVector(3)(x[:, 0]), np.repeat(x[:, :1], 3, 1))
    close(layers.ZeroPadding1D((1, 2))(x), np.pad(x, ((0, 0), (1, 2), (0, 0))))
    close(layers.Cropping1D((1, 0))(x), x[:, 1:])
    close(layers.UpSampling1D(2)(x), np.repeat(x, 2, 1))


@pytest.mark.parametrize("axis", [-1, 1])
def test_batch_normalization(rng, axis):
    x = rng.normal(2.0, 3.0, size=(6, 4, 5)).astype("float32")
    layer = layers.BatchNormalization(axis=axis, momentum=0.9, epsilon=0.01)
    gamma, beta, mean, variance = random_weights(layer, x)
    shape = (-1, 1) if axis == 1 else (-1,)
    along = lambda v: v.reshape(shape)  # noqa: E731
    close(layer(x), (x - along(mean)) / np.sqrt(along(variance) + 0.01) * along(gamma) + along(beta))
    axes = (0, 2) if axis == 1 else (0, 1)
    batch_mean, batch_variance = x.mean(axes), x.var(axes)
    close(layer(x, training=True), (x - along(batch_mean)) / np.sqrt(along(batch_variance) + 0.01) * along(gamma) + along(beta), 1e-5)
    close(layer.moving_mean, 0.9 * mean + 0.1 * batch_mean)
    close(layer.moving_variance, 0.9 * variance + 0.1 * batch_variance)


def test_batch_normalization_leaves_masked_steps_out(rng):
    x = rng.normal(size=(3, 4, 2)).astype("float32")
    mask = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]], bool)
    layer = layers.BatchNormalization(momentum=0.0)
    y = layer(x, training=True, mask=mask)
    seen = x[mask]
    close(layer.moving_mean, seen.mean(0), 1e-5)
    close(y, (x - seen.mean(0)) / np.sqrt(seen.var(0) + 1e-3), 1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_averages_of_small_floats_are_rounded_once(rng, dtype):
    """Old and new value are added in float32: the old one times 0.99 would be off by more than it moves."""
    x = rng.normal(size=(64, 8)).astype("float32")
    layer = layers.BatchNormalization(dtype=dtype)
    for _ in range(5):
        before = layer.moving_variance.numpy() if layer.built else np.ones(8, "float32")
        layer(x, training=True)
        seen = ops.convert_to_numpy(ops.cast(x, dtype)).astype("float32").var(0)
        expected = ops.cast(before.astype("float32") * 0.99 + seen * 0.01, dtype)
        np.testing.assert_array_equal(layer.moving_variance.numpy(), ops.convert_to_numpy(expected))


def test_frozen_batch_normalization_uses_and_keeps_its_averages(rng):
    x = rng.normal(5.0, size=(4, 3)).astype("float32")
    layer = layers.BatchNormalization()
    layer(x)
    layer.trainable = False
    close(layer(x, training=True), x / np.sqrt(1.001), 1e-5)
    assert not np.any(layer.moving_mean.numpy())


@pytest.mark.parametrize("axis", [-1, 1, [1, 2]])
def test_layer_normalization(rng, axis):
    x = rng.normal(2.0, 3.0, size=(3, 4, 5)).astype("float32")
    layer = layers.LayerNormalization(axis=axis)
    gamma, beta = random_weights(layer, x)
    axes = tuple(axis) if isinstance(axis, list) else (axis,)
    if axis == 1:
        gamma, beta = gamma[:, None], beta[:, None]
    normal = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-3)
    close(layer(x), normal * gamma + beta, 1e-5)


def test_layer_normalization_rms_scaling(rng):
    x = rng.normal(size=(3, 4)).astype("float32")
    layer = layers.LayerNormalization(rms_scaling=True)
    (gamma,) = random_weights(layer, x)
    close(layer(x), x / np.sqrt(x.var(-1, keepdims=True) + 1e-3) * gamma)


def test_activations():
    x = np.array([[-3.0, -0.5, 0.0, 0.7, 1.5, 9.0]], "float32")
    close(layers.ReLU()(x), np.maximum(x, 0))
    close(layers.ReLU(max_value=6, negative_slope=0.1, threshold=1.0)(x), [[-0.4, -0.15, -0.1, -0.03, 1.5, 6.0]])
    close(layers.LeakyReLU(0.2)(x), np.where(x < 0, 0.2 * x, x))
    close(layers.ELU(0.7)(x), np.where(x < 0, 0.7 * np.expm1(x), x))
    close(layers.Activation("sigmoid")(x), 1 / (1 + np.exp(-x)))
    alpha = layers.PReLU(alpha_initializer="ones")
    close(alpha(x), np.where(x < 0, x, x))
    exp = np.exp(x - 9.0)
    close(layers.Softmax()(x), exp / exp.sum())


def test_relu_keeps_nan_and_infinity():
    x = np.array([np.nan, np.inf, -np.inf], "float32")
    np.testing.assert_array_equal(np.asarray(layers.ReLU()(x)), [np.nan, np.inf, 0])
    np.testing.assert_array_equal(np.asarray(layers.LeakyReLU()(x)), [np.nan, np.inf, -np.inf])


def test_softmax_mask_and_axes(rng):
    x = rng.normal(size=(2, 3, 4)).astype("float32")
    mask = np.array([[[True, False, True, True]], [[False] * 4]])
    e = np.exp(x[0]) * mask[0]
    close(layers.Softmax()(x, mask=np.broadcast_to(mask, x.shape)), np.stack([e / e.sum(-1, keepdims=True), np.zeros((3, 4))]))
    e = np.exp(x)
    close(layers.Softmax(axis=(1, 2))(x), e / e.sum((1, 2), keepdims=True))


def test_merges(rng):
    a, b, c = (rng.normal(size=(3, 4, 5)).astype("float32") for _ in range(3))
    close(layers.Add()([a, b, c]), a + b + c)
    close(layers.Subtract()([a, b]), a - b)
    close(layers.Multiply()([a, b, c]), a * b * c)
    close(layers.Average()([a, b, c]), (a + b + c) / 3)
    close(layers.Maximum()([a, b, c]), np.maximum(np.maximum(a, b), c))
    close(layers.Minimum()([a, b, c]), np.minimum(np.minimum(a, b), c))
    close(layers.concatenate([a, b[:, :2]], axis=1), np.concatenate([a, b[:, :2]], 1))
    close(layers.add([a, b[:, 0]]), a + b[:, 0][:, None])


def test_dot(rng):
    a, b = rng.normal(size=(2, 3, 4)).astype("float32"), rng.normal(size=(2, 5, 6, 4)).astype("float32")
    close(layers.Dot((2, 3))([a, b]), np.einsum("nik,njlk->nijl", a, b))
    u, v = a[:, 0], a[:, 1]
    close(layers.dot([u, v], axes=1), (u * v).sum(-1, keepdims=True))
    lengths = np.linalg.norm(u, axis=-1) * np.linalg.norm(v, axis=-1)
    close(layers.dot([u, v], axes=1, normalize=True), ((u * v).sum(-1) / lengths)[:, None])


def test_embedding_takes_rows():
    layer = layers.Embedding(4, 2, weights=np.arange(8.0).reshape(4, 2))
    close(layer(np.array([[3, 0]])), [[[6, 7], [0, 1]]])
    close(layer(np.array([[3.0, 0.0]])), [[[6, 7], [0, 1]]])


def test_rescaling_of_bytes():
    y = layers.Rescaling(1 / 127.5, offset=-1.0)(np.array([[0, 255]], "uint8"))
    assert y.dtype == "float32"
    close(y, [[-1, 1]])
    close(layers.Rescaling([1.0, 2.0], offset=[0.0, 1.0])(np.array([[3.0, 4.0]])), [[3, 9]])


def test_rescaling_channels_first():
    config.set_image_data_format("channels_first")
    try:
        close(layers.Rescaling([1.0, 2.0])(np.ones((1, 2, 2, 1))), [[[[1], [1]], [[2], [2]]]])
    finally:
        config.set_image_data_format("channels_last")


def test_masking_zeroes_and_masks_steps():
    x = np.array([[[0.0, 0.0], [1.0, 0.0]]], "float32")
    y = layers.Masking()(x)
    np.testing.assert_array_equal(np.asarray(y._keras_mask), [[False, True]])
    close(layers.Masking(mask_value=1.0)(np.ones((1, 1, 2))), [[[0, 0]]])


def test_random_layers_are_the_identity_outside_training(rng):
    x = rng.normal(size=(3, 4, 5)).astype("float32")
    for layer in (layers.Dropout(0.5), layers.GaussianNoise(0.5), layers.GaussianDropout(0.5), layers.SpatialDropout1D(0.5)):
        np.testing.assert_array_equal(np.asarray(layer(x)), x)


def test_dropout_scales_what_it_keeps():
    y = np.asarray(layers.Dropout(0.25, seed=1)(np.ones((200, 100), "float32"), training=True))
    assert set(np.unique(y)) == {0.0, np.float32(1 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 0.01


def test_dropout_draws_anew_each_time_and_repeats_by_seed():
    x = np.ones((20, 20), "float32")
    first, second = layers.Dropout(0.5, seed=3), layers.Dropout(0.5, seed=3)
    a, b = np.asarray(first(x, training=True)), np.asarray(first(x, training=True))
    assert (a != b).any()
    np.testing.assert_array_equal(np.asarray(second(x, training=True)), a)


def test_spatial_dropout_drops_whole_maps():
    y = np.asarray(layers.SpatialDropout2D(0.5, seed=1)(np.ones((8, 4, 4, 8), "float32"), training=True))
    assert ((y == 0).all((1, 2)) | (y == 2).all((1, 2))).all()
    assert (y == 0).any() and (y == 2).any()


def test_noise_moments():
    x = np.ones((200, 200), "float32")
    noisy = np.asarray(layers.GaussianNoise(0.5, seed=1)(x, training=True))
    assert abs(noisy.mean() - 1) < 0.02 and abs(noisy.std() - 0.5) < 0.02
    scaled = np.asarray(layers.GaussianDropout(0.2, seed=1)(x, training=True))
    assert abs(scaled.mean() - 1) < 0.02 and abs(scaled.std() - 0.5) < 0.02


@pytest.mark.parametrize(("policy", "dtype", "weights"), [
    ("float32", "float32", "float32"), ("float64", "float64", "float64"), ("mixed_float16", "float16", "float32"),
    ("mixed_bfloat16", "bfloat16", "float32"), ("float16", "float16", "float16")])
def test_policies(policy, dtype, weights):
    layer = layers.Dense(3, dtype=policy)
    y = layer(np.ones((2, 4)))
    assert (y.dtype, layer.kernel.dtype, layer.compute_dtype) == (dtype, weights, dtype)
    kernel = layer.kernel.numpy().astype("float64")
    np.testing.assert_allclose(np.asarray(y).astype("float64"), np.tile(kernel.sum(0), (2, 1)), atol=3e-2)


def test_integers_keep_their_type_through_layers_that_only_move_them():
    x = np.ones((2, 3, 4), "int32")
    for layer in (layers.Flatten(), layers.Permute((2, 1)), layers.Reshape((12,))):
        assert layer(x).dtype == "int32"
    assert layers.Add()([x, x]).dtype == "int32"
    assert layers.Dense(2)(x[0]).dtype == "float32"
