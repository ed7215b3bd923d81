"""Batches that are run several at once: what is between two of them is as if each were run alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers
from kcompile.data import Dataset

X = np.random.default_rng(0).random((64, 3)).astype("float32")


def model() -> Any:
    keras.utils.set_random_seed(1)
    made = keras.Sequential([layers.Input((3,)), layers.Dense(2)])
    made.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return made


def mapped(labels: Any) -> Dataset:
    return Dataset.from_tensor_slices((X, labels)).map(lambda x, y: (x * 2, y)).batch(4)


def test_a_bad_label_stops_after_the_good_batches() -> None:
    labels = np.zeros(64, "int64")
    labels[50] = 7
    made = model()
    with pytest.raises(ValueError, match=r"`y`: value 7 of sample 2 is outside 0 \.\.\. 1"):
        made.fit(mapped(labels), verbose=0)
    assert int(made.optimizer.iterations.numpy()) == 12


class Stop(keras.callbacks.Callback):
    """Ends the epoch's training after its fifth batch."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.losses.append(logs["loss"])
        if batch == 4:
            self.model.stop_training = True


def test_callbacks_see_every_batch() -> None:
    seen = []
    for data in (mapped(np.zeros(64, "int64")), [(X[n:n + 4] * 2, np.zeros(4, "int64")) for n in range(0, 64, 4)]):
        stop, made = Stop(), model()
        made.fit(data if isinstance(data, Dataset) else iter(data), callbacks=[stop], verbose=0)
        seen.append((stop.losses, made.get_weights()))
    assert len(seen[0][0]) == 5 and seen[0][0] == seen[1][0]
    assert all(np.array_equal(a, b) for a, b in zip(seen[0][1], seen[1][1], strict=True))
