"""Losses: probabilities and logits, label smoothing, reductions, weights of samples and classes.

Where a model ends in softmax or sigmoid, Keras on TensorFlow computes the cross-entropy from
the logits; on JAX it clips the probabilities. While no probability reaches the clip (1e-7) both
give the same; where one does, the second judge is JAX with a model which ends in logits.
"""
from ..data import distribution, integers, normal, one_hot, uniform, zero_or_one
from ..spec import add, case

CLASSES = 4


def net(keras, loss, y, *ending, units=CLASSES, rate=0.05, **data):
    """A small network, its last layers given, with a loss to be tried."""
    L = keras.layers
    model = keras.Sequential([keras.Input((6,)), L.Dense(8, activation="tanh"), L.Dense(units), *ending])
    return model, dict(optimizer=keras.optimizers.SGD(rate), loss=loss), dict(x=normal(6), y=y, predict=False, **data)


def softmax(keras):
    return keras.layers.Activation("softmax")


def sigmoid(keras):
    return keras.layers.Activation("sigmoid")


ERRORS = {
    "mse": lambda k: "mse",
    "mean_squared_error": lambda k: k.losses.MeanSquaredError(),
    "mae": lambda k: "mae",
    "mean_absolute_error": lambda k: k.losses.MeanAbsoluteError(),
    "huber": lambda k: "huber",
    "huber_delta": lambda k: k.losses.Huber(delta=0.4),
    "mse_sum": lambda k: k.losses.MeanSquaredError(reduction="sum"),
    "mse_function": lambda k: k.losses.mean_squared_error,
}

for name, loss in ERRORS.items():
    add(f"loss_{name}", lambda keras, loss=loss: net(keras, loss(keras), normal(3), units=3))

for name in ("mse", "mae", "huber"):
    add(f"loss_{name}_sample_weight", lambda keras, name=name: net(
        keras, name, normal(3), units=3, sample_weight=uniform(high=2.0)))


@case
def loss_mse_squeezed(keras):
    """Targets without the last axis of one."""
    return net(keras, "mse", normal(), units=1)


@case
def loss_mse_weighted_mean(keras):
    """Divided by the sum of the weights, not by the rows."""
    loss = keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")
    return net(keras, loss, normal(3), units=3, sample_weight=uniform(high=2.0))


@case
def loss_mse_zero_weights(keras):
    weights = zero_or_one()
    return net(keras, "mse", normal(3), units=3, sample_weight=weights)


BINARY = {
    "sigmoid": lambda k: net(k, "binary_crossentropy", zero_or_one(2), sigmoid(k), units=2),
    "logits": lambda k: net(k, k.losses.BinaryCrossentropy(from_logits=True), zero_or_one(2), units=2),
    "probabilities": lambda k: net(k, "binary_crossentropy", zero_or_one(2), sigmoid(k), k.layers.Reshape((2,)), units=2),
    "smoothing": lambda k: net(k, k.losses.BinaryCrossentropy(label_smoothing=0.2), zero_or_one(2), sigmoid(k), units=2),
    "soft_labels": lambda k: net(k, k.losses.BinaryCrossentropy(from_logits=True), uniform(2), units=2),
    "sample_weight": lambda k: net(k, "binary_crossentropy", zero_or_one(1), sigmoid(k), units=1, sample_weight=uniform(high=2.0)),
    "class_weight": lambda k: net(k, "binary_crossentropy", zero_or_one(1), sigmoid(k), units=1, class_weight={0: 0.5, 1: 3.0}),
}

CATEGORICAL = {
    "softmax": lambda k: net(k, "categorical_crossentropy", one_hot(CLASSES), softmax(k)),
    "softmax_layer": lambda k: net(k, "categorical_crossentropy", one_hot(CLASSES), k.layers.Softmax()),
    "logits": lambda k: net(k, k.losses.CategoricalCrossentropy(from_logits=True), one_hot(CLASSES)),
    "probabilities": lambda k: net(k, "categorical_crossentropy", one_hot(CLASSES), softmax(k), k.layers.Reshape((CLASSES,))),
    "smoothing": lambda k: net(k, k.losses.CategoricalCrossentropy(label_smoothing=0.1), one_hot(CLASSES), softmax(k)),
    "smoothing_logits": lambda k: net(
        k, k.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1), one_hot(CLASSES)),
    "soft_labels": lambda k: net(k, "categorical_crossentropy", distribution(CLASSES), softmax(k)),
    "sample_weight": lambda k: net(k, "categorical_crossentropy", one_hot(CLASSES), softmax(k), sample_weight=uniform(high=2.0)),
    "class_weight": lambda k: net(
        k, "categorical_crossentropy", one_hot(CLASSES), softmax(k), class_weight={0: 0.5, 1: 3.0, 2: 1.0, 3: 0.25}),
}

