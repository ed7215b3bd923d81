"""One clear error, before the first step: what is wrong, of which argument."""

import numpy as np
import pytest

import kcompile as keras

from .models import classes, classifier, inputs, linear, two_headed


def unchanged(model, call, kind, match):
    """The call fails with this error, and no weight has moved."""
    before = model.get_weights()
    with pytest.raises(kind, match=match):
        call(model)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


X, Y = inputs(), classes()


@pytest.mark.parametrize(("call", "kind", "match"), [
    (lambda m: m.fit(X, Y[:10]), ValueError, "same number of samples.*x: 20, y: 10"),
    (lambda m: m.fit(X, Y, sample_weight=np.ones(3)), ValueError, "sample_weight: 3"),
    (lambda m: m.fit(X[:0], Y[:0]), ValueError, "empty: `x` has 0 samples"),
    (lambda m: m.fit(), ValueError, "`x` is None"),
    (lambda m: m.fit(X), ValueError, "needs labels"),
    (lambda m: m.fit(X.astype(str), Y), TypeError, "`x` has dtype"),
    (lambda m: m.fit(X, Y + 1), ValueError, "`y`: value 3 of sample 2 is outside 0 ... 2: the output has 3 classes"),
    (lambda m: m.fit(X, Y - 1), ValueError, "`y`: value -1"),
    (lambda m: m.fit(X, np.where(Y == 1, np.nan, Y)), ValueError, "`y`: value nan of sample 1"),
    (lambda m: m.train_on_batch(X, Y + 1), ValueError, "`y`: value 3"),
    (lambda m: m.fit(((X, Y + 1) for _ in range(2)), verbose=0), ValueError, "`y`: value 3"),
    (lambda m: m.fit(X, np.eye(3)[Y]), ValueError, r"labels \(`y`\) of shape \(None, 3\).*one axis less"),
    (lambda m: m.fit(X, Y, sample_weight=np.ones((20, 3))), ValueError, r"`sample_weight` of shape \(None, 3\)"),
    (lambda m: m.fit(X, Y, validation_data=(X, Y[:3])), ValueError, "validation_data: .*y: 3"),
    (lambda m: m.fit(X, Y, validation_data=(X, Y + 1)), ValueError, "validation_data: `y`: value 3"),
    (lambda m: m.fit(X, Y, validation_split=1.5), ValueError, "validation_split"),
    (lambda m: m.fit(iter([(X, Y)]), validation_split=0.5), ValueError, "only supported for arrays"),
    (lambda m: m.fit(iter([(X, Y)]), Y), ValueError, "`y` should not be passed"),
    (lambda m: m.fit(X, Y, batch_size=0), ValueError, "`batch_size` must be a positive integer"),
    (lambda m: m.fit(X, Y, epochs=-1), ValueError, "`epochs`"),
    (lambda m: m.fit(X, Y, steps_per_epoch=0), ValueError, "`steps_per_epoch`"),
    (lambda m: m.fit(X, Y, verbose=3), ValueError, "`verbose`"),
    (lambda m: m.fit(X, Y, callbacks=[7]), TypeError, "received 7"),
    (lambda m: m.fit(X, Y, class_weight=[1.0, 2.0]), TypeError, r"`class_weight` must be a dict .* Received: \[1.0, 2.0\]"),
    (lambda m: m.train_on_batch(X, Y, class_weight=[1.0, 2.0]), TypeError, "`class_weight` must be a dict"),
    (lambda m: m.fit(X, Y, class_weight={0: 1.0}, sample_weight=np.ones(20)), ValueError, "at the same time"),
    (lambda m: m.fit(X[:, :3], Y), ValueError, r"expected shape=\(None, 4\), found shape=\(None, 3\)"),
    (lambda m: m.predict(3), ValueError, "x=3"),
    (lambda m: m.predict(X[0]), ValueError, "incompatible"),
    (lambda m: m.fit({"wrong": X}, Y), ValueError, "Missing data for input"),
    (lambda m: m.fit([X, X], Y), ValueError, "expects 1 input"),
])
def test_of_data(call, kind, match):
    unchanged(classifier("adam"), call, kind, match)


def test_of_shapes_names_the_loss_and_the_output():
    unchanged(linear(units=2), lambda m: m.fit(X, X), ValueError,
              r"loss 'mse' was given labels \(`y`\) of shape \(None, 4\), predictions of shape \(None, 2\)")
    unchanged(two_headed(loss="mse"), lambda m: m.fit(X, [X, X]), ValueError, "loss 'mse' of output 'b'")


