"""The variance of a normalization, whose parts are centred on each sample's own mean, is as good as one centred on the mean of all."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers


@pytest.mark.parametrize("shift", [0.0, 100.0, 3000.0])
@pytest.mark.parametrize("apart", [0.0, 50.0])
def test_far_from_zero(shift: float, apart: float) -> None:
    """Values far from 0, samples far from each other. Of float32 numbers near 3000 the mean itself is off by 1e-4."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((32, 9, 9, 20)).astype("float32") + np.float32(shift)
    x += (apart * rng.standard_normal((32, 1, 1, 20))).astype("float32")
    model = keras.Sequential([keras.Input((9, 9, 20)), layers.BatchNormalization(momentum=0.0), layers.Flatten(), layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse")
    model.fit(x, np.zeros((32, 1), "float32"), batch_size=32, shuffle=False, verbose=0)
    wide = x.astype("float64")
    np.testing.assert_allclose(np.asarray(model.layers[0].moving_mean), wide.mean((0, 1, 2)), rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(np.asarray(model.layers[0].moving_variance), wide.var((0, 1, 2)), rtol=2e-6)


def test_infinity_is_no_number() -> None:
    """As where deviations from the mean of all are summed."""
    x = np.ones((4, 8, 8, 3), "float32")
    x[2, 3, 4, 1] = np.inf
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.BatchNormalization(momentum=0.0), layers.Flatten(), layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse")
    model.fit(x, np.zeros((4, 1), "float32"), batch_size=4, verbose=0)
    variance = np.asarray(model.layers[0].moving_variance)
    assert np.isnan(variance[1]) and (variance[[0, 2]] == 0).all()
