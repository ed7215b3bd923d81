"""Objects as plain data: registered classes, scopes, custom objects, subclassed models, JSON, clones."""

from __future__ import annotations

import json

import numpy as np
import pytest
from saving_helpers import rows, small_model

import kcompile as keras
from kcompile import saving
from kcompile.saving import ModelFileError


@saving.register_keras_serializable("tests", "Twice")
class Scaled(keras.layers.Layer):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.shift = self.add_weight(shape=input_shape[-1:], initializer="ones", name="shift")

    def call(self, x):
        return x * self.factor + self.shift

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class Own(keras.Model):
    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense = keras.layers.Dense(units)
        self.parts = [Scaled(3.0), keras.layers.Dropout(0.5)]

    def call(self, x, training=None):
        for part in self.parts:
            x = part(x)
        return self.dense(x)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@saving.register_keras_serializable("tests")
def doubled_error(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1) * 2.0


def test_names():
    assert saving.get_registered_name(Scaled) == "tests>Twice"
    assert saving.get_registered_object("tests>Twice") is Scaled
    assert saving.get_registered_name(Own) == "Own"
    assert saving.get_registered_object("Own") is None
    with saving.custom_object_scope({"Own": Own}):
        assert saving.get_registered_object("Own") is Own
    assert saving.get_registered_object("Own") is None
    assert saving.get_custom_objects()["tests>Twice"] is Scaled
    with pytest.raises(ValueError, match="get_config"):
        saving.register_keras_serializable()(type("Plain", (), {}))


@pytest.mark.parametrize("item", [
    None, 3, 2.5, "relu", [1, "a"], {"a": [1]}, b"bytes", slice(1, None, 2), Ellipsis, np.arange(6).reshape(2, 3),
], ids=repr)
def test_plain_values(item):
    record = saving.serialize_keras_object(item)
    back = saving.deserialize_keras_object(json.loads(json.dumps(record)))
    np.testing.assert_array_equal(np.asarray(back, dtype=object), np.asarray(item, dtype=object))


@pytest.mark.parametrize("item", [
    keras.layers.Dense(3, activation="relu", kernel_regularizer="l2"), keras.optimizers.Adam(0.1), keras.losses.Huber(delta=2.0),
    keras.metrics.BinaryAccuracy(threshold=0.2), keras.initializers.HeNormal(seed=1), keras.regularizers.L1(0.3),
    keras.constraints.MaxNorm(3), keras.optimizers.schedules.CosineDecay(0.1, 10), keras.DTypePolicy("mixed_float16"),
], ids=lambda item: type(item).__name__)
def test_objects(item):
    record = json.loads(json.dumps(saving.serialize_keras_object(item)))
    back = saving.deserialize_keras_object(record)
    assert type(back) is type(item)
    assert saving.serialize_keras_object(back) == record


def test_functions():
    for function in (keras.activations.relu, keras.losses.mean_squared_error, doubled_error):
        record = saving.serialize_keras_object(function)
        assert record["class_name"] == "function"
        assert saving.deserialize_keras_object(record) is function
    with pytest.raises(ValueError, match="Unknown function: 'system'"):
        saving.deserialize_keras_object({"module": "os", "class_name": "function", "config": "system", "registered_name": "system"})


def test_registered_layer_loss_and_metric(tmp_path):
    x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    model = keras.Sequential([keras.layers.Input((4,)), Scaled(), keras.layers.Dense(2)])
    model.compile("sgd", doubled_error, metrics=[doubled_error])
    model.fit(x, x[:, :2], verbose=0)
    for name in ("m.keras", "m.h5"):
        model.save(tmp_path / name)
        loaded = keras.models.load_model(tmp_path / name)
        assert isinstance(loaded.layers[0], Scaled)
        assert loaded.evaluate(x, x[:, :2], verbose=0) == model.evaluate(x, x[:, :2], verbose=0)


