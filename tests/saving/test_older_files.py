"""Files in the dialects of Keras 1 and early Keras 2, written here as those versions did."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

import kcompile as keras
from kcompile.saving import ModelFileError


def write(path, config, weights, training=None, version="1.2.2", optimizer=()):
    """A whole-model file: weights is [(layer, [(name, array)])]."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = version.encode()
        file.attrs["model_config"] = json.dumps(config).encode()
        if training is not None:
            file.attrs["training_config"] = json.dumps(training).encode()
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name, _ in weights]
        for layer, arrays in weights:
            inner = group.create_group(layer)
            inner.attrs["weight_names"] = [name.encode() for name, _ in arrays]
            for name, array in arrays:
                inner[name] = array
        if optimizer:
            inner = file.create_group("optimizer_weights")
            inner.attrs["weight_names"] = [name.encode() for name, _ in optimizer]
            for name, array in optimizer:
                inner[name] = array


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def test_keras_1_sequential(tmp_path):
    kernel, bias, table = values(2, 3), values(3), values(10, 2)
    config = {"class_name": "Sequential", "config": [
        {"class_name": "Embedding", "config": {"name": "e", "trainable": True, "batch_input_shape": [None, 5], "input_dtype": "int32",
                                               "input_dim": 10, "output_dim": 2, "input_length": 5, "init": "uniform", "dropout": 0.0,
                                               "W_regularizer": None, "activity_regularizer": None, "W_constraint": None,
                                               "mask_zero": False}},
        {"class_name": "Dropout", "config": {"name": "drop", "trainable": True, "p": 0.25}},
        {"class_name": "Dense", "config": {"name": "d", "trainable": True, "output_dim": 3, "init": "glorot_uniform", "activation": "relu",
                                           "W_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.01}, "b_regularizer": None,
                                           "activity_regularizer": None, "W_constraint": {"name": "MaxNorm", "m": 2, "axis": 0},
                                           "b_constraint": None, "bias": True, "input_dim": None}}]}
    training = {"optimizer_config": {"class_name": "SGD", "config": {"lr": 0.05, "momentum": 0.0, "decay": 0.0, "nesterov": False}},
                "loss": "mse", "metrics": ["mae"], "sample_weight_mode": None, "loss_weights": None}
    write(tmp_path / "m.h5", config, [("e", [("e_W", table)]), ("drop", []), ("d", [("d_W", kernel), ("d_b", bias)])], training)
    model = keras.models.load_model(tmp_path / "m.h5")
    x = np.arange(10).reshape(2, 5) % 10
    np.testing.assert_allclose(model.predict(x, verbose=0), np.maximum(table[x] @ kernel + bias, 0), atol=1e-6)
    assert model.layers[1].rate == 0.25
    assert model.layers[2].kernel_regularizer.l2 == 0.01
    assert model.layers[2].kernel_constraint.max_value == 2
    assert float(model.optimizer.learning_rate) == np.float32(0.05)


@pytest.mark.parametrize("ordering", ["tf", "th"])
def test_keras_1_convolution(ordering, tmp_path):
    kernel = values(3, 3, 2, 4)
    stored = np.transpose(kernel, (3, 2, 0, 1)) if ordering == "th" else kernel
    config = {"class_name": "Sequential", "config": [
        {"class_name": "Convolution2D", "config": {"name": "c", "trainable": True, "batch_input_shape": [None, 6, 7, 2], "nb_filter": 4,
                                                   "nb_row": 3, "nb_col": 3, "init": "glorot_uniform", "border_mode": "valid",
                                                   "subsample": [1, 2], "dim_ordering": "tf", "bias": False, "activation": "linear",
                                                   "W_regularizer": None, "b_regularizer": None, "activity_regularizer": None,
                                                   "W_constraint": None, "b_constraint": None}},
        {"class_name": "MaxPooling2D", "config": {"name": "p", "trainable": True, "pool_size": [2, 2], "strides": [2, 2],
                                                  "border_mode": "valid", "dim_ordering": "tf"}}]}
    write(tmp_path / "m.h5", config, [("c", [("c_W", stored)]), ("p", [])])
    model = keras.models.load_model(tmp_path / "m.h5")
    np.testing.assert_array_equal(model.get_weights()[0], kernel)
    assert model.output_shape == (None, 2, 1, 4)


