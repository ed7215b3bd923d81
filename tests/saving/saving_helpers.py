"""What the tests of saving share: the cases of both libraries, small models, files of every format."""

from __future__ import annotations

import numpy as np
from cases import CASES, PREDICT_ONLY, WEIGHTS_ONLY  # noqa: F401
from judge import differences, formats_of, load, save  # noqa: F401

import kcompile as keras

FORMATS = ("keras", "h5", "weights.h5")


def load_case(name, path):
    return load(keras, name, path)


def small_model(dropout=0.3, seed=4):
    """A compiled model with dropout and batch normalization."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    model = keras.Sequential([layers.Input((6,)), layers.Dense(8, activation="relu"), layers.Dropout(dropout), layers.BatchNormalization(),
                              layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def rows(count=70):
    generator = np.random.default_rng(0)
    return generator.normal(size=(count, 6)).astype("float32"), generator.integers(0, 3, count)
