"""Layers and models as plain data and back; clones."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kcompile import layers, metrics, ops, optimizers
from kcompile.models import Functional, Model, Sequential, clone_model

POLICY = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}
MAKERS = [
    lambda: layers.Dense(3, activation="relu", kernel_regularizer="l2", bias_initializer="ones"),
    lambda: layers.Conv1D(2, 3, padding="causal", dilation_rate=2),
    lambda: layers.Conv2D(4, (3, 2), strides=2, padding="same", groups=2, use_bias=False),
    lambda: layers.MaxPooling1D(3, 2),
    lambda: layers.MaxPooling2D((2, 3), padding="same", data_format="channels_first"),
    lambda: layers.AveragePooling1D(2),
    lambda: layers.AveragePooling2D(2),
    lambda: layers.GlobalMaxPooling1D(keepdims=True),
    lambda: layers.GlobalAveragePooling2D(),
    lambda: layers.Flatten(),
    lambda: layers.Reshape((2, -1)),
    lambda: layers.Permute((2, 1)),
    lambda: layers.RepeatVector(3),
    lambda: layers.ZeroPadding1D((1, 2)),
    lambda: layers.ZeroPadding2D(((1, 2), (3, 4))),
    lambda: layers.Cropping1D(1),
    lambda: layers.Cropping2D(((1, 0), (0, 2))),
    lambda: layers.UpSampling1D(3),
    lambda: layers.UpSampling2D((2, 3)),
    lambda: layers.Dropout(0.3, noise_shape=(None, 1), seed=4),
    lambda: layers.SpatialDropout1D(0.2),
    lambda: layers.SpatialDropout2D(0.2),
    lambda: layers.GaussianNoise(0.1, seed=2),
    lambda: layers.GaussianDropout(0.1),
    lambda: layers.BatchNormalization(axis=1, momentum=0.8, scale=False),
    lambda: layers.LayerNormalization(axis=[1, 2], epsilon=1e-5),
    lambda: layers.Activation("tanh"),
    lambda: layers.ReLU(6.0, 0.1, 0.5),
    lambda: layers.LeakyReLU(0.2),
    lambda: layers.ELU(0.5),
    lambda: layers.PReLU(shared_axes=[1]),
    lambda: layers.Softmax(axis=1),
    lambda: layers.Add(name="plus"),
    lambda: layers.Concatenate(axis=1),
    lambda: layers.Dot((1, 2), normalize=True),
    lambda: layers.Embedding(5, 3, mask_zero=True),
    lambda: layers.Rescaling(2.0, 1.0, dtype="mixed_float16"),
    lambda: layers.Identity(trainable=False),
    lambda: layers.Masking(0.5),
    lambda: layers.InputLayer((3,), batch_size=2, dtype="int32"),
]


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: type(make()).__name__)
def test_layers_come_back_from_their_config(make):
    layer = make()
    config = layer.get_config()
    assert json.loads(json.dumps(config)) == json.loads(json.dumps(type(layer).from_config(config).get_config()))
    again = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    assert type(again) is type(layer) and again.name == layer.name and again.trainable == layer.trainable


def test_the_record_of_a_built_layer():
    layer = layers.Dense(3)
    layer.build((None, 4))
    record = layers.serialize(layer)
    assert (record["module"], record["class_name"], record["registered_name"]) == ("keras.layers", "Dense", None)
    assert record["build_config"] == {"input_shape": (None, 4)}
    assert record["config"]["dtype"] == POLICY and record["config"]["activation"] == "linear"
    assert layers.deserialize(record).kernel.shape == (4, 3)


def test_unknown_layers():
    with pytest.raises(ValueError, match="Unknown layer: 'Dnese'"):
        layers.deserialize({"class_name": "Dnese", "config": {}})
    with pytest.raises(ValueError, match="not a serialized layer"):
        layers.deserialize({"config": {}})


class Scale(layers.Layer):
    """A user's layer without a get_config of its own."""

    def __init__(self, factor, shift=0.0, **kwargs):
        super().__init__(**kwargs)
        self.factor, self.shift = factor, shift

    def call(self, x):
        return x * self.factor + self.shift


def test_constructor_arguments_are_the_default_config():
    layer = Scale(2.0, name="twice")
    assert layer.get_config() == {"factor": 2.0, "name": "twice", "trainable": True, "dtype": POLICY}
    again = layers.deserialize(layers.serialize(layer), custom_objects={"Scale": Scale})
    assert again.factor == 2.0 and again.name == "twice"


def test_arguments_that_are_no_data_need_a_get_config():
    with pytest.raises(NotImplementedError, match=r"Scale was constructed with factor=.* must override `get_config"):
        Scale(lambda x: x).get_config()


def same_values(a, b, *shape):
    x = np.random.default_rng(1).normal(size=shape).astype("float32")
    np.testing.assert_array_equal(np.asarray(a(x)), np.asarray(b(x)))


def sequential():
    return Sequential([layers.Input((4,)), layers.Dense(3, activation="relu"), layers.BatchNormalization(), layers.Dense(2)], name="row")


