"""A prediction is always that of the weights as they are, whoever has changed them since the last one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kcompile as keras


@pytest.fixture
def model() -> Any:
    """Large enough that a prediction keeps panels of its weights."""
    model = keras.Sequential([keras.Input((40,)), keras.layers.Dense(512, activation="relu"), keras.layers.Dense(300)])
    model.compile("sgd", "mse")
    return model


X = np.random.default_rng(0).standard_normal((5, 40), np.float32)
Y = np.random.default_rng(1).standard_normal((5, 300), np.float32)


def check(model: Any) -> None:
    """Every way to predict, against numpy."""
    w1, b1, w2, b2 = model.get_weights()
    expected = np.maximum(X @ w1 + b1, 0) @ w2 + b2
    for found in (model.predict_on_batch(X), model.predict(X, verbose=0), model.predict(X, batch_size=2, verbose=0)):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_panels_are_kept(model: Any) -> None:
    model.predict_on_batch(X)
    (runner,) = model._runners.values()
    assert len(runner.executable.code.panels) == 2


def test_assigned_and_set(model: Any) -> None:
    check(model)
    model.layers[0].kernel.assign(np.full((40, 512), 0.01, np.float32))
    check(model)
    model.layers[1].kernel.assign_add(np.ones((512, 300), np.float32))
    check(model)
    model.set_weights([0.5 * w for w in model.get_weights()])
    check(model)
    model.layers[1].set_weights([np.ones((512, 300)), np.zeros(300)])
    check(model)


def test_trained(model: Any) -> None:
    check(model)
    model.fit(X, Y, epochs=2, verbose=0)
    check(model)
    model.train_on_batch(X, Y)
    check(model)

    class Predicting(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            check(self.model)
    model.fit(X, Y, epochs=3, validation_data=(X, Y), verbose=0, callbacks=[Predicting()])
    check(model)


def test_loaded(model: Any, tmp_path: Path) -> None:
    check(model)
    model.save_weights(tmp_path / "old.weights.h5")
    before = model.predict_on_batch(X)
    model.fit(X, Y, epochs=1, verbose=0)
    check(model)
    model.load_weights(tmp_path / "old.weights.h5")
    check(model)
    np.testing.assert_array_equal(model.predict_on_batch(X), before)


def test_a_layer_shared_by_two_models(model: Any) -> None:
    other = keras.Sequential([keras.Input((40,)), *model.layers])
    other.compile("sgd", "mse")
    check(other)
    check(model)
    other.fit(X, Y, epochs=1, verbose=0)
    check(model)
    check(other)
