"""Losses, metrics, optimizers and callbacks by hand, on fixed data: what Keras gives is recorded in keras_values.json.

    python keras_values.py keras_values.json      in an environment with keras 3.15 on TensorFlow, to record anew

`values(keras)` runs all cases in one engine: {name: list of numbers}.
"""

import json
import sys
import types

import numpy as np

CLASS_LOSSES = ("MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredLogarithmicError", "Huber", "LogCosh",
                "KLDivergence", "Poisson", "CosineSimilarity", "Hinge", "SquaredHinge", "CategoricalHinge", "BinaryCrossentropy",
                "CategoricalCrossentropy")
FUNCTIONS = ("mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_logarithmic_error", "huber",
             "log_cosh", "kl_divergence", "poisson", "cosine_similarity", "hinge", "squared_hinge", "categorical_hinge")
MEAN_METRICS = ("MeanSquaredError", "RootMeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError",
                "MeanSquaredLogarithmicError", "LogCoshError", "KLDivergence", "Poisson", "CosineSimilarity", "Hinge", "SquaredHinge",
                "CategoricalHinge", "BinaryCrossentropy", "CategoricalCrossentropy", "BinaryAccuracy", "CategoricalAccuracy", "Accuracy")
DECISIONS = ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives", "Precision", "Recall")


