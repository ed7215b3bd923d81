"""Activations by name, as an argument and as a layer, and the layers which are one."""
from ..data import normal
from ..spec import add, case

COMMON = ["celu", "elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "linear",
          "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softmax", "softplus",
          "softsign", "swish", "tanh", "tanh_shrink"]


def between_dense(keras, layer, rate=0.02):
    """The layer between two dense ones, its inputs on both sides of every kink."""
    L = keras.layers
    model = keras.Sequential([keras.Input((6,)), L.Dense(8), layer, L.Dense(2)])
    data = dict(x=normal(6, scale=1.5), y=normal(2), evaluate=False)
    return model, dict(optimizer=keras.optimizers.SGD(rate), loss="mse"), data


for activation in COMMON:
    rate = 0.0005 if activation == "exponential" else 0.02
    add(f"activation_{activation}",
        lambda keras, activation=activation, rate=rate: between_dense(keras, keras.layers.Activation(activation), rate))


@case
def activation_gelu_approximate(keras):
    return between_dense(keras, keras.layers.Activation(lambda x: keras.activations.gelu(x, approximate=True)))


@case
def activation_argument(keras):
    """Given to the layer: by name, as a function, and as a layer of its own."""
    L = keras.layers
    model = keras.Sequential([keras.Input((6,)), L.Dense(8, activation="relu"), L.Dense(8, activation=keras.activations.tanh),
                              L.Activation("sigmoid"), L.Dense(1)])
    return model, dict(optimizer="sgd", loss="mse"), dict(x=normal(6), y=normal(1), evaluate=False)


@case
def layer_relu(keras):
    return between_dense(keras, keras.layers.ReLU())


@case
def layer_relu_arguments(keras):
    return between_dense(keras, keras.layers.ReLU(max_value=2.0, negative_slope=0.1, threshold=0.25))


@case
def layer_leaky_relu(keras):
    return between_dense(keras, keras.layers.LeakyReLU(negative_slope=0.2))


@case
def layer_softmax(keras):
    return between_dense(keras, keras.layers.Softmax())


@case
def layer_softmax_axis(keras):
    L = keras.layers
    model = keras.Sequential([keras.Input((3, 4)), L.Dense(5), L.Softmax(axis=1), L.Dense(2)])
    return model, dict(optimizer="sgd", loss="mse"), dict(x=normal(3, 4), y=normal(3, 2), evaluate=False)
