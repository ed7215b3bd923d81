"""Training from data sets beside training from the same arrays given directly: microseconds a step, and the share of the speed.

    python benchmarks/pipelines.py

The bars: 80 % of the speed for a data set without functions, less than twice the time with a random flip of the images.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

import kcompile as keras
from kcompile import layers
from kcompile.compat import tf
from kcompile.data import Dataset

ROWS, BATCH, ROUNDS = 20_000, 32, 5


def model() -> Any:
    """The classifier of the acceptance programs."""
    made = keras.Sequential([layers.Flatten(), layers.Dense(512, activation="relu"), layers.Dropout(0.2),
                             layers.Dense(10, activation="softmax")])
    made.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


def flipped(x: Any, y: Any) -> Any:
    return tf.image.random_flip_left_right(x), y


def main() -> int:
    generator = np.random.default_rng(0)
    x, y = generator.random((ROWS, 28, 28), dtype=np.float32), generator.integers(0, 10, ROWS).astype("uint8")
    rows, images = Dataset.from_tensor_slices((x, y)), Dataset.from_tensor_slices((x[..., None], y))
    inputs: dict[str, tuple[Any, ...]] = {
        "arrays": (x, y),
        "batch, shuffle": (rows.batch(BATCH).shuffle(10_000).repeat(),),
        "shuffle, batch": (rows.shuffle(10_000).batch(BATCH).repeat(),),
        "batch, shuffle, flip": (rows.batch(BATCH).shuffle(10_000).map(flipped).repeat(),),
        "flip each image, shuffle, batch": (images.map(flipped).shuffle(10_000).batch(BATCH).repeat(),),
        "shuffle, batch, flip each image": (images.shuffle(10_000).batch(BATCH).map(flipped).repeat(),),
    }
    models = {name: model() for name in inputs}
    steps, best = ROWS // BATCH, dict.fromkeys(inputs, float("inf"))
    for round_number in range(ROUNDS + 1):  # in alternation; the first round compiles
        for name, data in inputs.items():
            since = time.perf_counter()
            models[name].fit(*data, verbose=0, steps_per_epoch=steps if round_number else 20)
            if round_number:
                best[name] = min(best[name], time.perf_counter() - since)
    for name, seconds in best.items():
        print(f"{name:34} {seconds / steps * 1e6:8.1f} us/step {best['arrays'] / seconds:7.0%} of the speed of arrays")
    plain = best["arrays"] / best["batch, shuffle"] >= 0.8
    return 0 if plain and best["batch, shuffle, flip"] < 2 * best["batch, shuffle"] else 1


if __name__ == "__main__":
    sys.exit(main())