class Data:
    """The arrays of all cases."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.a = rng.random((5, 4)).astype("float32")
        b = rng.random((5, 4)).astype("float32")
        self.b = b / b.sum(1, keepdims=True)
        self.one_hot = np.eye(4, dtype="float32")[[0, 3, 1, 1, 2]]
        self.ids = np.array([0, 3, 1, 1, 2])
        self.logits = rng.normal(size=(5, 4)).astype("float32")
        self.bits = (self.a > 0.5).astype("float32")
        self.a3, self.b3 = rng.random((3, 5, 4)).astype("float32"), rng.random((3, 5, 4)).astype("float32")
        self.ids3 = rng.integers(0, 4, (3, 5))
        self.one_hot3 = np.eye(4, dtype="float32")[self.ids3]
        self.weights = rng.random(5).astype("float32")


def loss_values(keras, data):
    losses, put = keras.losses, {}
    for name in FUNCTIONS:
        function = getattr(losses, name)
        put[f"{name}"] = function(data.a, data.b)
        put[f"{name}, rank 3"] = function(data.a3, data.b3)
        put[f"{name}, integers"] = function(np.array([[1, 0], [2, 3]]), np.array([[1.5, 0.5], [2, 2]], "float32"))
    for name in ("hinge", "squared_hinge", "categorical_hinge"):
        put[f"{name}, bits"] = getattr(losses, name)(data.bits, data.logits)
        put[f"{name}, signs"] = getattr(losses, name)(data.bits * 2 - 1, data.logits)
    put["huber, delta"] = losses.huber(data.a * 5, data.b, delta=0.7)
    put["cosine_similarity, axis 1"] = losses.cosine_similarity(data.a3, data.b3, axis=1)
    put["log_cosh, large"] = losses.log_cosh(np.array([[100.0, -200.0]], "float32"), np.zeros((1, 2), "float32"))
    for smoothing in (0, 0.2):
        for logits in (False, True):
            more = {"from_logits": logits, "label_smoothing": smoothing}
            put[f"binary_crossentropy, {more}"] = losses.binary_crossentropy(data.bits, data.logits if logits else data.b, **more)
            put[f"categorical_crossentropy, {more}"] = losses.categorical_crossentropy(
                data.one_hot, data.logits if logits else data.a, **more)
    moved = [np.moveaxis(x, -1, 1) for x in (data.one_hot3, data.logits[None] * np.ones((3, 1, 1), "float32"))]
    put["categorical_crossentropy, axis 1"] = losses.categorical_crossentropy(*moved, from_logits=True, axis=1)
    put["sparse"] = losses.sparse_categorical_crossentropy(data.ids, data.a)
    put["sparse, logits"] = losses.sparse_categorical_crossentropy(data.ids[:, None], data.logits, from_logits=True)
    put["sparse, rank 3"] = losses.sparse_categorical_crossentropy(data.ids3, data.b3)
    put["sparse, ignored"] = losses.sparse_categorical_crossentropy(data.ids, data.a, ignore_class=1)
    certain = np.array([[0.0, 1], [0, 1]], "float32")
    put["binary, certain"] = losses.binary_crossentropy(np.array([[0.0, 1], [1, 0]], "float32"), certain)
    put["categorical, certain"] = losses.categorical_crossentropy(np.array([[0.0, 1], [1, 0]], "float32"), certain)
    put["sparse, certain"] = losses.sparse_categorical_crossentropy(np.array([1, 0]), certain)
    for reduction in ("sum_over_batch_size", "sum", "mean", "none", "mean_with_sample_weight", None):
        for weights in (None, data.weights, data.weights[:, None], 2.0):
            title = f"{reduction}, weights {np.shape(weights) if weights is not None else None}"
            put[f"mse, {title}"] = losses.MeanSquaredError(reduction=reduction)(data.a, data.b, sample_weight=weights)
            put[f"bce of columns, {title}"] = losses.BinaryCrossentropy(reduction=reduction)(
                data.bits[:, 0], data.b[:, :1], sample_weight=weights)
            put[f"sparse ignored, {title}"] = losses.SparseCategoricalCrossentropy(reduction=reduction, ignore_class=1)(
                data.ids, data.b, sample_weight=weights)
    for name in CLASS_LOSSES:
        put[f"{name}()"] = getattr(losses, name)()(data.one_hot, data.b)
    return put


def metric_values(keras, data):
    metrics, put = keras.metrics, {}

    def run(metric, *calls):
        for call in calls:
            metric.update_state(*call[:2], **({"sample_weight": call[2]} if len(call) > 2 else {}))
        states = [np.sum(np.asarray(variable.numpy())) for variable in metric.variables]
        return [*np.ravel(np.asarray(metric.result())), *states]

    some = slice(3)
    for name in (*MEAN_METRICS, *DECISIONS):
        make = getattr(metrics, name)
        put[f"metric {name}"] = run(make(), (data.one_hot, data.b), (data.one_hot[some], data.a[some]))
        put[f"metric {name}, weights"] = run(make(), (data.one_hot, data.b, data.weights),
                                             (data.one_hot[some], data.a[some], data.weights[some]))
    for name in MEAN_METRICS:
        put[f"metric {name}, rank 3"] = run(getattr(metrics, name)(), (data.a3, data.b3, np.array([1.0, 2, 3])),
                                            (data.a3, data.b3, data.a3[..., 0]))
    for name in DECISIONS:
        put[f"metric {name}, thresholds"] = run(getattr(metrics, name)(thresholds=[0.2, 0.6]), (data.one_hot, data.b, data.weights))
    for name in ("SparseCategoricalAccuracy", "SparseCategoricalCrossentropy"):
        make = getattr(metrics, name)
        put[f"metric {name}"] = run(make(), (data.ids, data.b), (data.ids[:, None], data.a, data.weights))
        put[f"metric {name}, rank 3"] = run(make(), (data.ids3, data.b3, np.array([1.0, 2, 3])), (data.ids3, data.b3, data.a3[..., 0]))
    put["metric TopK"] = run(metrics.TopKCategoricalAccuracy(2), (data.one_hot, data.b), (data.one_hot, data.a, data.weights))
    put["metric SparseTopK"] = run(metrics.SparseTopKCategoricalAccuracy(2), (data.ids, data.b), (data.ids[:, None], data.a, data.weights))
    put["metric SparseTopK, rank 3"] = run(metrics.SparseTopKCategoricalAccuracy(2), (data.ids3, data.b3))
    put["metric Precision, class"] = run(metrics.Precision(class_id=1), (data.one_hot, data.b))
    put["metric Sum"] = run(metrics.Sum(), (data.a, data.weights))
    put["metric Mean"] = run(metrics.Mean(), (data.a, data.weights), (data.a, None))
    put["metric Mean of numbers"] = run(metrics.Mean(), (3.0, None), (5.0, 2.0))
    for name in ("binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy"):
        y, y3 = (data.ids, data.ids3) if "sparse" in name else (data.one_hot, data.one_hot3)
        put[name] = getattr(metrics, name)(y, data.b)
        put[f"{name}, rank 3"] = getattr(metrics, name)(y3, data.b3)
    put["top_k"] = metrics.top_k_categorical_accuracy(data.one_hot3, data.b3, k=2)
    put["sparse_top_k"] = metrics.sparse_top_k_categorical_accuracy(data.ids[:, None], data.b, k=2)
    put["binary_accuracy of a column"] = metrics.binary_accuracy(data.bits[:, 0], data.b[:, :1])
    put["binary_accuracy, threshold"] = metrics.binary_accuracy(data.bits, data.b, threshold=0.2)
    return put


def optimizers_to_try(keras):
    opt = keras.optimizers
    sched = opt.schedules
    return {
        "sgd": lambda: opt.SGD(0.1), "momentum": lambda: opt.SGD(0.1, momentum=0.9),
        "nesterov": lambda: opt.SGD(0.1, momentum=0.9, nesterov=True),
        "decay, clipnorm": lambda: opt.SGD(0.1, weight_decay=0.01, clipnorm=0.5), "clipvalue": lambda: opt.SGD(0.1, clipvalue=0.3),
        "global_clipnorm": lambda: opt.SGD(0.1, global_clipnorm=0.3), "rmsprop": lambda: opt.RMSprop(0.01),
        "rmsprop, centered": lambda: opt.RMSprop(0.01, centered=True, momentum=0.9), "adam": lambda: opt.Adam(0.01),
        "amsgrad": lambda: opt.Adam(0.01, amsgrad=True), "adamw": lambda: opt.AdamW(0.01, weight_decay=0.02),
        "adagrad": lambda: opt.Adagrad(0.1), "adadelta": lambda: opt.Adadelta(1.0), "adamax": lambda: opt.Adamax(0.01),
        "nadam": lambda: opt.Nadam(0.01), "lion": lambda: opt.Lion(0.01), "ema": lambda: opt.Adam(0.01, use_ema=True, ema_momentum=0.9),
        "ema, overwriting": lambda: opt.SGD(0.1, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=3),
        "accumulation": lambda: opt.Adam(0.01, gradient_accumulation_steps=3, weight_decay=0.1, clipnorm=0.4),
        "accumulation, ema": lambda: opt.SGD(0.1, momentum=0.5, gradient_accumulation_steps=2, use_ema=True, ema_overwrite_frequency=2),
        "loss scale": lambda: opt.SGD(0.1, loss_scale_factor=4.0), "exponential": lambda: opt.SGD(sched.ExponentialDecay(0.1, 3, 0.5)),
        "staircase": lambda: opt.SGD(sched.ExponentialDecay(0.1, 3, 0.5, staircase=True)),
        "piecewise": lambda: opt.SGD(sched.PiecewiseConstantDecay([2, 5], [0.1, 0.2, 0.05])),
        "polynomial": lambda: opt.SGD(sched.PolynomialDecay(0.1, 4, 0.01, power=2.0)),
        "polynomial, cycle": lambda: opt.SGD(sched.PolynomialDecay(0.1, 4, 0.01, power=2.0, cycle=True)),
        "inverse time": lambda: opt.SGD(sched.InverseTimeDecay(0.1, 3, 0.5)),
        "cosine": lambda: opt.SGD(sched.CosineDecay(0.1, 5, alpha=0.1)),
        "cosine, warm-up": lambda: opt.SGD(sched.CosineDecay(0.01, 5, warmup_target=0.2, warmup_steps=3)),
        "restarts": lambda: opt.SGD(sched.CosineDecayRestarts(0.1, 2, m_mul=0.8, alpha=0.01)),
    }


def optimizer_values(keras):
    """Seven steps on two weights: the first weights after each, then the optimizer's state."""
    put = {}
    for name, make in optimizers_to_try(keras).items():
        rng = np.random.default_rng(1)
        weights = [keras.Variable(rng.normal(size=shape).astype("float32"), name=f"v{n}") for n, shape in enumerate([(2, 2), (3,)])]
        optimizer = make()
        optimizer.build(weights)
        seen = []
        for _ in range(7):
            optimizer.apply([keras.ops.convert_to_tensor(rng.normal(size=tuple(w.shape)).astype("float32")) for w in weights], weights)
            seen += [float(weights[0].numpy()[0, 0]), float(weights[1].numpy()[2])]
        optimizer.finalize_variable_values(weights)
        put[f"optimizer {name}"] = [*seen, *(float(np.sum(w.numpy())) for w in [*weights, *optimizer.variables])]
    return put


