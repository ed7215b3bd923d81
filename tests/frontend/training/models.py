"""Small models and data for the tests of training."""

import numpy as np

import kcompile as keras

ROWS = 20


def inputs(rows=ROWS, columns=4):
    return np.random.default_rng(0).random((rows, columns)).astype("float32")


def classes(rows=ROWS, count=3):
    return np.arange(rows) % count


def fixed_weights(model):
    model.set_weights([np.sin(np.arange(w.size, dtype="float32")).reshape(w.shape) for w in model.get_weights()])
    return model


def classifier(optimizer="sgd", loss="sparse_categorical_crossentropy", units=3, **compiled):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, activation="softmax", name="head")])
    model.compile(optimizer, loss, **compiled)
    return fixed_weights(model)


def linear(optimizer="sgd", loss="mse", units=1, **compiled):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, name="line")])
    model.compile(optimizer, loss, **compiled)
    return fixed_weights(model)


def two_headed(**compiled):
    x = keras.Input((4,), name="x")
    hidden = keras.layers.Dense(5, name="hidden")(x)
    outputs = [keras.layers.Dense(1, name="a")(hidden), keras.layers.Dense(3, activation="softmax", name="b")(hidden)]
    model = keras.Model(x, outputs)
    model.compile("sgd", **compiled)
    return fixed_weights(model)


def two_labels(rows=ROWS):
    return [np.ones((rows, 1), "float32"), classes(rows)]