@pytest.mark.parametrize(("compiled", "match"), [
    ({"loss": {"a": "mse", "c": "mse"}}, r"`loss` has the key 'c', but the outputs of the model are named \['a', 'b'\]"),
    ({"loss": ["mse"]}, "`loss` is a list of 1"),
    ({"loss": "mse", "metrics": {"c": "mse"}}, "`metrics` has the key 'c'"),
    ({"loss": "mse", "metrics": ["mse"]}, "as many entries as the model has outputs"),
    ({"loss": ["mse", "mse"], "loss_weights": [1.0]}, "got 2 losses and 1 weights"),
    ({"loss": ["mse", "mse"], "loss_weights": {"c": 1.0}}, "`loss_weights` has the key 'c'"),
])
def test_of_outputs(compiled, match):
    unchanged(two_headed(**compiled), lambda m: m.fit(X, [np.ones((20, 1)), np.eye(3)[Y]], verbose=0), ValueError, match)


@pytest.mark.parametrize(("arguments", "match"), [
    ({"optimizer": "adma"}, "optimizer identifier: 'adma'. Did you mean .*'adam'"),
    ({"loss": "msee"}, "loss identifier: 'msee'. Did you mean 'mse'"),
    ({"metrics": ["acuracy"]}, "metric identifier: 'acuracy'. Did you mean 'accuracy'"),
    ({"metrics": "accuracy"}, "list, tuple, or dict"),
    ({"steps_per_execution": 0}, "steps_per_execution"),
])
def test_of_compile(arguments, match):
    with pytest.raises(ValueError, match=match):
        keras.Sequential([keras.layers.Dense(1)]).compile(**arguments)


def test_of_a_model_that_was_not_compiled():
    model = keras.Sequential([keras.layers.Dense(1)])
    for call in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
        with pytest.raises(ValueError, match=r"You must call `compile\(\)`"):
            call(X, X[:, :1])


def test_a_model_without_a_loss():
    unchanged(linear(loss=None), lambda m: m.fit(X, X[:, :1]), ValueError, "No loss to compute")


def test_of_indices():
    model = keras.Sequential([keras.layers.Embedding(5, 2), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.array([[0, 4]]), np.zeros(1), verbose=0)
    for ids, value in (([[1, 5]], "5"), ([[1, -1]], "-1")):
        unchanged(model, lambda m, ids=ids: m.fit(np.array(ids), np.zeros(1), verbose=0), ValueError,
                  f"`x`: value {value} of sample 0 is outside 0 ... 4: the table of layer '.*embedding.*' has 5 rows")
        with pytest.raises(ValueError, match=f"value {value}"):
            model.predict(np.array(ids), verbose=0)


def test_ignored_classes_are_no_error():
    model = classifier(loss=keras.losses.SparseCategoricalCrossentropy(ignore_class=-1))
    assert np.isfinite(model.fit(X, Y - 1, verbose=0).history["loss"]).all()


def test_a_scalar_output_cannot_be_put_together():
    class Total(keras.Model):
        def call(self, x):
            return keras.ops.sum(x)

    with pytest.raises(ValueError, match=r"is a scalar.*predict_on_batch"):
        Total().predict(X, verbose=0)
    assert Total().predict_on_batch(X) == pytest.approx(X.sum(), rel=1e-5)


def test_of_optimizers():
    opt = keras.optimizers
    for arguments, match in (({"lr": 0.1}, "not recognized.*learning_rate"), ({"clipnorm": 1.0, "clipvalue": 1.0}, "Only one of"),
                             ({"momentum": 2.0}, "momentum"), ({"gradient_accumulation_steps": 1}, ">= 2"),
                             ({"learning_rate": "fast"}, "learning_rate"), ({"use_ema": True, "ema_momentum": 2}, "ema_momentum")):
        with pytest.raises(ValueError, match=match):
            opt.SGD(**arguments)
    with pytest.warns(UserWarning, match="`decay` is no longer supported"):
        opt.Adam(decay=0.1)
    optimizer, weight = opt.SGD(), keras.Variable(np.ones(2, "float32"))
    optimizer.build([weight])
    with pytest.raises(ValueError, match="Unknown variable"):
        optimizer.apply([np.ones(2)], [keras.Variable(np.ones(2, "float32"))])
    with pytest.raises(ValueError, match="No gradients"):
        optimizer.apply([None], [weight])
