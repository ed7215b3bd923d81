"""Batch and layer normalization; batch statistics in training, moving ones in evaluation."""
from ..data import normal
from ..spec import add, case


def dense_net(keras, layer, optimizer=None):
    L = keras.layers
    model = keras.Sequential([keras.Input((6,)), L.Dense(7, use_bias=False), layer, L.Activation("tanh"), L.Dense(1)])
    return model, dict(optimizer=optimizer or keras.optimizers.SGD(0.05), loss="mse"), dict(x=normal(6), y=normal(1))


BATCH = {
    "default": dict(),
    "momentum_epsilon": dict(momentum=0.8, epsilon=0.01),
    "no_center": dict(center=False),
    "no_scale": dict(scale=False),
    "frozen": dict(trainable=False),
}

LAYER = {
    "default": dict(),
    "epsilon": dict(epsilon=1e-6),
    "no_center": dict(center=False),
    "no_scale": dict(scale=False),
}

for name, arguments in BATCH.items():
    add(f"batch_normalization_{name}", lambda keras, arguments=arguments: dense_net(
        keras, keras.layers.BatchNormalization(**arguments)))

for name, arguments in LAYER.items():
    add(f"layer_normalization_{name}", lambda keras, arguments=arguments: dense_net(
        keras, keras.layers.LayerNormalization(**arguments)))


@case
def batch_normalization_rmsprop(keras):
    return dense_net(keras, keras.layers.BatchNormalization(), keras.optimizers.RMSprop(0.005))


@case
def batch_normalization_adam(keras):
    return dense_net(keras, keras.layers.BatchNormalization(), keras.optimizers.Adam(0.01))


@case
def batch_normalization_images(keras):
    L = keras.layers
    model = keras.Sequential([keras.Input((6, 6, 2)), L.Conv2D(4, 3, padding="same", use_bias=False), L.BatchNormalization(),
                              L.ReLU(), L.Conv2D(4, 3, use_bias=False), L.BatchNormalization(), L.ReLU(),
                              L.GlobalAveragePooling2D(), L.Dense(1)])
    return model, dict(optimizer=keras.optimizers.SGD(0.02), loss="mse"), dict(x=normal(6, 6, 2), y=normal(1))


@case
def batch_normalization_axis(keras):
    L = keras.layers
    model = keras.Sequential([keras.Input((3, 4)), L.Dense(5), L.BatchNormalization(axis=1), L.Flatten(), L.Dense(1)])
    return model, dict(optimizer="sgd", loss="mse"), dict(x=normal(3, 4), y=normal(1))


@case
def layer_normalization_axes(keras):
    L = keras.layers
    model = keras.Sequential([keras.Input((3, 4)), L.Dense(5), L.LayerNormalization(axis=[1, 2]), L.Flatten(), L.Dense(1)])
    return model, dict(optimizer="sgd", loss="mse"), dict(x=normal(3, 4), y=normal(1))


@case
def layer_normalization_sequence(keras):
    L = keras.layers
    model = keras.Sequential([keras.Input((3, 4)), L.Dense(5), L.LayerNormalization(), L.Dense(2)])
    return model, dict(optimizer=keras.optimizers.Adam(0.01), loss="mse"), dict(x=normal(3, 4), y=normal(3, 2))
