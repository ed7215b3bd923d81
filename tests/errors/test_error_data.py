"""Data that cannot be trained on: said before the first step, or the weights stay those of the last good one."""

import numpy as np
import pytest
from expected_errors import raises
from faulty_models import classifier

import kcompile as keras
from kcompile import layers


def weights(model):
    return [w.numpy() for w in model.weights]


def unchanged(model, before):
    return all(np.array_equal(a, b) for a, b in zip(before, weights(model), strict=True)) and model.optimizer.iterations.numpy() == 0


@pytest.mark.parametrize("labels, number, sample", [([0, 1, 2, 3, 0, 1, 2, 0], 3, 3), ([0, 1, 2, 0, -1, 1, 2, 0], -1, 4)])
def test_labels_out_of_range(x, labels, number, sample):
    model = classifier("sparse_categorical_crossentropy", 3, "softmax")
    before = weights(model)
    with raises(ValueError, "`y`", f"value {number} of sample {sample}", "0 ... 2", "3 classes"):
        model.fit(x, np.array(labels), batch_size=2, verbose=0)
    assert unchanged(model, before), "known before the first step"


def test_words_out_of_range(y):
    model = keras.Sequential([keras.Input((2,), dtype="int32"), layers.Embedding(5, 3, name="words"), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    before = weights(model)
    with raises(ValueError, "`x`", "value 5 of sample 0", "0 ... 4", "/words'", "5 rows"):
        model.fit(np.full((8, 2), 5), y, verbose=0)
    assert unchanged(model, before)
    with raises(ValueError, "value 7", "/words'"):
        model.predict(np.full((8, 2), 7), verbose=0)
    with raises(ValueError, "9", "[0, 5)", "words"):
        model.layers[0](np.array([[1, 9]]))


def test_empty_data():
    model, nothing = classifier(), np.zeros((0, 4))
    for call in (lambda: model.fit(nothing, nothing, verbose=0), lambda: model.evaluate(nothing, nothing, verbose=0),
                 lambda: model.predict(nothing, verbose=0)):
        with raises(ValueError, "empty", "`x` has 0 samples", "(0, 4)"):
            call()


@pytest.mark.parametrize("dtype", ["complex64", "U3", "S3", "M8[s]", "m8[s]"])
def test_a_model_takes_numbers_alone_when_it_is_called(x, dtype):
    array = np.ones(x.shape, dtype) if dtype != "M8[s]" else np.zeros(x.shape, dtype)
    model = classifier()
    for call in (model, model.predict, model.predict_on_batch):
        with raises(TypeError, "has dtype", "floats, integers or booleans"):
            call(array)


def test_unequal_lengths(x, y):
    with raises(ValueError, "x: 8", "y: 5"):
        classifier().fit(x, y[:5], verbose=0)
    with raises(ValueError, "x: 8", "sample_weight: 3"):
        classifier().fit(x, y, sample_weight=np.ones(3), verbose=0)


@pytest.mark.parametrize("path", ["train.csv", b"train.csv"])
def test_a_path_is_no_data(path, y):
    for call in (lambda: classifier().fit(path, y), lambda: classifier().fit(path), lambda: classifier().predict(path)):
        with raises(ValueError, "Unrecognized data type", f"x={path!r}", "expected arrays"):
            call()


def test_callbacks_that_are_none(x, y):
    with raises(TypeError, "received 'early_stopping'", "of type str"):
        classifier().fit(x, y, callbacks=["early_stopping"])
    with raises(TypeError, "the class itself: write EarlyStopping(...)"):
        classifier().fit(x, y, callbacks=[keras.callbacks.EarlyStopping])


def test_labels_missing(x, y):
    with raises(ValueError, "loss needs labels", "`y`"):
        classifier().fit(x, verbose=0)
    model = classifier()
    before = weights(model)
    for held in (x, (x,)):
        with raises(ValueError, "loss needs labels", "`validation_data`", "(x, y)"):
            model.fit(x, y, validation_data=held, verbose=0)
    assert unchanged(model, before)


def test_validation_data_of_another_shape(x, y):
    model = classifier()
    before = weights(model)
    with raises(ValueError, "expected shape=(None, 4)", "found shape=(None, 5)", "`validation_data`"):
        model.fit(x, y, validation_data=(np.zeros((3, 5)), y[:3]), verbose=0)
    assert unchanged(model, before)


def test_what_holds_no_numbers(x, y):
    with raises(TypeError, "`x`", "dtype <U1", "expected floats, integers or booleans"):
        classifier().fit(np.array([["a"] * 4] * 8), y, verbose=0)
    with raises(TypeError, "`y`", "dtype <U1"):
        classifier().fit(x, np.array(["a"] * 8), verbose=0)
    with raises(TypeError, "`x`", "complex64"):
        classifier().fit(x.astype("complex64"), y, verbose=0)
    with raises(ValueError, "`x`", "Python objects"):
        classifier().fit(np.array([[None] * 4] * 8), y, verbose=0)
    with raises(ValueError, "`x`", "rows of different lengths"):
        classifier().fit([[1, 2, 3, 4], [1, 2, 3]], [1, 2], verbose=0)
    with raises(ValueError, "x=3.0", "float"):
        classifier().fit(3.0, y, verbose=0)
    with raises(ValueError, "`x` is None"):
        classifier().fit(None, y, verbose=0)


def test_arguments_of_fit(x, y):
    model = classifier()
    for arguments, parts in [
        ({"batch_size": 0}, ["batch_size", "positive integer", "0"]), ({"epochs": "3"}, ["epochs", "'3'"]),
        ({"steps_per_epoch": 0}, ["steps_per_epoch", "positive"]), ({"validation_split": 1.5}, ["validation_split", "1.5"]),
        ({"verbose": 3}, ["verbose", "3"]), ({"callbacks": [keras.callbacks.EarlyStopping]}, ["callbacks", "EarlyStopping"]),
    ]:
        with raises((ValueError, TypeError), *parts):
            model.fit(x, y, **{"verbose": 0, **arguments})


def test_generators(x, y):
    with raises(ValueError, "(x, y, sample_weight)", "4 items"):
        classifier().fit(iter([(x, y, y, y)]), verbose=0)
    with raises(ValueError, "generator", "`y` should not be passed"):
        classifier().fit(iter([(x, y)]), y, verbose=0)


def test_a_bad_batch_leaves_the_weights_of_the_last_good_step(x, y):
    for bad in (x[:, :3], np.array([["a"] * 4] * 8)):
        model, other = classifier(), classifier()
        other.set_weights(model.get_weights())

        def batches(bad=bad):
            yield x, y
            yield x * 2, y
            yield bad, y

        with raises((ValueError, TypeError)):
            model.fit(batches(), verbose=0)
        for batch in (x, x * 2):
            other.train_on_batch(batch, y)
        for mine, theirs in zip(weights(model), weights(other), strict=True):
            np.testing.assert_array_equal(mine, theirs)
        assert model.optimizer.iterations.numpy() == 2
        model.fit(x, y, verbose=0)


def test_labels_out_of_range_in_a_later_batch(x):
    model = classifier("sparse_categorical_crossentropy", 3, "softmax")
    good = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    with raises(ValueError, "value 6", "3 classes"):
        model.fit(iter([(x, good), (x, good), (x, good + 6)]), verbose=0)
    assert model.optimizer.iterations.numpy() == 2 and all(np.isfinite(w).all() for w in weights(model))


def test_an_exception_of_a_callback_leaves_a_model_that_trains_on(x, y):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                raise KeyboardInterrupt

    model = classifier()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=2, verbose=0, callbacks=[Stop()])
    assert model.optimizer.iterations.numpy() == 2
    model.fit(x, y, batch_size=2, verbose=0)
    assert model.optimizer.iterations.numpy() == 6


def test_nan_comes_through(x, y):
    x[3, 1] = np.nan
    for layer in (layers.ReLU(), layers.Softmax(), layers.Dense(2), layers.Activation("tanh"), layers.LayerNormalization()):
        found = keras.Sequential([keras.Input((4,)), layer]).predict(x, verbose=0)
        assert np.isnan(found[3]).any() and np.isfinite(np.delete(found, 3, axis=0)).all()
    images = np.zeros((2, 4, 4, 1), "float32")
    images[1, 2, 3, 0] = np.nan
    for layer in (layers.MaxPooling2D(), layers.AveragePooling2D(2), layers.GlobalMaxPooling2D()):
        found = keras.Sequential([keras.Input((4, 4, 1)), layer]).predict(images, verbose=0)
        assert np.isfinite(found[0]).all() and np.isnan(found[1]).sum() == 1
    model = classifier()
    history = model.fit(x, y, epochs=3, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN()]).history
    assert len(history["loss"]) == 1 and np.isnan(history["loss"][0])
