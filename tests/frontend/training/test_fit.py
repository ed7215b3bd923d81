"""fit, evaluate, predict and the one-batch forms: results, counts, data of every kind."""

import numpy as np
import pytest

import kcompile as keras
from kcompile import config

from .models import ROWS, classes, classifier, inputs, linear


def squared_error(model, x, y):
    kernel, bias = model.get_weights()
    return float(np.mean((x @ kernel + bias - y) ** 2))


def test_one_step_of_gradient_descent():
    model, x = linear(keras.optimizers.SGD(0.1)), inputs()
    y = x.sum(1, keepdims=True)
    kernel, bias = model.get_weights()
    error = x @ kernel + bias - y
    model.train_on_batch(x, y)
    np.testing.assert_allclose(model.get_weights()[0], kernel - 0.1 * 2 * x.T @ error / ROWS, rtol=1e-5)
    np.testing.assert_allclose(model.get_weights()[1], bias - 0.1 * 2 * error.mean(0), rtol=1e-5)


def test_epochs_go_through_all_rows_and_weigh_the_last_batch_by_its_rows():
    model, x = linear(keras.optimizers.SGD(0.0), metrics=["mae"]), inputs(21)
    y = np.linspace(0, 5, 21)[:, None]
    history = model.fit(x, y, batch_size=8, epochs=2, verbose=0).history
    assert list(history) == ["loss", "mae"]
    np.testing.assert_allclose(history["loss"], [squared_error(model, x, y)] * 2, rtol=1e-5)


def test_same_seed_same_course_and_another_order_each_epoch():
    def course(seed):
        keras.utils.set_random_seed(seed)
        return linear(keras.optimizers.SGD(0.2)).fit(inputs(), inputs()[:, :1], batch_size=4, epochs=3, verbose=0).history["loss"]

    assert course(1) == course(1) != course(2)


def test_shuffled_rows_are_all_seen_once():
    model = linear(keras.optimizers.SGD(0.0))
    x = inputs(17)
    for shuffle in (True, False, "batch"):
        loss = model.fit(x, x[:, :1], batch_size=4, shuffle=shuffle, verbose=0).history["loss"][0]
        assert loss == pytest.approx(squared_error(model, x, x[:, :1]), rel=1e-5)


