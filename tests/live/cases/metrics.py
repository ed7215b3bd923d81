"""Metrics: which accuracy the word stands for, explicit metrics, weighted ones, function ones."""
from ..data import integers, normal, one_hot, uniform, zero_or_one
from ..spec import add, case


def net(keras, loss, y, metrics, *, units, activation=None, weighted_metrics=None, **data):
    L = keras.layers
    model = keras.Sequential([keras.Input((6,)), L.Dense(8, activation="tanh"), L.Dense(units, activation=activation)])
    compiled = dict(optimizer=keras.optimizers.SGD(0.1), loss=loss, metrics=metrics)
    if weighted_metrics is not None:
        compiled["weighted_metrics"] = weighted_metrics
    return model, compiled, dict(x=normal(6), y=y, predict=False, **data)


def binary(keras, metrics, **rest):
    return net(keras, "binary_crossentropy", zero_or_one(1), metrics, units=1, activation="sigmoid", **rest)


def categorical(keras, metrics, **rest):
    return net(keras, "categorical_crossentropy", one_hot(4), metrics, units=4, activation="softmax", **rest)


def sparse(keras, metrics, **rest):
    return net(keras, "sparse_categorical_crossentropy", integers(4), metrics, units=4, activation="softmax", **rest)


def regression(keras, metrics, **rest):
    return net(keras, "mse", normal(3), metrics, units=3, **rest)


METRICS = {
    "accuracy_binary": lambda k: binary(k, ["accuracy"]),
    "accuracy_categorical": lambda k: categorical(k, ["accuracy"]),
    "accuracy_sparse": lambda k: sparse(k, ["accuracy"]),
    "acc": lambda k: sparse(k, ["acc"]),
    "binary_accuracy": lambda k: binary(k, [k.metrics.BinaryAccuracy(threshold=0.7), "binary_accuracy"]),
    "categorical_accuracy": lambda k: categorical(k, [k.metrics.CategoricalAccuracy(), "categorical_crossentropy"]),
    "sparse_categorical_accuracy": lambda k: sparse(
        k, [k.metrics.SparseCategoricalAccuracy(name="hits"), "sparse_categorical_crossentropy"]),
    "exact_accuracy": lambda k: net(k, "mse", zero_or_one(2), [k.metrics.Accuracy()], units=2, activation="relu"),
    "binary_crossentropy": lambda k: binary(k, [k.metrics.BinaryCrossentropy(), "mae"]),
    "mse_mae": lambda k: regression(k, ["mse", "mae"]),
    "objects": lambda k: regression(k, [k.metrics.MeanSquaredError(), k.metrics.MeanAbsoluteError(name="distance")]),
    "root_mean_squared_error": lambda k: regression(k, [k.metrics.RootMeanSquaredError()]),
    "wrapper": lambda k: regression(k, [k.metrics.MeanMetricWrapper(k.losses.huber, name="wrapped")]),
    "function": lambda k: regression(k, [k.losses.mean_absolute_error]),
    "sample_weight": lambda k: sparse(k, ["accuracy"], sample_weight=uniform(high=2.0)),
    "weighted": lambda k: sparse(k, [], weighted_metrics=["accuracy"], sample_weight=uniform(high=2.0)),
    "weighted_and_plain": lambda k: regression(k, ["mae"], weighted_metrics=["mse", "mae"], sample_weight=uniform(high=2.0)),
}

for name, build in METRICS.items():
    add(f"metric_{name}", build)


@case
def metric_with_regularizer(keras):
    """The loss holds the penalty; the metric does not."""
    L = keras.layers
    model = keras.Sequential([keras.Input((6,)), L.Dense(3, kernel_regularizer="l2")])
    return model, dict(optimizer="sgd", loss="mse", metrics=["mse"]), dict(x=normal(6), y=normal(3))
