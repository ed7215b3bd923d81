"""Generators that are empty, or that end while an epoch still needs them: an error or a warning, never the loss 0."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers

X, Y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")


def model() -> Any:
    result = keras.Sequential([layers.Input((3,)), layers.Dense(1, kernel_initializer="zeros")])
    result.compile(keras.optimizers.SGD(0.1), "mse")
    return result


def batches(count: int) -> Iterator[Any]:
    for _ in range(count):
        yield X, Y


def test_an_empty_source_is_an_error() -> None:
    with pytest.raises(ValueError, match="no batch"):
        model().fit(batches(0), verbose=0)
    with pytest.raises(ValueError, match="no batch"):
        model().evaluate(batches(0), verbose=0)
    with pytest.raises(ValueError, match="no batch"):
        model().predict(batches(0), verbose=0)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("steps", [None, 1])
def test_validation_data_that_has_ended_is_an_error_not_a_loss_of_zero(steps: int | None) -> None:
    trained = model()
    with pytest.raises(ValueError, match="validation_steps"):
        trained.fit(X, Y, validation_data=batches(2), validation_steps=steps, epochs=4, verbose=0)
    losses = trained.history.history["val_loss"]
    assert len(losses) == (1 if steps is None else 2) and all(loss > 0 for loss in losses)
    assert np.isfinite(trained.evaluate(X, Y, verbose=0))  # and the model goes on


def test_training_data_that_has_ended_stops_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="ran out of data"):
        history = model().fit(batches(2), epochs=3, verbose=0)
    assert history.epoch == [0]


def test_a_model_without_trainable_weights_says_so() -> None:
    frozen = model()
    frozen.trainable = False
    frozen.compile("sgd", "mse")
    before = frozen.get_weights()
    with pytest.warns(UserWarning, match="trainable weights"):
        frozen.fit(X, Y, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, frozen.get_weights(), strict=True))
