"""Sequential models: when weights come into being, add and pop, nesting, and what may not be stacked."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import layers
from kcompile.backend import clear_session
from kcompile.models import Model, Sequential
from kcompile.tracing import Trace


def paths(items):
    return [item.path for item in items]


@pytest.mark.parametrize("how", [{"input_shape": (4,)}, {"input_dim": 4}, {"batch_input_shape": (None, 4)}, {"batch_shape": (None, 4)}])
def test_an_input_shape_on_the_first_layer_builds_at_once(how):
    model = Sequential()
    model.add(layers.Dense(3, **how))
    assert [tuple(w.shape) for w in model.weights] == [(4, 3), (3,)]
    model.add(layers.Dense(2))
    assert [tuple(w.shape) for w in model.weights] == [(4, 3), (3,), (3, 2), (2,)]
    assert model.input_shape == (None, 4) and model.output_shape == (None, 2)
    assert [layer.name for layer in model.layers] == ["dense", "dense_1"]


@pytest.mark.parametrize("first", [lambda: layers.Input((4,)), lambda: layers.InputLayer((4,)),
                                   lambda: layers.InputLayer(input_shape=(4,))])
def test_an_input_in_front(first):
    model = Sequential([first(), layers.Dense(3)])
    assert model.built and paths(model.weights) == ["sequential/dense/kernel", "sequential/dense/bias"]


def test_deferred_until_build():
    model = Sequential([layers.Dense(3), layers.Dense(2)])
    assert model.weights == [] and not model.built
    with pytest.raises(ValueError, match="You tried to call `count_params` on layer 'sequential'"):
        model.count_params()
    with pytest.raises(AttributeError, match="its input shape is not known"):
        model.output_shape  # noqa: B018
    model.build((None, 4))
    assert model.built and model.count_params() == 23
    assert model(np.ones((7, 4))).shape == (7, 2)


def test_deferred_until_called_on_values_any_batch_afterwards():
    model = Sequential([layers.Dense(3), layers.Dense(2)])
    assert model(np.ones((5, 4))).shape == (5, 2)
    assert model.built and model.input_shape == (None, 4) and model.fixed_batch_size is None
    assert model(np.ones((8, 4))).shape == (8, 2)


def test_deferred_until_called_on_symbols_and_in_a_trace():
    model = Sequential([layers.Dense(3)])
    assert model(layers.Input((4,))).shape == (None, 3) and model.built
    model = Sequential([layers.Dense(3)])
    with Trace() as trace:
        assert model(trace.input("x", (None, 4), "float32")).shape == (None, 3)
    assert model.built and model.input_shape == (None, 4)


def test_a_build_shape_with_a_batch_binds_no_later_call():
    model = Sequential([layers.Dense(3)])
    model.build((16, 4))
    assert model.input_shape == (16, 4)
    assert model(np.ones((2, 4))).shape == (2, 3)


def test_a_batch_size_at_the_input_binds():
    model = Sequential([layers.Dense(3, batch_input_shape=(8, 4))])
    assert model.fixed_batch_size == 8
    with pytest.raises(ValueError, match=r"expected shape=\(8, 4\), found shape=\(2, 4\)"):
        model(np.ones((2, 4)))


def test_another_build_shape_than_the_inputs():
    model = Sequential([layers.Input((4,)), layers.Dense(3)])
    with pytest.raises(ValueError, match=r"already been configured to use input shape \(None, 4\)"):
        model.build((None, 5))


def test_pop():
    model = Sequential([layers.Input((4,)), layers.Dense(3), layers.Dense(2)])
    top = model.pop()
    assert top.name == "dense_1" and model.output_shape == (None, 3) and len(model.weights) == 2
    model.pop()
    assert model.weights == []
    with pytest.raises(IndexError, match="no layer to pop"):
        model.pop()


def test_layers_added_after_building_are_built_too():
    model = Sequential([layers.Dense(3)])
    model.build((None, 4))
    model.add(layers.Dense(2))
    assert model.built and model.output_shape == (None, 2)
    assert model(np.ones((1, 4))).shape == (1, 2)


@pytest.mark.parametrize("how", [
    lambda model: model.build((None, 4)), lambda model: model(np.ones((5, 4))), lambda model: model.predict(np.ones((5, 4)), verbose=0)])
def test_a_model_that_data_or_a_shape_built_has_an_input_from_then_on(how):
    model = Sequential([layers.Dense(3), layers.Dense(2)])
    assert [record["class_name"] for record in model.get_config()["layers"]] == ["Dense", "Dense"]
    how(model)
    first, *others = model.get_config()["layers"]
    assert (first["class_name"], first["config"]["batch_shape"], len(others)) == ("InputLayer", (None, 4), 2)
    assert [layer.name for layer in model.layers] == ["dense", "dense_1"]
    again = Sequential.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    model.pop()
    assert model.built and model.output_shape == (None, 3)
    with pytest.raises(ValueError, match=r"already been configured to use input shape \(None, 4\)"):
        model.build((None, 5))


def test_a_model_that_a_call_could_not_build_has_no_input():
    model = Sequential([layers.Dense(3), layers.Reshape((5,))])
    with pytest.raises(ValueError, match="total size"):
        model(np.ones((2, 4)))
    model.pop()
    assert [record["class_name"] for record in model.get_config()["layers"]] == ["Dense"]
    assert model(np.ones((2, 4))).shape == (2, 3)


@pytest.mark.parametrize(("stack", "message"), [
    (lambda: [layers.Dense(2), 5], r"Only instances of `keras.Layer` can be added.*Received: 5"),
    (lambda: [layers.Dense], r"Only instances of `keras.Layer`.*the class itself: write Dense\(\.\.\.\)"),
    (lambda: [layers.Dense(2, name="a"), layers.Dense(3, name="a")], "Name 'a' is already the name of a layer"),
    (lambda: [layers.Dense(2), layers.Input((3,))], "An Input can only be the first"),
])
def test_what_cannot_be_stacked(stack, message):
    with pytest.raises(ValueError, match=message):
        Sequential(stack())


def test_models_as_layers():
    inner = Sequential([layers.Dense(3), layers.Dense(2)], name="inner")
    outer = Sequential([layers.Input((4,)), inner, layers.Dense(1)])
    assert paths(outer.weights)[0] == "sequential/inner/dense/kernel"
    assert outer(np.ones((1, 4))).shape == (1, 1)
    x = layers.Input((4,))
    functional = Model(x, layers.Dense(3)(x))
    built_from_inner = Sequential([functional, layers.Dense(1)])
    assert built_from_inner.built and built_from_inner.input_shape == (None, 4)


def test_subclassed_layers_without_input_shape():
    class Halves(layers.Layer):
        def call(self, x):
            return {"left": x[:, :2], "right": x[:, 2:]}

    class Join(layers.Layer):
        def call(self, parts):
            return parts["left"] + parts["right"]

    model = Sequential([Halves(), Join()])
    assert model(np.ones((3, 4))).shape == (3, 2)


def test_several_inputs_to_the_first_layer():
    model = Sequential([layers.Add(), layers.Dense(2)])
    assert model([np.ones((3, 4)), np.ones((3, 4))]).shape == (3, 2)
    assert len(model.weights) == 2


def test_indices_reach_an_embedding_exactly():
    model = Sequential([layers.Embedding(2**25, 1, embeddings_initializer="zeros")])
    model(np.array([[1]]))
    assert model.inputs[0].dtype == "int64"
    model = Sequential([layers.Dense(2)])
    model(np.array([[1, 2]]))
    assert model.inputs[0].dtype == "float32", "integers now must not make floats integers later"


def test_masks_and_training_pass_through():
    model = Sequential([layers.Embedding(5, 3, mask_zero=True), layers.Dropout(0.9), layers.GlobalAveragePooling1D()])
    y = model(np.array([[1, 0, 0]]))
    np.testing.assert_allclose(np.asarray(y)[0], model.layers[0].embeddings.numpy()[1], rtol=1e-6)
    assert (np.asarray(model(np.array([[1] * 50]), training=True)) != np.asarray(model(np.array([[1] * 50])))).any()


def test_lines_are_those_of_the_layers():
    model = Sequential([
        layers.Input((3,)),
        layers.Dense(2),
    ])
    with Trace() as trace:
        model(trace.input("x", (None, 3), "float32"))
    (node,) = [node for node in trace.graph.nodes() if node.op.name == "dot"]
    with open(__file__) as file:
        assert "layers.Dense(2)," in file.readlines()[int(node.source.rpartition(":")[2]) - 1]
    assert node.path == "sequential/dense"


def test_functional_models_are_numbered_behind_the_inner_ones_of_sequential_models():
    """As in Keras, where each building makes one; programs ask for nested models by such names."""
    def name():
        x = layers.Input((3,))
        return Model(x, layers.Dense(1)(x)).name

    clear_session()
    model = Sequential([layers.Input((3,)), layers.Dense(2)])
    assert name() == "functional_1"
    model.add(layers.Dense(4))
    assert name() == "functional_3"
    Sequential([layers.Dense(2)])
    assert name() == "functional_4"
    Sequential.from_config(model.get_config())
    assert name() == "functional_7"


def test_a_configuration_is_built_once(monkeypatch):
    """However many layers it has: what is built anew for each of them takes seconds for a hundred."""
    built = []
    model = Sequential([layers.Input((3,)), *(layers.Dense(3) for _ in range(4))])
    build = Sequential.build

    def counted(self, shape=None):
        built.append(shape)
        build(self, shape)

    monkeypatch.setattr(Sequential, "build", counted)
    clone = Sequential.from_config(model.get_config())
    assert built == [(None, 3)] and clone.built