def test_merge_and_old_adam(tmp_path):
    """A functional model with a Merge layer, and Adam's moments in the order of Keras before 2.11: all first ones, then all second."""
    def dense(name, size):
        return {"class_name": "Dense", "name": name, "inbound_nodes": [[["i", 0, 0]]],
                "config": {"name": name, "trainable": True, "units": size, "activation": "linear", "use_bias": False,
                           "kernel_initializer": {"class_name": "VarianceScaling", "config": {
                               "scale": 1.0, "mode": "fan_avg", "distribution": "normal", "seed": None, "dtype": "float32"}},
                           "kernel_regularizer": None, "activity_regularizer": None, "kernel_constraint": None}}

    config = {"class_name": "Model", "config": {
        "name": "m", "input_layers": [["i", 0, 0]], "output_layers": [["s", 0, 0]],
        "layers": [{"class_name": "InputLayer", "name": "i", "inbound_nodes": [],
                    "config": {"batch_input_shape": [None, 3], "input_dtype": "float32", "name": "i", "sparse": False}},
                   dense("a", 2), dense("b", 2),
                   {"class_name": "Merge", "name": "s", "inbound_nodes": [[["a", 0, 0], ["b", 0, 0]]],
                    "config": {"name": "s", "mode": "sum", "concat_axis": -1, "dot_axes": -1, "mode_type": "raw"}}]}}
    training = {"optimizer_config": {"class_name": "Adam", "config": {"lr": 0.01, "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-8,
                                                                      "decay": 0.0, "amsgrad": False}},
                "loss": "mean_squared_error", "metrics": [], "loss_weights": None}
    moments = [values(3, 2, seed=seed) for seed in range(4)]
    names = [f"training/Adam/Variable_{n}:0" for n in range(6)]
    optimizer = [("Adam/iterations:0", np.int64(7)), *zip(names, [*moments, np.zeros(1, "f4"), np.zeros(1, "f4")], strict=True)]
    write(tmp_path / "m.h5", config, [("i", []), ("a", [("a/kernel:0", values(3, 2))]), ("b", [("b/kernel:0", values(3, 2, seed=9))]),
                                      ("s", [])],
          training, "2.2.4", optimizer)
    model = keras.models.load_model(tmp_path / "m.h5")
    x = values(4, 3)
    np.testing.assert_allclose(model.predict(x, verbose=0), x @ values(3, 2) + x @ values(3, 2, seed=9), atol=1e-6)
    assert int(np.asarray(model.optimizer.iterations)) == 7
    slots = model.optimizer._variables[2:]
    for slot, moment in zip(slots, [moments[0], moments[2], moments[1], moments[3]], strict=True):  # m and v of each weight together
        np.testing.assert_array_equal(slot.numpy(), moment)


def test_everything_that_cannot_be_mapped_is_named_at_once(tmp_path):
    config = {"class_name": "Sequential", "config": [
        {"class_name": "Dense", "config": {"name": "first", "units": 3, "batch_input_shape": [None, 4], "colour": "red"}},
        {"class_name": "Highway", "config": {"name": "second"}},
        {"class_name": "MaxoutDense", "config": {"name": "third", "output_dim": 2}}]}
    write(tmp_path / "m.h5", config, [])
    with pytest.raises(ModelFileError, match=r"(?s)'first' \(Dense\).*colour.*'second' \(Highway\).*'third' \(MaxoutDense\)"):
        keras.models.load_model(tmp_path / "m.h5")


def test_weights_by_name(tmp_path):
    layers = keras.layers
    one = keras.Sequential([layers.Input((4,)), layers.Dense(3, name="same"), layers.Dense(2, name="other")])
    one.save_weights(tmp_path / "w.h5")
    two = keras.Sequential([layers.Input((4,)), layers.Dense(3, name="same"), layers.Dense(5, name="new")])
    two.load_weights(tmp_path / "w.h5", by_name=True)
    np.testing.assert_array_equal(one.layers[0].get_weights()[0], two.layers[0].get_weights()[0])
    with pytest.raises(ModelFileError, match=r"layer 'new'.*shape \(3, 5\), the file \(3, 2\)"):
        two.load_weights(tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5") as file:
        assert [name if isinstance(name, str) else name.decode() for name in file.attrs["layer_names"]] == ["same", "other"]


def test_many_names_are_spread_over_attributes(tmp_path):
    layers = keras.layers
    model = keras.Sequential([layers.Input((1,)), *[layers.Dense(1, name=f"{n:04d}" + "x" * 150) for n in range(450)]])
    model.save_weights(tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5") as file:
        assert "layer_names0" in file.attrs
    clone = keras.models.clone_model(model)
    clone.load_weights(tmp_path / "w.h5")
    for a, b in zip(model.get_weights(), clone.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", ["SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"])
def test_spatial_dropout_in_a_functional_model(kind, tmp_path):
    """Their configurations do not say `trainable`, by which layers are told from operations in h5 files."""
    x = keras.Input((2,) * int(kind[-2]) + (3,))
    model = keras.Model(x, keras.layers.Dense(2)(getattr(keras.layers, kind)(0.5)(x)))
    model.save(tmp_path / "model.h5")
    again = keras.saving.load_model(tmp_path / "model.h5")
    assert [type(layer).__name__ for layer in again.layers] == ["InputLayer", kind, "Dense"]
