"""Layers which move or scale values without weights: reshape, permute, pad, flatten, rescale, dropout."""
from ..data import integers, normal
from ..spec import add, case

SHAPES = {
    "reshape": lambda L: [L.Reshape((3, 8)), L.Dense(2, activation="tanh")],
    "reshape_minus_one": lambda L: [L.Reshape((4, -1)), L.Dense(2, activation="tanh")],
    "permute": lambda L: [L.Reshape((2, 3, 4)), L.Permute((3, 1, 2)), L.Dense(2, activation="tanh")],
    "reshape_to_image": lambda L: [L.Reshape((3, 4, 2)), L.Conv2D(3, 2)],
    "zero_padding_number": lambda L: [L.Reshape((3, 4, 2)), L.ZeroPadding2D(1), L.Conv2D(3, 3)],
    "zero_padding_pair": lambda L: [L.Reshape((3, 4, 2)), L.ZeroPadding2D((0, 2)), L.Conv2D(3, 2)],
    "zero_padding_each": lambda L: [L.Reshape((3, 4, 2)), L.ZeroPadding2D(((1, 0), (2, 1))), L.Conv2D(3, 2)],
    "dropout_zero": lambda L: [L.Dropout(0.0), L.Dense(4, activation="tanh"), L.Dropout(0.0)],
    "flatten_twice": lambda L: [L.Flatten(), L.Dense(4, activation="tanh"), L.Flatten()],
    "rescaling_inside": lambda L: [L.Rescaling(0.5, offset=-0.25), L.Dense(4, activation="tanh"), L.Rescaling(2.0)],
}


def after_dense(keras, layers):
    L = keras.layers
    model = keras.Sequential([keras.Input((5,)), L.Dense(24), *layers(L), L.Flatten(), L.Dense(1)])
    return model, dict(optimizer="sgd", loss="mse"), dict(x=normal(5), y=normal(1), evaluate=False)


for name, layers in SHAPES.items():
    add(name, lambda keras, layers=layers: after_dense(keras, layers))


@case
def rescaling_pixels(keras):
    """Integer pixels go in; the layer makes them floats."""
    L = keras.layers
    model = keras.Sequential([keras.Input((4, 4, 3), dtype="uint8"), L.Rescaling(1 / 255), L.Conv2D(3, 3), L.Flatten(), L.Dense(1)])
    pixels = integers(256, 4, 4, 3)
    data = dict(x=lambda rng, rows: pixels(rng, rows).astype("uint8"), y=normal(1), evaluate=False)
    return model, dict(optimizer="sgd", loss="mse"), data
