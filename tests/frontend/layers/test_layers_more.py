"""Layers that Keras alone can judge: spectral normalization, resampling, alpha dropout; figures of Keras 3.15 on TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers

SPECTRAL = {
    "conv": (lambda: layers.SpectralNormalization(layers.Conv1D(3, 2)), [5.723875, 16.07093, 10.95306], 0.5551915,
             [0.316249, 0.174614, -0.278697]),
    "dense": (lambda: layers.SpectralNormalization(layers.Dense(4), power_iterations=3), [0.8735674, 0.4170477, 0.4024366], 0.3963768,
              [0.813097, 0.88988, 0.177834, -0.769337]),
}


@pytest.mark.parametrize("name", SPECTRAL)
def test_spectral_normalization(name):
    """The kernel is divided before each step, and the gradient is that of the divided kernel."""
    make, losses, after, bias = SPECTRAL[name]
    x, y = np.cos(np.arange(60.0)).reshape(5, 4, 3).astype("float32"), np.sin(np.arange(10.0)).reshape(5, 2).astype("float32")
    model = keras.Sequential([keras.Input((4, 3)), make(), layers.Flatten(), layers.Dense(2)])
    model.set_weights([np.sin(np.arange(w.size) + 1.0).reshape(w.shape).astype("float32") for w in model.get_weights()])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    assert model.fit(x, y, epochs=3, batch_size=5, shuffle=False, verbose=0).history["loss"] == pytest.approx(losses, rel=2e-6)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(after, rel=2e-6)
    np.testing.assert_allclose(model.get_weights()[2], bias, rtol=1e-5)


def test_a_kernel_of_zeros_is_not_divided():
    layer = layers.SpectralNormalization(layers.Dense(2, kernel_initializer="zeros"))
    assert np.array_equal(layer(np.ones((1, 3)), training=True), np.zeros((1, 2)))
    assert np.array_equal(layer.layer.kernel, np.zeros((3, 2)))


IMAGE = np.arange(12.0).reshape(1, 3, 4, 1).astype("float32")


def test_resampled_images():
    def flat(layer, images=IMAGE):
        return np.asarray(layer(images)).ravel().tolist()

    assert flat(layers.UpSampling2D((2, 1), interpolation="bilinear")) == [
        0, 1, 2, 3, 1, 2, 3, 4, 3, 4, 5, 6, 5, 6, 7, 8, 7, 8, 9, 10, 8, 9, 10, 11]
    assert flat(layers.UpSampling2D((1, 2), interpolation="bicubic"))[:8] == pytest.approx([
        -0.0882353, 0.1678832, 0.7099237, 1.25, 1.75, 2.2900763, 2.8321168, 3.0882357], rel=1e-5)
    assert flat(layers.Resizing(2, 3, interpolation="lanczos3", antialias=True)) == pytest.approx([
        1.2551948, 2.5958018, 3.9364085, 7.063591, 8.4041992, 9.7448063], rel=1e-5)
    assert flat(layers.Resizing(2, 3), (IMAGE * 20).astype("uint8")) == [23, 50, 77, 143, 170, 197]
    assert np.asarray(layers.Resizing(2, 3)((IMAGE * 20).astype("uint8"))).dtype == "uint8"
    assert flat(layers.CenterCrop(4, 2)) == [1, 1, 3.5, 3.5, 6.5, 6.5, 9, 9]
    assert layers.Resizing(2, 2)(IMAGE[0]).shape == (2, 2, 1)


def test_images_of_unknown_size_grow_bilinearly():
    x = keras.Input((None, None, 1))
    model = keras.Model(x, layers.UpSampling2D((2, 3), interpolation="bilinear")(x))
    assert model.output_shape == (None, None, None, 1)
    known = layers.UpSampling2D((2, 3), interpolation="bilinear")
    for size in (2, 3):
        np.testing.assert_array_equal(model.predict(IMAGE[:, :size], verbose=0), known(IMAGE[:, :size]))


def test_alpha_dropout_keeps_mean_and_spread():
    x = np.random.default_rng(0).standard_normal((400, 300)).astype("float32")
    y = np.asarray(layers.AlphaDropout(0.3, seed=1)(x, training=True))
    assert abs(y.mean()) < 0.02 and abs(y.std() - 1) < 0.02
    values, counts = np.unique(y, return_counts=True)
    assert counts.max() / y.size == pytest.approx(0.3, abs=0.01) and values[counts.argmax()] == pytest.approx(DROPPED, rel=1e-5)
    assert np.array_equal(layers.AlphaDropout(0.3)(x), x)
    rows = np.asarray(layers.AlphaDropout(0.3, noise_shape=(None, 1))(x, training=True))
    assert set(np.isclose(rows, DROPPED).mean(axis=1).round(2)) == {0.0, 1.0}


LOWEST = -1.6732632423543772 * 1.0507009873554805  # of selu
DROPPED = LOWEST * 0.7 / np.sqrt(0.7 * (1 + 0.3 * LOWEST**2))


MADE = [
    layers.GroupNormalization(4, center=False), layers.RMSNormalization(axis=(1, 2)), layers.UnitNormalization(axis=[1, 2]),
    layers.SpectralNormalization(layers.Dense(3), 2), layers.Wrapper(layers.Dense(3)), layers.ActivityRegularization(0.1, 0.2),
    layers.AlphaDropout(0.2, seed=3), layers.SpatialDropout3D(0.2), layers.UpSampling1D(3), layers.UpSampling2D(3, interpolation="bicubic"),
    layers.UpSampling3D((1, 2, 3)), layers.ZeroPadding3D(2), layers.Cropping3D((1, 0, 2)), layers.MaxPooling3D(3, padding="same"),
    layers.AveragePooling3D((1, 2, 1)), layers.GlobalMaxPooling3D(keepdims=True), layers.GlobalAveragePooling3D(),
    layers.Resizing(3, 4, antialias=True), layers.CenterCrop(2, 3),
]


@pytest.mark.parametrize("layer", MADE, ids=lambda layer: type(layer).__name__)
def test_configurations(layer):
    again = layers.deserialize(layers.serialize(layer))
    assert type(again) is type(layer) and again.get_config() == layer.get_config()


WRONG = [
    (lambda: layers.GroupNormalization(0), "invalid value for argument `groups`"),
    (lambda: layers.GroupNormalization(8)(np.ones((2, 6))), r"Number of groups \(8\) cannot be more than the number of channels \(6\)"),
    (lambda: layers.GroupNormalization(4)(np.ones((2, 6))), r"channels \(6\) must be a multiple of the number of groups \(4\)"),
    (lambda: layers.UnitNormalization(axis="a"), "expected an int or a list/tuple of ints"),
    (lambda: layers.RMSNormalization(axis=5)(np.ones((2, 3))), "Axis 5 is out of bounds"),
    (lambda: layers.Wrapper(3), "Layer 3 supplied to Wrapper isn't a supported layer type"),
    (lambda: layers.SpectralNormalization(layers.Dense(2), 0), "`power_iterations` should be greater than zero"),
    (lambda: layers.SpectralNormalization(layers.ReLU())(np.ones((2, 3))), "ReLU object has no attribute 'kernel' nor 'embeddings'"),
    (lambda: layers.UpSampling2D(interpolation="x"), "Invalid value for argument `interpolation`"),
    (lambda: layers.Resizing(2, 2, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True), "Only one of"),
    (lambda: layers.Resizing(2, 2)(np.ones((2, 3))), "expected rank 3"),
    (lambda: layers.AlphaDropout(2), "Expected a float value between 0 and 1"),
    (lambda: layers.Cropping3D(3)(np.ones((1, 3, 3, 3, 1))), "must be smaller than the input"),
    (lambda: layers.MaxPooling3D(4)(np.ones((1, 3, 3, 3, 1))), "Computed output size would be zero or negative"),
]


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_what_cannot_be_made(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()