def loss_scale_values(keras):
    """A weight, the counter and the scale through gradients that are finite or not."""
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1, momentum=0.9), initial_scale=8.0, dynamic_growth_steps=2)
    weight = keras.Variable(np.ones(2, "float32"), name="v")
    optimizer.build([weight])
    course = []
    for gradient in ([8, 8], [16, 8], [np.inf, 1], [8, 8], [8, 8], [np.nan, 1], [1, 1]):
        optimizer.apply([keras.ops.convert_to_tensor(np.array(gradient, "float32"))], [weight])
        course += [*weight.numpy().tolist(), *(float(np.sum(variable.numpy())) for variable in optimizer.variables)]
    return {"optimizer loss scaling": course}


def callback_values(keras):
    """What EarlyStopping and ReduceLROnPlateau do on given courses of a loss and an accuracy."""
    losses = [1.0, 0.8, 0.81, 0.7995, 0.9, 0.85, 0.7, 0.75, 0.76, 0.77, 0.78, 0.6, 0.61, 0.62]
    accuracies = [0.1, 0.4, 0.4, 0.39, 0.41, 0.41, 0.5, 0.45, 0.44, 0.43, 0.6, 0.59, 0.58, 0.57]
    stopping = {
        "patience 2": {"patience": 2}, "min_delta": {"patience": 2, "min_delta": 0.1}, "baseline": {"patience": 3, "baseline": 0.75},
        "max": {"monitor": "accuracy", "mode": "max", "patience": 1}, "later": {"patience": 1, "start_from_epoch": 4},
        "none": {"patience": 99},
    }
    reducing = {
        "patience 1": {"patience": 1, "factor": 0.5}, "cooldown": {"patience": 1, "factor": 0.5, "cooldown": 2},
        "min_lr": {"patience": 1, "min_lr": 0.03},
        "max": {"monitor": "accuracy", "mode": "max", "patience": 2, "factor": 0.3}, "min_delta": {"patience": 2, "min_delta": 0.15},
    }
    put = {}
    for kind, cases in ((keras.callbacks.EarlyStopping, stopping), (keras.callbacks.ReduceLROnPlateau, reducing)):
        for name, arguments in cases.items():
            callback = kind(**{"monitor": "loss", **arguments})
            model = types.SimpleNamespace(stop_training=False, optimizer=keras.optimizers.SGD(0.1), metrics=[], get_weights=list)
            callback.set_model(model)
            callback.on_train_begin()
            course = []
            for epoch, (loss, accuracy) in enumerate(zip(losses, accuracies, strict=True)):
                callback.on_epoch_end(epoch, {"loss": loss, "accuracy": accuracy})
                course += [float(model.stop_training), float(np.asarray(model.optimizer.learning_rate))]
                if model.stop_training:
                    break
            put[f"{kind.__name__} {name}"] = course
    return put


def values(keras):
    data = Data()
    put = {**loss_values(keras, data), **metric_values(keras, data), **optimizer_values(keras), **loss_scale_values(keras),
           **callback_values(keras)}
    return {name: np.asarray(value, "float64").ravel().tolist() for name, value in put.items()}


if __name__ == "__main__":
    import keras

    lines = [f"{json.dumps(name)}: {json.dumps([float(f'{v:.8g}') for v in value])}" for name, value in values(keras).items()]
    with open(sys.argv[1], "w") as file:
        file.write("{\n" + ",\n".join(lines) + "\n}\n")
