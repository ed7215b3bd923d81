"""Models which are not a chain: merged branches, residuals, shared layers, nested models."""
from ..data import normal
from ..spec import case


def two_branches(keras, merge):
    L = keras.layers
    inputs = keras.Input((6,))
    left = L.Dense(5, activation="tanh")(inputs)
    right = L.Dense(5, activation="sigmoid")(inputs)
    return regression(keras, inputs, L.Dense(1)(merge([left, right])))


def regression(keras, inputs, outputs):
    data = dict(x=normal(*inputs.shape[1:]), y=normal(*outputs.shape[1:]), evaluate=False)
    return keras.Model(inputs, outputs), dict(optimizer=keras.optimizers.SGD(0.02), loss="mse"), data


@case
def merge_add(keras):
    return two_branches(keras, keras.layers.Add())


@case
def merge_multiply(keras):
    return two_branches(keras, keras.layers.Multiply())


@case
def merge_concatenate(keras):
    return two_branches(keras, keras.layers.Concatenate())


@case
def merge_functions(keras):
    """The functions which make the layers: `add`, `multiply`, `concatenate`, of three branches."""
    L = keras.layers
    inputs = keras.Input((6,))
    a, b, c = (L.Dense(4, activation=activation)(inputs) for activation in ("tanh", "sigmoid", None))
    merged = L.concatenate([L.add([a, b, c]), L.multiply([a, b, c])])
    return regression(keras, inputs, L.Dense(1)(merged))


@case
def merge_concatenate_axis(keras):
    L = keras.layers
    inputs = keras.Input((3, 4))
    merged = L.Concatenate(axis=1)([L.Dense(5, activation="tanh")(inputs), L.Dense(5)(inputs), L.Dense(5)(inputs)])
    return regression(keras, inputs, L.Dense(2)(merged))


@case
def merge_broadcast(keras):
    """A gate of one value per channel over an image, and one value per position."""
    L = keras.layers
    inputs = keras.Input((4, 4, 3))
    image = L.Conv2D(4, 3, padding="same")(inputs)
    gate = L.Dense(4, activation="sigmoid")(L.GlobalAveragePooling2D(keepdims=True)(image))
    shift = L.Conv2D(1, 1)(image)
    merged = L.Add()([L.Multiply()([image, gate]), shift])
    return regression(keras, inputs, L.Dense(1)(L.Flatten()(merged)))


@case
def merge_same_twice(keras):
    """One value as both operands."""
    L = keras.layers
    inputs = keras.Input((6,))
    x = L.Dense(4, activation="tanh")(inputs)
    return regression(keras, inputs, L.Dense(1)(L.Add()([L.Multiply()([x, x]), x])))


@case
def residual_dense(keras):
    L = keras.layers
    inputs = keras.Input((6,))
    x = L.Dense(6, activation="relu")(inputs)
    for _ in range(2):
        x = L.Add()([x, L.Dense(6, activation="tanh")(x)])
    return regression(keras, inputs, L.Dense(1)(x))


@case
def residual_block(keras):
    L = keras.layers
    inputs = keras.Input((6, 6, 2))
    short = L.BatchNormalization()(L.Conv2D(4, 1, strides=2, use_bias=False)(inputs))
    x = L.ReLU()(L.BatchNormalization()(L.Conv2D(4, 3, strides=2, padding="same", use_bias=False)(inputs)))
    x = L.BatchNormalization()(L.Conv2D(4, 3, padding="same", use_bias=False)(x))
    x = L.ReLU()(L.Add()([x, short]))
    return regression(keras, inputs, L.Dense(1)(L.GlobalAveragePooling2D()(x)))


@case
def shared_layer(keras):
    """One dense layer for two inputs; the data come as a list."""
    L = keras.layers
    left, right = keras.Input((4,)), keras.Input((4,))
    tower = L.Dense(5, activation="tanh")
    outputs = L.Dense(1)(L.Concatenate()([tower(left), tower(right)]))
    model = keras.Model([left, right], outputs)
    data = dict(x=[normal(4), normal(4)], y=normal(1))
    return model, dict(optimizer="sgd", loss="mse"), data


@case
def shared_in_a_row(keras):
    """One layer three times in a chain."""
    L = keras.layers
    inputs = keras.Input((5,))
    again = L.Dense(5, activation="tanh")
    return regression(keras, inputs, L.Dense(1)(again(again(again(inputs)))))


@case
def nested_model(keras):
    """A model used as a layer, twice; the data come as a dict by input name."""
    L = keras.layers
    tower = keras.Sequential([keras.Input((4,)), L.Dense(5), L.BatchNormalization(), L.Activation("tanh")])
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    outputs = L.Dense(1)(L.Multiply()([tower(left), tower(right)]))
    model = keras.Model([left, right], outputs)
    data = dict(x={"left": normal(4), "right": normal(4)}, y=normal(1))
    return model, dict(optimizer="sgd", loss="mse"), data
