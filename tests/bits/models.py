"""Models whose bits are compared: every kind of kernel that the first layers make, small enough to train in a moment.

    model, data, outputs = compiled("cnn")     always with the same weights; data(rows) makes its inputs
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

import kcompile as keras
from kcompile import layers

Array = npt.NDArray[Any]
Data = Callable[[int], Array]


def _normal(*shape: int) -> Data:
    return lambda rows: np.random.default_rng(7).standard_normal((rows, *shape)).astype("float32")


def _tokens(high: int, *shape: int) -> Data:
    return lambda rows: np.random.default_rng(7).integers(0, high, (rows, *shape)).astype("int32")


def _mlp() -> tuple[list[Any], Data, int]:
    return [keras.Input((50,)), layers.Dense(64, activation="relu"), layers.Dropout(0.3), layers.Dense(37, activation="tanh"),
            layers.Dense(10, activation="softmax")], _normal(50), 10


def _cnn() -> tuple[list[Any], Data, int]:
    return [keras.Input((13, 13, 2)), layers.Conv2D(12, 3, activation="relu"), layers.MaxPooling2D(), layers.Conv2D(20, 3, padding="same"),
            layers.BatchNormalization(), layers.ReLU(), layers.GlobalAveragePooling2D(), layers.Dense(5)], _normal(13, 13, 2), 5


def _strided() -> tuple[list[Any], Data, int]:
    return [keras.Input((12, 12, 3)), layers.Conv2D(8, 3, strides=2, padding="same", activation="elu"),
            layers.AveragePooling2D(2, padding="same"), layers.ZeroPadding2D(1), layers.Flatten(), layers.Dense(6)], _normal(12, 12, 3), 6


def _depthwise() -> tuple[list[Any], Data, int]:
    return [keras.Input((11, 11, 3)), layers.Conv2D(18, 3, use_bias=False), layers.BatchNormalization(), layers.ReLU(),
            layers.DepthwiseConv2D(3, padding="same"), layers.BatchNormalization(), layers.DepthwiseConv2D(3, strides=2, padding="same"),
            layers.Conv2D(20, 1), layers.Flatten(), layers.Dense(5)], _normal(11, 11, 3), 5


def _batch_normalization() -> tuple[list[Any], Data, int]:
    return [keras.Input((33,)), layers.Dense(48), layers.BatchNormalization(), layers.ReLU(), layers.Dense(21),
            layers.BatchNormalization(momentum=0.9), layers.Dense(4)], _normal(33), 4


def _layer_normalization() -> tuple[list[Any], Data, int]:
    return [keras.Input((9, 20)), layers.LayerNormalization(), layers.Dense(24, activation="gelu"), layers.LayerNormalization(),
            layers.Softmax(), layers.GlobalAveragePooling1D(), layers.Dense(3)], _normal(9, 20), 3


def _sequence() -> tuple[list[Any], Data, int]:
    return [keras.Input((14,), dtype="int32"), layers.Embedding(40, 18), layers.Conv1D(16, 3, padding="causal", activation="relu"),
            layers.GlobalMaxPooling1D(), layers.Dense(4, kernel_regularizer="l2")], _tokens(40, 14), 4


def _narrow() -> tuple[list[Any], Data, int]:
    """Fewer columns than a vector has lanes."""
    return [keras.Input((3,)), layers.Dense(2, activation="sigmoid"), layers.Dense(1)], _normal(3), 1


def _wide() -> tuple[list[Any], Data, int]:
    """Enough columns for several panels, long sums."""
    return [keras.Input((1100,)), layers.Dense(150, activation="sigmoid"), layers.Dense(130, activation="softmax")], _normal(1100), 130


TABLE = {"mlp": _mlp, "wide": _wide, "cnn": _cnn, "strided": _strided, "depthwise": _depthwise,
         "batch_normalization": _batch_normalization,
         "layer_normalization": _layer_normalization, "sequence": _sequence, "narrow": _narrow}


def compiled(name: str, optimizer: str = "adam") -> tuple[Any, Data, int]:
    """(model, function rows -> inputs, number of outputs). The weights follow from the name alone."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(11)
    stack, data, outputs = TABLE[name]()
    model = keras.Sequential(stack)
    last = stack[-1]
    if outputs == 1:
        model.compile(optimizer=optimizer, loss="mse", metrics=["mae"])
    else:
        logits = getattr(last, "activation", None) is not keras.activations.softmax
        model.compile(optimizer=optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=logits), metrics=["accuracy"])
    return model, data, outputs


def labels(outputs: int, rows: int) -> Array:
    rng = np.random.default_rng(5)
    return rng.standard_normal((rows, 1)).astype("float32") if outputs == 1 else rng.integers(0, outputs, rows).astype("int32")


def trained(name: str, optimizer: str = "adam", rows: int = 75, batch: int = 32, epochs: int = 2) -> dict[str, bytes]:
    """The bits of a whole training run, shuffled, with dropout, a smaller last batch and validation: by what they are."""
    model, data, outputs = compiled(name, optimizer)
    x, y = data(rows), labels(outputs, rows)
    history = model.fit(x, y, batch_size=batch, epochs=epochs, validation_data=(x[:21], y[:21]), verbose=0)
    found = {f"history {key}": np.asarray(values, "float64").tobytes() for key, values in history.history.items()}
    found.update({f"weight {n} {weight.path}": np.asarray(weight).tobytes() for n, weight in enumerate(model.weights)})
    found.update({f"slot {n} {slot.path}": np.asarray(slot).tobytes() for n, slot in enumerate(model.optimizer.variables)})
    found["predictions"] = model.predict(x, batch_size=batch, verbose=0).tobytes()
    found["evaluation"] = np.asarray(model.evaluate(x, y, batch_size=batch, verbose=0), "float64").tobytes()
    return found
