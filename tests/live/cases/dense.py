"""Dense layers, the ways to write a model of them, and regularizers."""
import numpy as np

from ..data import integers, normal
from ..spec import add, case


def regression(optimizer="sgd"):
    return dict(optimizer=optimizer, loss="mse"), dict(x=normal(6), y=normal(1))


@case
def dense_sequential(keras):
    L = keras.layers
    model = keras.Sequential([keras.Input((6,)), L.Dense(8, activation="relu"), L.Dense(1)])
    return model, *regression()


@case
def dense_functional(keras):
    L = keras.layers
    inputs = keras.Input((6,))
    hidden = L.Dense(8, activation="tanh")(inputs)
    hidden = L.Dense(5, activation="sigmoid")(hidden)
    return keras.Model(inputs, L.Dense(1)(hidden)), *regression()


@case
def dense_subclass(keras):
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = keras.layers.Dense(8, activation="relu")
            self.second = keras.layers.Dense(1)

        def call(self, x):
            return self.second(self.first(x))

    model = Net()
    model(np.zeros((1, 6), "float32"))
    return model, *regression()


@case
def dense_deferred(keras):
    """A Sequential model which learns its input shape from `build`."""
    L = keras.layers
    model = keras.Sequential([L.Dense(8, activation="relu"), L.Dense(1)])
    model.build((None, 6))
    return model, *regression()


@case
def dense_input_layer(keras):
    L = keras.layers
    model = keras.Sequential([L.InputLayer(shape=(6,)), L.Dense(8, activation="relu"), L.Dense(1)])
    return model, *regression()


@case
def dense_no_bias(keras):
    L = keras.layers
    model = keras.Sequential([keras.Input((6,)), L.Dense(8, use_bias=False, activation="tanh"), L.Dense(1, use_bias=False)])
    return model, *regression()


@case
def dense_rank3(keras):
    """The last axis is contracted, the others are kept."""
    L = keras.layers
    model = keras.Sequential([keras.Input((3, 5)), L.Dense(7, activation="relu"), L.Dense(2)])
    return model, dict(optimizer="sgd", loss="mse"), dict(x=normal(3, 5), y=normal(3, 2))


@case
def dense_classifier(keras):
    """The model everybody writes first, in small."""
    L = keras.layers
    model = keras.Sequential([keras.Input((4, 4)), L.Flatten(), L.Dense(12, activation="relu"), L.Dropout(0.0),
                              L.Dense(5, activation="softmax")])
    compiled = dict(optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, compiled, dict(x=normal(4, 4), y=integers(5))


def regularized(keras, arguments):
    L = keras.layers
    model = keras.Sequential([keras.Input((6,)), L.Dense(8, activation="tanh", **arguments(keras.regularizers)), L.Dense(1)])
    return model, *regression(keras.optimizers.SGD(0.05))


REGULARIZERS = {
    "string": lambda r: dict(kernel_regularizer="l2"),
    "l1": lambda r: dict(kernel_regularizer=r.L1(0.02)),
    "l2": lambda r: dict(kernel_regularizer=r.l2(0.03)),
    "l1_l2": lambda r: dict(kernel_regularizer=r.L1L2(l1=0.01, l2=0.02), bias_regularizer=r.L2(0.05)),
    "activity": lambda r: dict(activity_regularizer=r.L2(0.01)),
}

for name, arguments in REGULARIZERS.items():
    add(f"regularizer_{name}", lambda keras, arguments=arguments: regularized(keras, arguments))


@case
def regularizer_conv(keras):
    L = keras.layers
    model = keras.Sequential([keras.Input((5, 5, 2)),
                              L.Conv2D(3, 3, kernel_regularizer=keras.regularizers.L2(0.02)), L.Flatten(), L.Dense(1)])
    return model, dict(optimizer="sgd", loss="mse"), dict(x=normal(5, 5, 2), y=normal(1))