def functional():
    x = layers.Input((4,), name="x")
    h = layers.Dense(4, name="shared")
    y = h(h(x)) * 2.0 + 1.0
    return Model(x, layers.Concatenate()([y, ops.tanh(x), sequential()(x)]), name="graph")


@pytest.mark.parametrize("make", [sequential, functional])
@pytest.mark.parametrize("again", [lambda m: type(m).from_config(m.get_config()),
                                   lambda m: type(m).from_config(json.loads(json.dumps(m.get_config()))),
                                   clone_model, lambda m: clone_model(m, recursive=True)])
def test_models_come_back_with_new_weights(make, again):
    model = make()
    copy = again(model)
    assert type(copy) is type(model) and copy.name == model.name
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]
    assert not set(map(id, copy.weights)) & set(map(id, model.weights))
    copy.set_weights(model.get_weights())
    same_values(model, copy, 5, 4)


def test_config_of_a_sequential_model():
    config = sequential().get_config()
    assert set(config) == {"name", "trainable", "dtype", "layers", "build_input_shape"}
    assert [record["class_name"] for record in config["layers"]] == ["InputLayer", "Dense", "BatchNormalization", "Dense"]
    assert config["build_input_shape"] == (None, 4)
    deferred = Sequential([layers.Dense(2)])
    assert "build_input_shape" not in deferred.get_config()
    assert not Sequential.from_config(deferred.get_config()).built
    deferred.build((None, 4))
    assert Sequential.from_config(deferred.get_config()).built


def test_config_of_a_functional_model():
    config = functional().get_config()
    assert set(config) == {"name", "trainable", "layers", "input_layers", "output_layers"}
    assert config["input_layers"] == ["x", 0, 0] and config["output_layers"] == ["concatenate", 0, 0]
    shared = next(record for record in config["layers"] if record["name"] == "shared")
    tensors = [node["args"][0] for node in shared["inbound_nodes"]]
    assert tensors == [{"class_name": "__keras_tensor__", "config": {"shape": (None, 4), "dtype": "float32", "keras_history": history}}
                       for history in (["x", 0, 0], ["shared", 0, 0])]


def test_calls_outside_a_model_are_not_in_its_config():
    x = layers.Input((4,), name="x")
    layer = layers.Dense(4, name="d")
    layer(layers.Input((4,)))
    model = Model(x, layer(x))
    assert len(model.get_config()["layers"][1]["inbound_nodes"]) == 1
    assert model.get_config()["output_layers"] == ["d", 0, 0]


def test_structures_of_a_functional_config():
    a, b = layers.Input((2,), name="a"), layers.Input((2,), name="b")
    model = Model({"a": a, "b": b}, {"y": [layers.Add()([a, b])]})
    again = Functional.from_config(json.loads(json.dumps(model.get_config())))
    got = again({"a": np.ones((1, 2)), "b": np.ones((1, 2))})
    assert np.asarray(got["y"][0]).tolist() == [[2, 2]]
    assert isinstance(Model.from_config(model.get_config()), Functional)


def test_clone_with_functions_and_inputs():
    model = functional()

    def to_tanh(layer):
        config = layer.get_config()
        if isinstance(layer, layers.Dense):
            config["activation"] = "tanh"
        return type(layer).from_config(config)

    changed = clone_model(model, clone_function=to_tanh)
    assert changed.get_layer("shared").activation.__name__ == "tanh"
    x = layers.Input((4,), name="other")
    assert clone_model(model, input_tensors=x).input_names == ["other"]
    calls = []
    clone_model(model, call_function=lambda layer, *args, **kwargs: calls.append(layer.name) or layer(*args, **kwargs))
    assert calls.count("shared") == 2


def test_clones_of_subclassed_models():
    class Net(Model):
        def __init__(self, units):
            super().__init__()
            self.dense = layers.Dense(units)

        def call(self, x):
            return self.dense(x)

    assert clone_model(Net(3)).dense.units == 3
    with pytest.raises(ValueError, match="only Sequential and functional models can be cloned layer by layer"):
        clone_model(Net(3), clone_function=lambda layer: layer)


def test_a_clone_is_compiled_as_the_model_is():
    model = functional()
    assert not clone_model(model).compiled
    metric, optimizer = metrics.BinaryAccuracy(threshold=0.0, name="above"), optimizers.Adam(0.3, beta_1=0.7)
    model.compile(optimizer, "mae", metrics=[metric, "mse"], steps_per_execution=2)
    x = np.ones((4, *model.input_shape[1:]), "float32")
    model.fit(x, model.predict(x, verbose=0), verbose=0)
    clone = clone_model(model)
    assert clone.compiled and clone.loss == "mae" and clone.steps_per_execution == 2
    assert clone.optimizer is not optimizer and clone.optimizer.get_config() == optimizer.get_config() and clone.optimizer.built
    assert int(clone.optimizer.iterations) == 0 and int(optimizer.iterations) == 1
    assert list(clone.evaluate(x, clone.predict(x, verbose=0), verbose=0, return_dict=True)) == ["above", "loss", "mse"]
    assert all(one is not metric for one in clone.metrics[1].metrics)
