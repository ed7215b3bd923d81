"""The benchmark models, written against the public Keras 3 API: the same source runs under kcompile and under Keras.

Each builder takes the `keras` module and returns (model, data function, compile arguments).
"""

from __future__ import annotations

import numpy as np

CLASSIFY = {"loss": "sparse_categorical_crossentropy", "optimizer": "adam", "metrics": ["accuracy"]}


def images(height, width, channels, classes=10):
    """Random images and labels: a function of (rows, generator)."""
    def data(rows, rng):
        x = rng.random((rows, height, width, channels) if channels else (rows, height, width), dtype=np.float32)
        return x, rng.integers(0, classes, rows).astype("int32")
    return data


def tabular(keras):
    """13 features, two hidden layers, one number out."""
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((13,)), layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu"), layers.Dense(1),
    ])

    def data(rows, rng):
        x = rng.standard_normal((rows, 13), dtype=np.float32)
        return x, x[:, :1] * 2 + 1
    return model, data, {"loss": "mse", "optimizer": "adam"}


def mlp(keras):
    """The MNIST network of the README: 784-512-10 with dropout."""
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((28, 28)), layers.Flatten(), layers.Dense(512, activation="relu"), layers.Dropout(0.2),
        layers.Dense(10, activation="softmax"),
    ])
    return model, images(28, 28, 0), dict(CLASSIFY)


def cnn(keras):
    """Three convolutions on 28x28 images."""
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((28, 28, 1)), layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(2), layers.Conv2D(64, 3, activation="relu"),
        layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax"),
    ])
    return model, images(28, 28, 1), dict(CLASSIFY)


WORKLOADS = {  # name -> (builder, batch size)
    "tabular": (tabular, 32),
    "mlp": (mlp, 32),
    "mlp_b512": (mlp, 512),
    "cnn_b32": (cnn, 32),
    "cnn_b128": (cnn, 128),
}
