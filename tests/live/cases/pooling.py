"""Pooling: windows which fit, which overlap, which hang over the edge; and global pooling."""
from ..data import normal
from ..spec import add

POOLING2D = {
    "max_2": lambda L: L.MaxPooling2D(2),
    "max_overlapping": lambda L: L.MaxPooling2D(3, strides=2),
    "max_same": lambda L: L.MaxPooling2D(2, padding="same"),
    "max_same_overlapping": lambda L: L.MaxPooling2D(3, strides=1, padding="same"),
    "max_rectangular": lambda L: L.MaxPooling2D((2, 3), strides=(1, 2)),
    "average_2": lambda L: L.AveragePooling2D(2),
    "average_overlapping": lambda L: L.AveragePooling2D(3, strides=2),
    "average_same": lambda L: L.AveragePooling2D(2, padding="same"),
    "average_same_overlapping": lambda L: L.AveragePooling2D(3, strides=2, padding="same"),
    "global_average_2d": lambda L: L.GlobalAveragePooling2D(),
    "global_max_2d": lambda L: L.GlobalMaxPooling2D(),
    "global_average_2d_keepdims": lambda L: L.GlobalAveragePooling2D(keepdims=True),
    "global_max_2d_keepdims": lambda L: L.GlobalMaxPooling2D(keepdims=True),
}

POOLING1D = {
    "global_average_1d": lambda L: L.GlobalAveragePooling1D(),
    "global_max_1d": lambda L: L.GlobalMaxPooling1D(),
}


def after_convolution(keras, convolution, pooling, shape):
    L = keras.layers
    model = keras.Sequential([keras.Input(shape), convolution, pooling, L.Flatten(), L.Dense(1)])
    data = dict(x=normal(*shape), y=normal(1), evaluate=False)
    return model, dict(optimizer=keras.optimizers.SGD(0.002), loss="mse"), data


for name, pooling in POOLING2D.items():
    add(f"pooling_{name}", lambda keras, pooling=pooling: after_convolution(
        keras, keras.layers.Conv2D(3, 2), pooling(keras.layers), (8, 7, 2)))

for name, pooling in POOLING1D.items():
    add(f"pooling_{name}", lambda keras, pooling=pooling: after_convolution(
        keras, keras.layers.Conv1D(3, 2), pooling(keras.layers), (7, 2)))
