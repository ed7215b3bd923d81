"""The benchmark models, written against the public Keras 3 API: the same source runs under kcompile and under Keras.

Each builder takes the `keras` module and returns (model, data function of (rows, generator), compile arguments).
"""

from __future__ import annotations

import numpy as np
from networks import CLASSIFY, autoencoder, depthwise, images, mobilenetv2, resnet20, resnet50


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


WORKLOADS = {  # trained through fit: name -> (builder, batch size)
    "tabular": (tabular, 32),
    "mlp": (mlp, 32),
    "mlp_b512": (mlp, 512),
    "cnn_b32": (cnn, 32),
    "cnn_b128": (cnn, 128),
    "resnet20": (resnet20, 128),
    "autoencoder": (autoencoder, 128),
    "depthwise": (depthwise, 64),
}
EPOCHS = {  # steps of an epoch: the same rows for every engine, since they count as its memory and leave or stay in the caches
    "tabular": 2000,
    "mlp": 400,
    "mlp_b512": 32,
    "cnn_b32": 100,
    "cnn_b128": 32,
    "resnet20": 4,
    "autoencoder": 32,
    "depthwise": 4,
}
PREDICT = {  # inference alone
    "predict_mlp": (mlp, 1),
    "predict_mobilenetv2": (mobilenetv2, 1),
    "predict_resnet50": (resnet50, 1),
    "predict_resnet50_b16": (resnet50, 16),
}
# The peers that have been the fastest of a workload, or near it: what is run unless --every-peer is given
CONTENDERS = {
    "tabular": ("jax", "keras-jax", "keras-tensorflow"),
    "mlp": ("keras-jax", "jax", "keras-tensorflow", "torch"),
    "mlp_b512": ("keras-jax", "jax", "keras-tensorflow", "torch"),
    "cnn_b32": ("keras-tensorflow", "keras-jax", "torch"),
    "cnn_b128": ("keras-tensorflow", "keras-jax", "torch"),
    "resnet20": ("torch-compile", "keras-tensorflow", "torch"),
    "autoencoder": ("keras-tensorflow-xla", "keras-tensorflow", "torch"),
    "depthwise": ("torch", "keras-tensorflow"),
    "predict_mlp": ("onnxruntime", "keras-jax", "keras-tensorflow"),
    "predict_mobilenetv2": ("onnxruntime", "keras-tensorflow"),
    "predict_resnet50": ("onnxruntime", "keras-tensorflow"),
    "predict_resnet50_b16": ("keras-tensorflow", "onnxruntime"),
}


def workload(name):
    """(builder, batch size, whether it is trained). Raises KeyError."""
    if name in PREDICT:
        return *PREDICT[name], False
    return *WORKLOADS[name], True


def epochs(seconds, one_epoch):
    """How many epochs fill the time, two at least: of a single one nobody knows whether something got in its way."""
    return max(2, round(seconds / one_epoch))
