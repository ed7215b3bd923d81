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
    "auc": lambda k: binary(k, [
        k.metrics.AUC(name="auc"), k.metrics.AUC(curve="PR", name="pr"), k.metrics.AUC(curve="PRGAIN", name="gain"),
        k.metrics.AUC(7, summation_method="minoring", name="low"), k.metrics.AUC(7, "PR", "majoring", name="high"),
        k.metrics.AUC(thresholds=[0.3, 0.31, 0.8], name="few")]),
    "auc_weighted": lambda k: binary(
        k, [], weighted_metrics=[k.metrics.AUC(name="auc"), k.metrics.PrecisionAtRecall(0.7, name="precision_at_recall")],
        sample_weight=uniform(high=2.0)),
    "auc_labels": lambda k: net(k, "mse", zero_or_one(3), [
        k.metrics.AUC(multi_label=True, num_labels=3, name="auc"), k.metrics.AUC(multi_label=True, name="late"),
        k.metrics.AUC(name="flat"),
        k.metrics.AUC(curve="PR", multi_label=True, num_labels=3, label_weights=[0.2, 0.3, 0.5], name="weighted"),
        k.metrics.AUC(label_weights=[0.2, 0.3, 0.5], name="columns")],
        units=3, activation="sigmoid"),
    "best_rates": lambda k: categorical(k, [
        k.metrics.SensitivityAtSpecificity(0.5, name="sensitivity_at_specificity"),
        k.metrics.SpecificityAtSensitivity(0.6, class_id=1, name="specificity_at_sensitivity"),
        k.metrics.PrecisionAtRecall(0.7, 9, name="precision_at_recall"), k.metrics.RecallAtPrecision(0.2, name="recall_at_precision")]),
    "top_k_rates": lambda k: categorical(k, [
        k.metrics.Precision(top_k=2, name="precision"), k.metrics.Recall(top_k=2, class_id=1, name="recall"),
        k.metrics.Recall(thresholds=0.3, top_k=2, name="above")]),
    "f_scores": lambda k: categorical(
        k, [k.metrics.F1Score("micro"), k.metrics.F1Score("macro", name="macro"), k.metrics.FBetaScore("weighted", 2.0, 0.3)],
        weighted_metrics=[k.metrics.F1Score("macro", name="counted")], sample_weight=uniform(high=2.0)),
    "r2": lambda k: regression(
        k, [k.metrics.R2Score(), k.metrics.R2Score("variance_weighted_average", name="by_variance")],
        weighted_metrics=[k.metrics.R2Score(name="counted")], sample_weight=uniform(high=2.0)),
    "correlations": lambda k: regression(k, [k.metrics.PearsonCorrelation(), k.metrics.ConcordanceCorrelation()]),
    "iou": lambda k: categorical(k, [
        k.metrics.OneHotIoU(4, [0, 2], name="one_hot_io_u"), k.metrics.OneHotMeanIoU(4, "one_hot_mean_io_u", ignore_class=1)]),
    "iou_sparse": lambda k: sparse(k, [
        k.metrics.IoU(4, [0, 1], "io_u", sparse_y_pred=False), k.metrics.MeanIoU(4, "mean_io_u", sparse_y_pred=False)]),
    "iou_binary": lambda k: net(
        k, "mse", zero_or_one(3), [k.metrics.BinaryIoU(name="binary_io_u"), k.metrics.BinaryIoU([1], 0.4, name="ones")], units=3,
        activation="sigmoid"),
}

for name, build in METRICS.items():
    add(f"metric_{name}", build)


@case
def metric_with_regularizer(keras):
    """The loss holds the penalty; the metric does not."""
    L = keras.layers
    model = keras.Sequential([keras.Input((6,)), L.Dense(3, kernel_regularizer="l2")])
    return model, dict(optimizer="sgd", loss="mse", metrics=["mse"]), dict(x=normal(6), y=normal(3))
