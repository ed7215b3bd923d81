"""compile: losses and metrics of one and several outputs, their names in the logs, and what a user may override."""

import numpy as np
import pytest

import kcompile as keras

from .models import classes, classifier, inputs, linear, two_headed, two_labels

LOSSES = ["mse", "sparse_categorical_crossentropy"]


@pytest.mark.parametrize(("loss", "labels"), [
    (LOSSES, two_labels()),
    ({"a": LOSSES[0], "b": LOSSES[1]}, {"a": two_labels()[0], "b": two_labels()[1]}),
    ({"a": LOSSES[0], "b": LOSSES[1]}, tuple(two_labels())),
    ([keras.losses.MeanSquaredError(), keras.losses.SparseCategoricalCrossentropy()], two_labels()),
])
def test_losses_of_several_outputs(loss, labels):
    model = two_headed(loss=loss)
    history = model.fit(inputs(), labels, batch_size=8, shuffle=False, verbose=0).history
    assert list(history) == ["a_loss", "b_loss", "loss"]
    assert history["loss"][0] == pytest.approx(history["a_loss"][0] + history["b_loss"][0])
    assert history["loss"] == two_headed(loss=LOSSES).fit(inputs(), two_labels(), batch_size=8, shuffle=False, verbose=0).history["loss"]


def test_loss_weights():
    for weights in ([0.5, 2.0], {"a": 0.5, "b": 2.0}):
        model = two_headed(loss=LOSSES, loss_weights=weights)
        logs = model.evaluate(inputs(), two_labels(), verbose=0, return_dict=True)
        assert logs["loss"] == pytest.approx(0.5 * logs["a_loss"] + 2 * logs["b_loss"])
    part = two_headed(loss=LOSSES, loss_weights={"b": 0.0}).evaluate(inputs(), two_labels(), verbose=0, return_dict=True)
    assert part["loss"] == pytest.approx(part["a_loss"])


def test_outputs_without_a_loss():
    for loss in ({"b": LOSSES[1]}, [None, LOSSES[1]]):
        logs = two_headed(loss=loss).evaluate(inputs(), two_labels(), verbose=0, return_dict=True)
        assert list(logs) == ["loss"]
    logs = two_headed(loss={"b": LOSSES[1]}).evaluate(inputs(), {"b": classes()}, verbose=0, return_dict=True)
    assert list(logs) == ["loss"]


def test_losses_of_outputs_in_a_dict_come_in_the_order_of_the_dict_of_losses():
    x = keras.Input((4,))
    model = keras.Model(x, {name: keras.layers.Dense(1, name=name)(x) for name in ("price", "kind", "tags")})
    model.compile("sgd", {"tags": "mse", "price": "mae", "kind": "mse"})
    labels = {name: inputs()[:, :1] * scale for scale, name in enumerate(("kind", "price", "tags"), 1)}
    named = model.evaluate(inputs(), labels, verbose=0, return_dict=True)
    assert model.metrics_names == ["loss", "tags_loss", "price_loss", "kind_loss"]
    assert model.evaluate(inputs(), labels, verbose=0) == [named[name] for name in model.metrics_names]


def test_names_of_metrics():
    model = two_headed(loss=LOSSES, metrics=[["mse", keras.metrics.MeanSquaredError()], ["accuracy", "acc"]],
                       weighted_metrics=[["mse"], ["accuracy"]])
    logs = model.evaluate(inputs(), two_labels(), verbose=0, return_dict=True)
    assert list(logs) == ["a_loss", "a_mean_squared_error", "a_mse", "a_weighted_mse", "b_acc", "b_accuracy", "b_loss",
                          "b_weighted_accuracy", "loss"]
    assert model.metrics_names == ["loss", "compile_metrics", "a_loss", "b_loss"]
    listed = two_headed(loss=LOSSES, metrics=[["mse"], ["accuracy"]]).evaluate(inputs(), two_labels(), verbose=0)
    logs = two_headed(loss=LOSSES, metrics=[["mse"], ["accuracy"]]).evaluate(inputs(), two_labels(), verbose=0, return_dict=True)
    assert listed == [logs[name] for name in ("loss", "a_loss", "b_loss", "a_mse", "b_accuracy")]
    assert list(classifier(metrics=["accuracy", "accuracy"]).evaluate(inputs(), classes(), verbose=0, return_dict=True)) == [
        "accuracy", "accuracy_1", "loss"]
    by_name = two_headed(loss=LOSSES, metrics={"b": "accuracy"}).evaluate(inputs(), two_labels(), verbose=0, return_dict=True)
    assert "b_accuracy" in by_name and "a_accuracy" not in by_name


