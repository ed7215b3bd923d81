"""Small models for mistakes to be made with."""

from __future__ import annotations

import kcompile as keras
from kcompile import layers


def classifier(loss="mse", units=1, activation=None, **compile_arguments):
    """A compiled Sequential over 4 features."""
    model = keras.Sequential([keras.Input((4,), name="features"), layers.Dense(3, activation="relu", name="hidden"),
                              layers.Dense(units, activation=activation, name="out")], name="net")
    model.compile("sgd", loss, **compile_arguments)
    return model


def pair():
    """A model of two inputs, a and b, and two outputs, one and two; not compiled."""
    a, b = keras.Input((4,), name="a"), keras.Input((2,), name="b")
    hidden = layers.Concatenate()([a, b])
    return keras.Model([a, b], [layers.Dense(1, name="one")(hidden), layers.Dense(3, name="two")(hidden)], name="pair")
