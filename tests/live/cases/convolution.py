"""Convolutions in one and two dimensions: padding, strides, dilation, groups, odd and even sizes."""
from ..data import integers, normal
from ..spec import add, case

CONV2D = {
    "valid": dict(filters=4, kernel_size=3),
    "same": dict(filters=4, kernel_size=3, padding="same"),
    "pointwise": dict(filters=4, kernel_size=1),
    "rectangular": dict(filters=4, kernel_size=(2, 3), strides=(1, 2)),
    "strides": dict(filters=4, kernel_size=3, strides=2),
    "strides_same": dict(filters=4, kernel_size=3, strides=2, padding="same"),
    "even_kernel_same": dict(filters=4, kernel_size=4, strides=2, padding="same"),
    "stride_over_kernel": dict(filters=4, kernel_size=2, strides=3, padding="same"),
    "dilation": dict(filters=4, kernel_size=3, dilation_rate=2),
    "dilation_same": dict(filters=4, kernel_size=3, dilation_rate=(2, 1), padding="same"),
    "groups": dict(filters=4, kernel_size=3, groups=2),
    "depthwise_groups": dict(filters=8, kernel_size=3, groups=4, padding="same"),
    "no_bias": dict(filters=4, kernel_size=3, use_bias=False),
    "activation": dict(filters=4, kernel_size=3, activation="relu"),
}

CONV1D = {
    "valid": dict(filters=4, kernel_size=3),
    "same": dict(filters=4, kernel_size=3, padding="same"),
    "causal": dict(filters=4, kernel_size=3, padding="causal"),
    "causal_dilation": dict(filters=4, kernel_size=2, padding="causal", dilation_rate=2),
    "causal_strides": dict(filters=4, kernel_size=3, padding="causal", strides=2),
    "strides_same": dict(filters=4, kernel_size=4, strides=3, padding="same"),
    "dilation": dict(filters=4, kernel_size=3, dilation_rate=2),
    "groups": dict(filters=4, kernel_size=3, groups=2, activation="tanh"),
}


def two_layers(keras, first, second, shape):
    """A layer before the one in question, so that its gradient by the input is needed too."""
    L = keras.layers
    model = keras.Sequential([keras.Input(shape), first, second, L.Flatten(), L.Dense(1)])
    data = dict(x=normal(*shape), y=normal(1), evaluate=False)
    return model, dict(optimizer=keras.optimizers.SGD(0.005), loss="mse"), data


for name, arguments in CONV2D.items():
    add(f"conv2d_{name}", lambda keras, arguments=arguments: two_layers(
        keras, keras.layers.Conv2D(4, 2, activation="tanh"), keras.layers.Conv2D(**arguments), (8, 7, 3)))

for name, arguments in CONV1D.items():
    add(f"conv1d_{name}", lambda keras, arguments=arguments: two_layers(
        keras, keras.layers.Conv1D(4, 2, activation="tanh"), keras.layers.Conv1D(**arguments), (9, 3)))


@case
def conv2d_classifier(keras):
    """Convolution, pooling, convolution, pooling, dense."""
    L = keras.layers
    model = keras.Sequential([keras.Input((10, 10, 1)), L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D(2),
                              L.Conv2D(6, 3, activation="relu", padding="same"), L.MaxPooling2D(2), L.Flatten(),
                              L.Dense(8, activation="relu"), L.Dense(4, activation="softmax")])
    compiled = dict(optimizer=keras.optimizers.Adam(0.003), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, compiled, dict(x=normal(10, 10, 1), y=integers(4))