@pytest.mark.parametrize(("units", "activation", "labels", "expected"), [
    (1, "sigmoid", classes() > 0, "BinaryAccuracy"),
    (3, "softmax", classes(), "SparseCategoricalAccuracy"),
    (3, "softmax", classes()[:, None], "SparseCategoricalAccuracy"),
    (3, "softmax", np.eye(3)[classes()], "CategoricalAccuracy"),
])
def test_accuracy_is_chosen_by_the_shapes(units, activation, labels, expected):
    for word in ("accuracy", "acc", "ACC"):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, activation=activation)])
        loss = "categorical_crossentropy" if expected == "CategoricalAccuracy" else (
            "binary_crossentropy" if units == 1 else "sparse_categorical_crossentropy")
        model.compile("sgd", loss, metrics=[word])
        assert word in model.evaluate(inputs(), labels, verbose=0, return_dict=True)
        assert type(model._compile_metrics.metrics[0]).__name__ == expected


def test_functions_as_losses_and_metrics():
    def halved(y_true, y_pred):
        return 0.5 * keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    logs = linear(loss=halved, metrics=[halved, "mse"]).evaluate(inputs(), inputs()[:, :1], verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(logs["halved"]) == pytest.approx(logs["mse"] / 2)


def test_sample_weights_of_several_outputs():
    doubled = np.full(20, 2.0)
    plain = two_headed(loss=LOSSES).evaluate(inputs(), two_labels(), verbose=0, return_dict=True)
    for weights, factors in ((doubled, (2, 2)), ([np.ones(20), doubled], (1, 2)), ({"b": doubled}, (1, 2))):
        logs = two_headed(loss=LOSSES).evaluate(inputs(), two_labels(), sample_weight=weights, verbose=0, return_dict=True)
        for name, factor in zip(("a_loss", "b_loss"), factors, strict=True):
            assert logs[name] == pytest.approx(factor * plain[name])


def test_masks_reach_losses_and_metrics():
    model = keras.Sequential([keras.layers.Embedding(5, 3, mask_zero=True), keras.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    ids, labels = np.array([[1, 2, 0, 0], [3, 0, 0, 0]]), np.array([[1, 0, 1, 0], [1, 1, 1, 1]])
    logs = model.evaluate(ids, labels, verbose=0, return_dict=True)
    seen, picked = model.predict(ids, verbose=0)[ids > 0], labels[ids > 0]
    assert logs["loss"] == pytest.approx(-np.log(seen[np.arange(3), picked]).mean(), rel=1e-5)
    assert logs["accuracy"] == pytest.approx((seen.argmax(1) == picked).mean())


class Own(keras.Model):
    """Everything of the step that a user may change."""

    def __init__(self):
        super().__init__()
        self.line = keras.layers.Dense(1, kernel_initializer="ones")
        self.penalty = keras.metrics.Mean(name="penalty")

    def call(self, x):
        y = self.line(x)
        self.add_loss(0.5 * keras.ops.mean(keras.ops.square(y)))
        return y

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = super().compute_loss(x, y, y_pred, sample_weight)
        self.penalty.update_state(0.5 * keras.ops.mean(keras.ops.square(y_pred)))
        return 3 * loss


def test_compute_loss_and_added_losses_are_honoured():
    model, x = Own(), inputs()
    model.compile(keras.optimizers.SGD(0.0), "mse")
    y = x[:, :1]
    logs = model.fit(x, y, batch_size=20, verbose=0).history
    prediction = x.sum(1, keepdims=True)
    penalty = 0.5 * np.mean(prediction**2)
    assert logs["penalty"] == pytest.approx([penalty], rel=1e-5)
    assert logs["loss"] == pytest.approx([3 * (np.mean((prediction - y) ** 2) + penalty)], rel=1e-5)


def test_compute_metrics_is_honoured():
    class Counting(Own):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            results = super().compute_metrics(x, y, y_pred, sample_weight)
            results["largest"] = keras.ops.max(y_pred)
            return results

    model, x = Counting(), inputs()
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=["mae"])
    logs = model.fit(x, x[:, :1], batch_size=20, verbose=0).history
    assert list(logs) == ["largest", "loss", "mae", "penalty"]
    assert logs["largest"] == pytest.approx([x.sum(1).max()], rel=1e-5)


@pytest.mark.parametrize("method", ["train_step", "test_step", "predict_step"])
def test_overridden_steps_are_refused(method):
    model = type("Mine", (Own,), {method: lambda self, data: None})()
    with pytest.raises(NotImplementedError, match=f"Mine overrides {method}.*compute_loss"):
        model.compile("sgd", "mse")
    with pytest.raises(NotImplementedError, match=method):
        model.predict(inputs(), verbose=0)


def test_recompiling_starts_anew():
    model = classifier("adam")
    model.fit(inputs(), classes(), verbose=0)
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert int(model.optimizer.iterations) == 0
    assert list(model.fit(inputs(), classes(), verbose=0).history) == ["accuracy", "loss"]


def test_an_overridden_metrics_property_does_not_keep_the_loss_from_being_reset():
    class Hidden(Own):
        @property
        def metrics(self):
            return [self.penalty]

    model, x = Hidden(), inputs()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    first, second = model.fit(x, x[:, :1], epochs=2, batch_size=20, verbose=0).history["loss"]
    assert second == pytest.approx(model.evaluate(x, x[:, :1], verbose=0, return_dict=True)["loss"], rel=0.5) and second < first


def test_names_of_a_single_output():
    x = keras.Input((4,))
    model = keras.Model(x, keras.layers.Dense(1, name="head")(x))
    model.compile("sgd", {"head": "mse"}, metrics={"head": ["mae"]})
    logs = model.fit(inputs(), {"head": inputs()[:, :1]}, sample_weight={"head": np.ones(20)}, verbose=0).history
    assert list(logs) == ["loss", "mae"]
    with pytest.raises(ValueError, match=r"`y` has the key 'tail', but the outputs of the model are named \['head'\]"):
        model.fit(inputs(), {"tail": inputs()[:, :1]}, verbose=0)


def test_configuration_round_trip():
    model = classifier("adam", metrics=["accuracy", keras.metrics.SparseCategoricalCrossentropy(name="ce")])
    config = model.get_compile_config()
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    other.compile_from_config(config)
    other.set_weights(model.get_weights())
    histories = [m.fit(inputs(), classes(), shuffle=False, verbose=0).history for m in (model, other)]
    assert histories[0] == histories[1]


def test_what_a_later_compile_does_not_name_stays():
    model = linear(metrics=["mae"])
    model.compile("adam")
    assert list(model.fit(inputs(), inputs()[:, :1], verbose=0).history) == ["loss", "mae"] and model.loss == "mse"
    assert model.get_compile_config()["loss"] == "mse" and model.get_compile_config()["metrics"] == ["mae"]
    model.compile("adam", "mae", metrics=[])
    assert list(model.fit(inputs(), inputs()[:, :1], verbose=0).history) == ["loss"] and model.loss == "mae"


def test_a_metric_of_several_numbers_is_an_array_in_the_logs(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=[keras.metrics.Recall(thresholds=[0.0, 1.0])])
    path = tmp_path / "log.csv"
    history = model.fit(inputs(), np.ones((20, 1)), epochs=2, verbose=2, callbacks=[keras.callbacks.CSVLogger(path)]).history["recall"]
    for value in (*history, model.evaluate(inputs(), np.ones((20, 1)), verbose=0)[1]):
        assert isinstance(value, np.ndarray) and value.dtype == "float32" and value.tolist() == [1.0, 0.0]
    assert '"""[1.0, 0.0]"""' in path.read_text()
