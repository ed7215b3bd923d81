"""Several inputs and outputs: data as lists and dicts, weights of losses, metrics per output, the names in the logs."""
from ..data import integers, normal, uniform
from ..spec import case


def two_headed(keras, **compiled):
    """Inputs `left` and `right`; outputs `zeta` (3 numbers) and `alpha` (4 classes), in this order."""
    L = keras.layers
    left, right = keras.Input((4,), name="left"), keras.Input((5,), name="right")
    trunk = L.Concatenate()([L.Dense(6, activation="tanh")(left), L.Dense(6, activation="tanh")(right)])
    zeta = L.Dense(3, name="zeta")(trunk)
    alpha = L.Dense(4, activation="softmax", name="alpha")(trunk)
    compiled = dict(optimizer=keras.optimizers.SGD(0.05), loss=["mse", "sparse_categorical_crossentropy"]) | compiled
    return keras.Model([left, right], [zeta, alpha]), compiled


def lists(**more):
    return dict(x=[normal(4), normal(5)], y=[normal(3), integers(4)], **more)


def dicts(**more):
    return dict(x={"left": normal(4), "right": normal(5)}, y={"zeta": normal(3), "alpha": integers(4)}, **more)


BY_NAME = dict(loss={"alpha": "sparse_categorical_crossentropy", "zeta": "mse"})


@case
def outputs_lists(keras):
    return *two_headed(keras), lists()


@case
def outputs_loss_weights_list(keras):
    return *two_headed(keras, loss_weights=[0.3, 2.0]), lists()


@case
def outputs_metrics_lists(keras):
    return *two_headed(keras, metrics=[["mse", "mae"], ["accuracy"]]), lists()


@case
def outputs_one_loss_for_all(keras):
    """One loss for two outputs."""
    L = keras.layers
    inputs = keras.Input((4,))
    x = L.Dense(6, activation="tanh")(inputs)
    model = keras.Model(inputs, [L.Dense(2, name="b")(x), L.Dense(3, name="a")(x)])
    return model, dict(optimizer="sgd", loss="mse"), dict(x=normal(4), y=[normal(2), normal(3)])


@case
def outputs_sample_weight_list(keras):
    weights = [uniform(high=2.0), uniform(high=2.0)]
    return *two_headed(keras, weighted_metrics=[["mae"], ["accuracy"]]), lists(sample_weight=weights)


def named_outputs(keras, **compiled):
    """The same two heads, put out as a dict."""
    L = keras.layers
    inputs = keras.Input((4,), name="only")
    trunk = L.Dense(6, activation="tanh")(inputs)
    outputs = {"zeta": L.Dense(3, name="zeta")(trunk), "alpha": L.Dense(4, activation="softmax", name="alpha")(trunk)}
    compiled = dict(optimizer=keras.optimizers.SGD(0.05), **BY_NAME) | compiled
    return keras.Model(inputs, outputs), compiled


@case
def outputs_dict(keras):
    data = dict(x={"only": normal(4)}, y={"zeta": normal(3), "alpha": integers(4)})
    return *named_outputs(keras, loss_weights={"alpha": 0.5, "zeta": 1.5}, metrics={"alpha": ["accuracy"]}), data


@case
def outputs_by_name(keras):
    """A model with a list of outputs, compiled and fed by their names."""
    compiled = dict(BY_NAME, loss_weights={"zeta": 0.25, "alpha": 2.0}, metrics={"zeta": "mae", "alpha": ["accuracy"]})
    return *two_headed(keras, **compiled), dicts()


@case
def outputs_regularized(keras):
    """The penalty is in the total, and in neither part."""
    L = keras.layers
    inputs = keras.Input((4,))
    x = L.Dense(6, activation="tanh", kernel_regularizer="l2")(inputs)
    model = keras.Model(inputs, [L.Dense(2, name="one")(x), L.Dense(2, name="two")(x)])
    compiled = dict(optimizer="sgd", loss=["mse", "mae"], loss_weights=[1.0, 0.5])
    return model, compiled, dict(x=normal(4), y=[normal(2), normal(2)])


@case
def outputs_middle_and_end(keras):
    """A value which is an output and the input of another."""
    L = keras.layers
    inputs = keras.Input((4,))
    middle = L.Dense(3, activation="tanh", name="middle")(inputs)
    end = L.Dense(2, name="end")(middle)
    model = keras.Model(inputs, [middle, end])
    return model, dict(optimizer="sgd", loss=["mse", "mse"]), dict(x=normal(4), y=[normal(3), normal(2)])