SPARSE = {
    "softmax": lambda k: net(k, "sparse_categorical_crossentropy", integers(CLASSES), softmax(k)),
    "softmax_layer": lambda k: net(k, "sparse_categorical_crossentropy", integers(CLASSES), k.layers.Softmax()),
    "logits": lambda k: net(k, k.losses.SparseCategoricalCrossentropy(from_logits=True), integers(CLASSES)),
    "probabilities": lambda k: net(k, "sparse_categorical_crossentropy", integers(CLASSES), softmax(k), k.layers.Reshape((CLASSES,))),
    "column": lambda k: net(k, "sparse_categorical_crossentropy", integers(CLASSES, 1), softmax(k)),
    "sample_weight": lambda k: net(k, "sparse_categorical_crossentropy", integers(CLASSES), softmax(k), sample_weight=uniform(high=2.0)),
    "class_weight": lambda k: net(
        k, "sparse_categorical_crossentropy", integers(CLASSES), softmax(k), class_weight={0: 0.5, 1: 3.0, 3: 0.25}),
}

for family, table in (("binary", BINARY), ("categorical", CATEGORICAL), ("sparse", SPARSE)):
    for name, build in table.items():
        add(f"loss_{family}_{name}", build)


def sequence(keras, **data):
    L = keras.layers
    model = keras.Sequential([keras.Input((3, 4)), L.Dense(6, activation="tanh"), L.Dense(CLASSES, activation="softmax")])
    compiled = dict(optimizer=keras.optimizers.SGD(0.05), loss="sparse_categorical_crossentropy")
    return model, compiled, dict(x=normal(3, 4), y=integers(CLASSES, 3), **data)


@case
def loss_sequence(keras):
    """One label per position."""
    return sequence(keras)


@case
def loss_sequence_weight_per_position(keras):
    return sequence(keras, sample_weight=uniform(3, high=2.0))


@case
def loss_binary_images(keras):
    """A target of the output's own shape, the mean over all of its axes."""
    L = keras.layers
    model = keras.Sequential([keras.Input((4, 4, 1)), L.Conv2D(3, 3, padding="same", activation="relu"),
                              L.Conv2D(1, 3, padding="same", activation="sigmoid")])
    compiled = dict(optimizer=keras.optimizers.Adam(0.01), loss="binary_crossentropy")
    return model, compiled, dict(x=normal(4, 4, 1), y=zero_or_one(4, 4, 1))


def extreme(keras, loss, y, *ending, units=CLASSES):
    """Logits so large that many probabilities are below the clip."""
    return net(keras, loss, y, keras.layers.Rescaling(40.0), *ending, units=units, rate=0.0005)


@case
def extreme_sparse_logits(keras):
    return extreme(keras, keras.losses.SparseCategoricalCrossentropy(from_logits=True), integers(CLASSES))


@case(jax_twin="extreme_sparse_logits")
def extreme_sparse_softmax(keras):
    return extreme(keras, "sparse_categorical_crossentropy", integers(CLASSES), softmax(keras))


@case
def extreme_categorical_logits(keras):
    return extreme(keras, keras.losses.CategoricalCrossentropy(from_logits=True), one_hot(CLASSES))


@case(jax_twin="extreme_categorical_logits")
def extreme_categorical_softmax(keras):
    return extreme(keras, "categorical_crossentropy", one_hot(CLASSES), softmax(keras))


@case
def extreme_binary_logits(keras):
    return extreme(keras, keras.losses.BinaryCrossentropy(from_logits=True), zero_or_one(2), units=2)


@case(jax_twin="extreme_binary_logits")
def extreme_binary_sigmoid(keras):
    return extreme(keras, "binary_crossentropy", zero_or_one(2), sigmoid(keras), units=2)


FOCAL = {
    "binary_focal": lambda k: net(k, "binary_focal_crossentropy", zero_or_one(2), sigmoid(k), k.layers.Reshape((2,)), units=2),
    "binary_focal_balanced": lambda k: net(
        k, k.losses.BinaryFocalCrossentropy(True, alpha=0.3, gamma=1.5, from_logits=True, label_smoothing=0.1), zero_or_one(2), units=2,
        sample_weight=uniform(high=2.0)),
    "categorical_focal": lambda k: net(k, "categorical_focal_crossentropy", one_hot(CLASSES), softmax(k), k.layers.Reshape((CLASSES,))),
    "categorical_focal_logits": lambda k: net(
        k, k.losses.CategoricalFocalCrossentropy([0.1, 0.2, 0.3, 0.4], 3.0, from_logits=True, label_smoothing=0.1), one_hot(CLASSES)),
    "generalized": lambda k: net(k, k.losses.CategoricalGeneralizedCrossEntropy(0.7), integers(CLASSES), softmax(k)),
    "dice": lambda k: net(k, "dice", zero_or_one(3), sigmoid(k), units=3),
    "dice_axis": lambda k: net(k, k.losses.Dice(axis=1), zero_or_one(3), sigmoid(k), units=3, sample_weight=uniform(high=2.0)),
    "tversky": lambda k: net(k, k.losses.Tversky(0.3, 0.7), zero_or_one(3), sigmoid(k), units=3),
}

for name, build in FOCAL.items():
    add(f"loss_{name}", build)