def test_subclassed_model(tmp_path):
    x, _ = rows()
    model = Own(units=2)
    model.compile("adam", "mse")
    model.fit(x, x[:, :2], verbose=0)
    model.save(tmp_path / "m.keras")
    with pytest.raises(ModelFileError, match="'Own'"):
        keras.models.load_model(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras", custom_objects={"Own": Own})
    np.testing.assert_array_equal(model.predict(x, verbose=0), loaded.predict(x, verbose=0))
    assert model.fit(x, x[:, :2], verbose=0).history == loaded.fit(x, x[:, :2], verbose=0).history
    with pytest.raises(NotImplementedError, match="subclassed"):
        model.save(tmp_path / "m.h5")


def test_json_and_clone():
    model = small_model()
    x, _ = rows()
    text = model.to_json(indent=1)
    made = keras.models.model_from_json(text)
    made.set_weights(model.get_weights())
    np.testing.assert_array_equal(made.predict(x, verbose=0), model.predict(x, verbose=0))
    assert json.loads(made.to_json())["config"] == json.loads(text)["config"]
    clone = keras.models.clone_model(model)
    assert [tuple(w.shape) for w in clone.weights] == [tuple(w.shape) for w in model.weights]
    with pytest.raises(ModelFileError, match="not valid JSON"):
        keras.models.model_from_json("{")


def test_namespaces():
    assert keras.saving.load_model is saving.load_model
    for name in saving.__all__:
        assert hasattr(keras.saving, name)
    assert keras.utils.register_keras_serializable is saving.register_keras_serializable
    assert keras.utils.custom_object_scope is saving.custom_object_scope


def doubled(x):
    return x * 2.0


class Sevens(keras.initializers.Initializer):
    def __call__(self, shape, dtype=None):
        return keras.ops.full(shape, 7.0, dtype)


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_custom_objects_reach_what_layers_name(name, tmp_path):
    """Activations, initializers, losses and metrics of the user's, not registered: given, in a scope, in the global table."""
    x = np.ones((3, 2), "float32")
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(2, activation=doubled, kernel_initializer=Sevens())])
    model.compile("sgd", scaled_error, metrics=[scaled_error])
    model.save(tmp_path / name)
    own = {"doubled": doubled, "Sevens": Sevens, "scaled_error": scaled_error}
    with pytest.raises(ModelFileError, match=r"(?s)'doubled'.*custom_objects"):
        keras.models.load_model(tmp_path / name)
    with pytest.raises(ModelFileError, match=r"(?s)'scaled_error'.*compile=False"):
        keras.models.load_model(tmp_path / name, custom_objects={"doubled": doubled, "Sevens": Sevens})
    loaded = [keras.models.load_model(tmp_path / name, custom_objects=own)]
    with saving.custom_object_scope(own):
        loaded.append(keras.models.load_model(tmp_path / name))
    saving.get_custom_objects().update(own)
    try:
        loaded.append(keras.models.load_model(tmp_path / name))
    finally:
        for key in own:
            del saving.get_custom_objects()[key]
    for one in loaded:
        assert isinstance(one.layers[0].kernel_initializer, Sevens)
        assert one.loss is scaled_error
        np.testing.assert_array_equal(one(x).numpy(), np.full((3, 2), 28.0))


def scaled_error(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1) * 3.0


def test_lambdas_in_activations_and_losses(tmp_path):
    x = np.ones((3, 2), "float32")
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(2, activation=lambda t: t * 3.0, kernel_initializer="ones")])
    model.compile("sgd", lambda a, b: keras.ops.mean(a - b, axis=-1))
    for name in ("m.keras", "m.h5"):
        model.save(tmp_path / name)
        with pytest.raises(ModelFileError, match="safe_mode=False"):
            keras.models.load_model(tmp_path / name)
        loaded = keras.models.load_model(tmp_path / name, safe_mode=False)
        np.testing.assert_array_equal(loaded(x).numpy(), np.full((3, 2), 6.0))
        assert loaded.compiled
    with pytest.raises(NotImplementedError, match=r"tf_saved_model.*\.keras"):
        model.export(tmp_path / "folder")
