"""Step graphs: names of params, states and their variables, roles, what makes a new trace."""

import numpy as np
import pytest

import kcompile as keras
from kcompile.ir.text import print_graph
from kcompile.training.data import as_batch
from kcompile.training.steps import trace_step

from .models import classes, classifier, inputs, linear, two_headed


def test_params_are_the_arrays_of_a_batch():
    batch = as_batch({"left": inputs(), "right": [inputs(), inputs()]}, classes(), np.ones(20))
    assert {name: array.shape for name, array in batch.arrays.items()} == {
        "x.left": (20, 4), "x.right.0": (20, 4), "x.right.1": (20, 4), "y": (20,), "sample_weight": (20,)}
    assert [leaf.dtype for leaf in batch.spec.leaves()] == ["float32", "float32", "float32", "int64", "float32"]


def test_states_and_roles():
    model = classifier(keras.optimizers.SGD(momentum=0.9), metrics=["accuracy"])
    step = trace_step(model, "train")
    own, rule = model.name, model.optimizer.name
    assert {path: step.graph.role(path) for path in step.graph.states} == {
        f"{own}/head/kernel": "weight", f"{own}/head/bias": "weight", "loss/total": "metric", "loss/count": "metric",
        f"{rule}/iteration": "counter", f"{rule}/learning_rate": "hyper", f"{rule}/{own}_head_kernel_momentum": "slot",
        f"{rule}/{own}_head_bias_momentum": "slot", "accuracy/total": "metric", "accuracy/count": "metric"}
    assert set(step.graph.updates) == set(step.graph.states) - {f"{rule}/learning_rate"}
    assert list(step.graph.params) == ["x", "y"] and not step.graph.outputs
    assert all(step.variables[path].role == step.graph.role(path) for path in step.graph.states)


def test_a_test_step_trains_nothing():
    step = trace_step(two_headed(loss=["mse", "sparse_categorical_crossentropy"]), "test")
    assert {step.graph.role(path) for path in step.graph.updates} == {"metric"}
    predict = trace_step(two_headed(loss="mse"), "predict")
    assert not predict.graph.updates and list(predict.graph.outputs) == ["y_pred.0", "y_pred.1"]


def test_tracing_leaves_values_alone():
    model = classifier("adam")
    before = [np.array(v.numpy()) for v in model.variables]
    trace_step(model, "train")
    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy())
    assert int(model.optimizer.iterations) == 0


def test_unknown_steps_and_shapes():
    with pytest.raises(ValueError, match="unknown step 'dance'; the steps are: train, test, predict"):
        trace_step(classifier(), "dance")
    with pytest.raises(ValueError, match="build it, or call it on data first"):
        trace_step(keras.Sequential([keras.layers.Dense(1)]), "predict")


def test_the_default_data_are_those_of_fit():
    model = classifier()
    model.fit(inputs(), classes(), verbose=0)
    fitted = next(runner.step.graph for key, runner in model._runners.items() if key[0] == "train")
    assert print_graph(trace_step(model, "train").graph, names=False) == print_graph(fitted, names=False)


def test_when_a_step_is_traced_anew():
    model = linear()

    def runners():
        return len(model._runners)

    x = inputs()
    for kind in (x, x.astype("float64"), x[:3]):  # floats are cast as rows are gathered, any number of rows is one program
        model.train_on_batch(kind, kind[:, :1])
    assert runners() == 1
    model.train_on_batch((x * 9).astype("int32"), x[:, :1])
    assert runners() == 2
    model.layers[0].trainable = False
    model.train_on_batch(x, x[:, :1])
    assert runners() == 1  # those that train the frozen layer are forgotten
    model.predict(x, verbose=0)
    model.evaluate(x, x[:, :1], verbose=0)
    assert runners() == 3
    model.compile("sgd", "mae")
    assert runners() == 0


def test_several_lengths_have_programs_of_their_own():
    model = keras.Sequential([keras.layers.Embedding(9, 3), keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    for length in (3, 5, 3):
        model.fit(np.ones((4, length), "int32"), np.ones(4), verbose=0)
    assert len(model._runners) == 2


def test_mixed_precision_scales_the_loss():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.05), "mse")
    finally:
        keras.config.set_dtype_policy(policy)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    losses = model.fit(inputs(), inputs()[:, :1], epochs=30, verbose=0).history["loss"]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
    assert all(v.dtype == "float32" for v in model.weights)
