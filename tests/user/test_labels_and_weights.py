"""What people give as labels and weights beside plain arrays, and what callbacks may do to the logs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, ops


def model(loss: Any) -> Any:
    result = keras.Sequential([layers.Input((3,)), layers.Dense(2, kernel_initializer="ones")])
    result.compile(keras.optimizers.SGD(0.0), loss)
    return result


def scalar_loss(y_true: Any, y_pred: Any) -> Any:
    return ops.mean(ops.square(y_true - y_pred))


X = np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)
Y = np.zeros((4, 2), "float32")


def test_a_loss_of_one_number_is_weighed_by_the_mean_weight() -> None:
    """As Keras does: the number times every weight, then the mean."""
    plain = model(scalar_loss).evaluate(X, Y, verbose=0)
    weighted = model(scalar_loss).evaluate(X, Y, sample_weight=np.array([0.0, 1.0, 2.0, 5.0]), verbose=0)
    assert weighted == pytest.approx(2.0 * plain, rel=1e-6)
    history = model(scalar_loss).fit(X, np.array([[0.0], [0.0], [1.0], [1.0]]) * np.ones((4, 2)), class_weight={0: 3.0, 1: 3.0}, verbose=0)
    assert np.isfinite(history.history["loss"][0])


def test_weights_of_another_length_than_the_loss_values_are_still_refused() -> None:
    with pytest.raises(ValueError, match="sample_weight"):
        model("mse").fit(X, Y, sample_weight=np.ones((4, 5)), verbose=0)


def test_text_in_an_object_array_is_not_read_as_numbers() -> None:
    for labels in (np.array([["0", "1"]] * 4, object), np.array([[b"0", 1]] * 4, object)):
        with pytest.raises(ValueError, match="text"):
            model("mse").fit(X, labels, verbose=0)
    numbers = np.array([[0, 1.5]] * 4, object)
    assert model("mse").evaluate(X, numbers, verbose=0) == model("mse").evaluate(X, numbers.astype("float32"), verbose=0)


def test_a_callback_that_adds_to_the_logs_changes_history_but_not_the_logs_of_on_train_end() -> None:
    seen: list[list[str]] = []
    history = model("mse").fit(X, Y, epochs=2, verbose=0, callbacks=[
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5),
        keras.callbacks.LambdaCallback(on_train_end=lambda logs: seen.append(sorted(logs)))])
    assert sorted(history.history) == ["learning_rate", "loss"]
    assert seen == [["loss"]]