def test_validation():
    x, y = inputs(), classes()
    history = classifier(metrics=["accuracy"]).fit(x, y, validation_split=0.25, epochs=2, verbose=0).history
    assert list(history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    model = classifier()
    held = model.fit(x[:15], y[:15], validation_data=(x[15:], y[15:]), epochs=2, verbose=0, shuffle=False).history["val_loss"]
    assert held[-1] == pytest.approx(model.evaluate(x[15:], y[15:], verbose=0))
    twice = classifier().fit(x, y, validation_data=(x, y), validation_freq=2, epochs=4, verbose=0).history
    assert len(twice["val_loss"]) == 2 and len(twice["loss"]) == 4


def test_weights_of_samples_and_classes():
    x, y = inputs(), classes()
    per_sample = np.where(y == 1, 5.0, 1.0)
    by_sample, by_class = classifier(), classifier()
    a = by_sample.fit(x, y, sample_weight=per_sample, shuffle=False, verbose=0).history
    b = by_class.fit(x, y, class_weight={1: 5.0}, shuffle=False, verbose=0).history
    assert a == b
    one_hot = classifier(loss="categorical_crossentropy").fit(x, np.eye(3)[y], class_weight={1: 5.0}, shuffle=False, verbose=0).history
    assert one_hot["loss"] == pytest.approx(a["loss"])
    plain, weighted = classifier(metrics=["accuracy"]), classifier(weighted_metrics=["accuracy"])
    accuracies = [m.evaluate(x, y, sample_weight=per_sample, verbose=0, return_dict=True)["accuracy"] for m in (plain, weighted)]
    right = plain.predict(x, verbose=0).argmax(1) == y
    assert accuracies == pytest.approx([right.mean(), np.average(right, weights=per_sample)])


def test_data_of_every_kind():
    x, y = inputs(), classes()
    reference = classifier().evaluate(x, y, verbose=0)
    for kind in (np.float64, np.float16):
        assert classifier().evaluate(x.astype(kind), y, verbose=0) == pytest.approx(reference, rel=2e-3)
    for labels in (y.astype("uint8"), y.astype("int32"), y.astype("float32"), y[:, None], y.tolist(), keras.ops.convert_to_tensor(y)):
        assert classifier().evaluate(keras.ops.convert_to_tensor(x), labels, verbose=0) == pytest.approx(reference)
    assert classifier().evaluate(np.asfortranarray(x), y, verbose=0) == pytest.approx(reference)
    pixels = (x * 255).astype("uint8")
    assert classifier().evaluate(pixels, y, verbose=0) == pytest.approx(classifier().evaluate(pixels.astype("float32"), y, verbose=0))


def test_generators_and_other_iterables():
    x, y = inputs(), classes()
    batches = [(x[k:k + 8], y[k:k + 8]) for k in range(0, ROWS, 8)]
    expected = classifier().fit(x, y, batch_size=8, shuffle=False, epochs=2, verbose=0).history["loss"]
    assert classifier().fit(batches_again(batches), epochs=2, verbose=0).history["loss"] == pytest.approx(expected)
    endless = (batch for batch in batches * 2)
    assert classifier().fit(endless, steps_per_epoch=3, epochs=2, verbose=0).history["loss"] == pytest.approx(expected)
    assert classifier().evaluate(iter(batches), verbose=0) == pytest.approx(classifier().evaluate(x, y, verbose=0))
    parts = (part for part, _ in batches)
    np.testing.assert_allclose(classifier().predict(parts, verbose=0), classifier().predict(x, verbose=0), rtol=1e-6)


class batches_again:
    """An iterable that may be gone through more than once."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


def test_a_generator_that_ends_early_ends_training():
    x, y = inputs(), classes()
    with pytest.warns(UserWarning, match="ran out of data"):
        history = classifier().fit(((x, y) for _ in range(3)), steps_per_epoch=2, epochs=5, verbose=0)
    assert history.epoch == [0, 1]


def test_steps_per_epoch_goes_on_where_it_left_off():
    model, x = linear(keras.optimizers.SGD(0.0)), inputs()
    y = np.repeat(np.arange(5.0), 4)[:, None]
    losses = model.fit(x, y, batch_size=4, steps_per_epoch=2, epochs=2, shuffle=False, verbose=0).history["loss"]
    parts = [squared_error(model, x[k:k + 8], y[k:k + 8]) for k in (0, 8)]
    assert losses == pytest.approx(parts, rel=1e-5)
    assert model.evaluate(x, y, batch_size=4, steps=2, verbose=0) == pytest.approx(parts[0], rel=1e-5)
    assert model.predict(x, batch_size=4, steps=2, verbose=0).shape == (8, 1)


def test_results_of_one_batch_stand_alone():
    model, x, y = classifier(keras.optimizers.SGD(0.0), metrics=["accuracy"]), inputs(), classes()
    first = model.test_on_batch(x[:4], y[:4])
    model.test_on_batch(x[4:], y[4:])
    assert model.train_on_batch(x[:4], y[:4]) == first
    assert model.test_on_batch(x[:4], y[:4], return_dict=True) == dict(zip(["loss", "accuracy"], first, strict=True))
    assert isinstance(linear().train_on_batch(x, x[:, :1]), float)
    np.testing.assert_array_equal(model.predict_on_batch(x), model.predict(x, batch_size=3, verbose=0))


def test_a_prediction_has_the_same_bits_in_any_batch():
    model, x = classifier(), inputs(33)
    whole = model.predict(x, batch_size=33, verbose=0)
    for size in (1, 2, 7, 16, 32):
        np.testing.assert_array_equal(model.predict(x, batch_size=size, verbose=0), whole)


def test_outputs_keep_their_structure():
    class Pair(keras.Model):
        def call(self, x):
            return {"twice": 2 * x, "more": (x + 1, [x])}

    found = Pair().predict(inputs(), verbose=0)
    np.testing.assert_allclose(found["twice"], 2 * inputs())
    np.testing.assert_allclose(found["more"][0], inputs() + 1)
    np.testing.assert_allclose(found["more"][1][0], inputs())


def test_deferred_models_are_built_by_the_first_fit():
    model = keras.Sequential([keras.layers.Dense(3, activation="relu"), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(inputs(), inputs()[:, :1], verbose=0)
    assert [tuple(w.shape) for w in model.weights] == [(4, 3), (3,), (3, 1), (1,)]
    assert int(model.optimizer.iterations) == 1


def test_learning_rate_may_be_assigned_without_a_new_compilation():
    model, x = linear(keras.optimizers.SGD(0.1)), inputs()
    model.train_on_batch(x, x[:, :1])
    runners, before = dict(model._runners), model.get_weights()
    model.optimizer.learning_rate = 0.0
    model.train_on_batch(x, x[:, :1])
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    assert model._runners == runners
    model.optimizer.learning_rate = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    model.train_on_batch(x, x[:, :1])
    assert float(np.abs(model.get_weights()[0] - before[0]).max()) > 0
    with pytest.raises(TypeError, match="not settable"):
        model.optimizer.learning_rate = 0.1


@pytest.mark.parametrize("rate", [0.01, keras.optimizers.schedules.ExponentialDecay(0.01, 3, 0.5)])
def test_a_learning_rate_is_of_floatx(rate):
    """That of float64 training is not rounded to float32."""
    saved, policy = config.floatx(), config.dtype_policy()
    try:
        config.set_floatx("float64")
        config.set_dtype_policy("float64")  # by itself the policy follows floatx only until somebody sets one
        model, x = linear(keras.optimizers.SGD(rate)), inputs().astype("float64")
        before = model.get_weights()[0]
        assert before.dtype == "float64" and keras.ops.convert_to_tensor(model.optimizer.learning_rate).dtype == "float64"
        model.train_on_batch(x, x[:, :1])
        slope = 2 * (x.T @ (x @ before - x[:, :1])) / len(x)
        np.testing.assert_allclose(model.get_weights()[0], before - 0.01 * slope, rtol=1e-12)
    finally:
        config.set_floatx(saved)
        config.set_dtype_policy(policy)


def test_frozen_layers_are_left_alone():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(inputs(), inputs()[:, :1], verbose=0)
    model.layers[0].trainable = False
    before = model.get_weights()
    model.fit(inputs(), inputs()[:, :1], verbose=0)
    after = model.get_weights()
    np.testing.assert_array_equal(before[0], after[0])
    assert not np.array_equal(before[2], after[2])


def test_averaged_weights_take_their_place_at_the_end():
    model = linear(keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.5))
    model.fit(inputs(), inputs()[:, :1], batch_size=4, verbose=0)
    for average, weight in zip(model.optimizer._averages, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(average.numpy(), weight.numpy())


def test_a_fixed_batch_size_is_kept():
    model = keras.Sequential([keras.Input((4,), batch_size=5), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert model.fit(inputs(), inputs()[:, :1], verbose=0).params["steps"] == 4
    for call in (lambda: model.fit(inputs(12), inputs(12)[:, :1], verbose=0), lambda: model.predict(inputs(), batch_size=4, verbose=0),
                 lambda: model.train_on_batch(inputs(), inputs()[:, :1])):
        with pytest.raises(ValueError, match="fixed batch size of 5"):
            call()
