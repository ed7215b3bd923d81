"""Functional models: structures, shared layers, nesting, re-routing, and how inputs are matched."""

from __future__ import annotations

import inspect
import weakref

import numpy as np
import pytest

from kcompile import layers, ops
from kcompile.models import Function, Functional, Model, Sequential
from kcompile.tracing import Trace


def paths(items):
    return [item.path for item in items]


def test_model_of_inputs_and_outputs_is_functional():
    x = layers.Input((3,))
    model = Model(x, layers.Dense(2)(x))
    assert isinstance(model, Functional) and model.name == "functional" and model.built
    assert Model(inputs=x, outputs=x).name == "functional_1"
    assert model.input_shape == (None, 3) and model.output_shape == (None, 2)
    assert [layer.name for layer in model.layers] == ["input_layer", "dense"]
    assert paths(model.weights) == ["dense/kernel", "dense/bias"]


def test_values_of_a_graph_with_branches(rng):
    x = rng.normal(size=(4, 3)).astype("float32")
    inputs = layers.Input((3,))
    first = layers.Dense(3, activation="relu")
    second = layers.Dense(3)
    h = first(inputs)
    y = layers.add([h, second(h)]) * 2.0 - inputs
    model = Model(inputs, [y, h])
    got_y, got_h = model(x)
    want_h = np.maximum(x @ first.kernel.numpy(), 0)
    np.testing.assert_allclose(np.asarray(got_h), want_h, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(got_y), (want_h + want_h @ second.kernel.numpy()) * 2 - x, rtol=1e-5, atol=1e-6)
    assert model.output_names == ["subtract", "dense"]


def test_values_are_given_up_when_nothing_reads_them_any_more():
    alive, most = weakref.WeakSet(), []

    class Seen(layers.Layer):
        def call(self, x):
            most.append(len(alive))
            y = x + 1.0
            alive.add(y)
            return y

    inputs = layers.Input((3,))
    x = early = Seen()(inputs)
    for _ in range(20):
        x = Seen()(x)
    model = Model(inputs, [layers.Add()([early, x]), early])
    most.clear()
    total, first = model(np.zeros((2, 3), "float32"))
    assert np.all(np.asarray(total) == 22.0) and np.all(np.asarray(first) == 1.0) and len(most) == 21 and max(most) == 2
    kept = Model(inputs, [model.layers[5].output, *model.outputs])
    assert [float(value[0, 0]) for value in kept(np.ones((1, 3), "float32"))] == [6.0, 24.0, 2.0]


def test_a_shared_layer_has_one_set_of_weights():
    a, b = layers.Input((4,), name="a"), layers.Input((4,), name="b")
    shared = layers.Dense(2)
    model = Model([a, b], layers.concatenate([shared(a), shared(b)]))
    assert len(model.weights) == 2 and model.count_params() == 10
    x = np.ones((1, 4), "float32")
    y = np.asarray(model([x, 2 * x]))
    np.testing.assert_allclose(y[:, 2:], 2 * y[:, :2], rtol=1e-5)


def test_calls_of_a_shared_layer_run_in_the_order_of_their_use():
    a, b = layers.Input((1,), name="a"), layers.Input((1,), name="b")
    norm = layers.BatchNormalization(momentum=0.0)
    for order in ((a, b), (b, a)):
        model = Model([a, b], layers.add([norm(x) for x in order]))
        model([np.full((2, 1), 1.0), np.full((2, 1), 2.0)], training=True)
        assert norm.moving_mean.numpy().tolist() == [2.0 if order[1] is b else 1.0]


def two_inputs():
    a, b = layers.Input((2,), name="a"), layers.Input((3,), name="b")
    return Model([a, b], layers.concatenate([a, 10.0 * b]))


A, B = np.ones((1, 2), "float32"), np.full((1, 3), 2.0, "float32")
WANTED = [[1, 1, 20, 20, 20]]


@pytest.mark.parametrize("given", [[A, B], (A, B), {"a": A, "b": B}, {"b": B, "a": A, "unused": np.ones((1, 9))}])
def test_inputs_by_position_and_by_name(given):
    assert np.asarray(two_inputs()(given)).tolist() == WANTED


def test_dicts_of_inputs_and_outputs():
    a, b = layers.Input((2,), name="a"), layers.Input((2,), name="b")
    model = Model({"a": a, "b": b}, {"sum": layers.add([a, b]), "all": [a, b]})
    got = model({"a": A, "b": 3 * A, "more": A})
    assert np.asarray(got["sum"]).tolist() == [[4, 4]]
    assert [np.asarray(part).tolist() for part in got["all"]] == [[[1, 1]], [[3, 3]]]
    with pytest.warns(UserWarning, match="defined with a dict of inputs"):
        assert np.asarray(model([A, 3 * A])["sum"]).tolist() == [[4, 4]]


def test_missing_and_surplus_inputs():
    model = two_inputs()
    with pytest.raises(ValueError, match=r"Missing data for input .b.*keys \['a'\]. Expected the following keys: \['a', 'b'\]"):
        model({"a": A})
    with pytest.raises(ValueError, match=r"expects 2 input\(s\) named \['a', 'b'\], but it received 1"):
        model(A)


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"Input 1 with name 'b' of layer 'functional' is incompatible.*\(None, 3\), found shape=\(1, 2\)"):
        two_inputs()([A, A])


def test_a_fixed_batch_size_is_enforced():
    x = layers.Input((2,), batch_size=4)
    model = Model(x, layers.Dense(1)(x))
    assert model.fixed_batch_size == 4 and model.output_shape == (4, 1)
    assert model(np.ones((4, 2))).shape == (4, 1)
    with pytest.raises(ValueError, match=r"expected shape=\(4, 2\), found shape=\(3, 2\)"):
        model(np.ones((3, 2)))
    assert two_inputs().fixed_batch_size is None


def test_ranks_are_standardised():
    column = layers.Input((1,))
    model = Model(column, column * 2.0)
    assert model(np.ones(5)).shape == (5, 1)
    flat = layers.Input(())
    model = Model(flat, flat * 2.0)
    assert model(np.ones((5, 1))).shape == (5,)


def test_inputs_take_the_dtype_of_their_input():
    x = layers.Input((2,))
    model = Model(x, x * 1.0)
    assert model(np.ones((1, 2), "int64")).dtype == "float32"
    x = layers.Input((2,), dtype="int32")
    model = Model(x, x)
    assert model(np.ones((1, 2))).dtype == "int32"


def test_optional_inputs():
    class Sum(layers.Layer):
        def call(self, a, b=None):
            return a if b is None else a + b

    a = layers.Input((2,), name="a")
    b = layers.Input((2,), name="b", optional=True)
    model = Model({"a": a, "b": b}, Sum()(a, b))
    assert np.asarray(model({"a": A, "b": None})).tolist() == [[1, 1]]
    assert np.asarray(model({"a": A})).tolist() == [[1, 1]]
    assert np.asarray(model({"a": A, "b": A})).tolist() == [[2, 2]]


def test_nested_models_keep_one_set_of_weights():
    inner_input = layers.Input((3,))
    inner = Model(inner_input, layers.Dense(2)(inner_input), name="inner")
    x = layers.Input((3,))
    outer = Model(x, [inner(x), inner(x * 2.0)])
    assert [layer.name for layer in outer.layers] == ["input_layer_1", "inner"]
    assert outer.weights == inner.weights
    one, two = outer(np.ones((1, 3), "float32"))
    np.testing.assert_allclose(2 * np.asarray(one), np.asarray(two), rtol=1e-5)


def test_intermediate_tensors_may_begin_and_end_models(rng):
    x = layers.Input((4,))
    h = layers.Dense(3, name="first")(x)
    h2 = layers.Dense(2, name="second")(h)
    y = layers.Dense(1, name="third")(h2)
    whole, head, middle = Model(x, y), Model(x, h), Model(h, h2)
    assert [layer.name for layer in middle.layers][1:] == ["second"]
    assert middle.input_shape == (None, 3)
    data = rng.normal(size=(5, 4)).astype("float32")
    last = whole.get_layer("third")
    np.testing.assert_allclose(np.asarray(last(middle(head(data)))), np.asarray(whole(data)), rtol=1e-5)


def test_the_output_of_a_layer_extracts_features():
    model = Sequential([layers.Input((4,)), layers.Dense(3), layers.Dense(2)])
    features = Model(model.inputs, model.layers[0].output)
    assert features(np.ones((1, 4))).shape == (1, 3)
    assert features.weights == model.layers[0].weights


def test_training_reaches_layers_unless_the_call_said_otherwise():
    x = layers.Input((200,))
    model = Model(x, [layers.Dropout(0.5)(x), layers.Dropout(0.5)(x, training=False)])
    data = np.ones((1, 200), "float32")
    dropped, kept = model(data, training=True)
    assert 0 in np.asarray(dropped) and 0 not in np.asarray(kept)
    assert 0 not in np.asarray(model(data)[0])


def test_masks_reach_the_layers_of_a_functional_model():
    x = layers.Input((3,), dtype="int32")
    embedding = layers.Embedding(5, 2, mask_zero=True)
    model = Model(x, layers.GlobalAveragePooling1D()(embedding(x)))
    row = embedding.embeddings.numpy()[[1, 2]].mean(0)
    np.testing.assert_allclose(np.asarray(model(np.array([[1, 2, 0]])))[0], row, rtol=1e-5)


def test_lines_of_recorded_calls():
    x = layers.Input((3,))
    y = layers.Dense(2)(x)
    y = ops.tanh(y)
    model = Model(x, y)
    with Trace() as trace:
        model(trace.input("x", (None, 3), "float32"))
    lines, first = inspect.getsourcelines(test_lines_of_recorded_calls)
    for op, text in (("dot", "layers.Dense(2)(x)"), ("tanh", "ops.tanh(y)")):
        (node,) = [node for node in trace.graph.nodes() if node.op.name == op]
        assert node.source == f"{__file__}:{first + next(n for n, line in enumerate(lines) if text in line)}"


def test_many_layers_do_not_exhaust_the_stack():
    x = inputs = layers.Input((2,))
    shift = layers.Rescaling(1.0, 1.0)
    for _ in range(1200):
        x = shift(x)
    assert np.asarray(Model(inputs, x)(np.zeros((1, 2)))).tolist() == [[1200, 1200]]


def test_unused_inputs_are_accepted():
    a, b = layers.Input((2,), name="a"), layers.Input((3,), name="b")
    model = Model([a, b], layers.Dense(1)(a))
    assert model([A, B]).shape == (1, 1)
    assert {layer.name for layer in model.layers} >= {"a", "b"}


@pytest.mark.parametrize(("make", "message"), [
    (lambda x: Model(x, layers.Dense(2)(layers.Input((3,), name="other"))), "depends on the tensor of `Input` 'other'"),
    (lambda x: Model([x, x], x), "contains the same input multiple times"),
    (lambda x: Model(x, layers.Dense(2, name="z")(layers.Dense(2, name="z")(x))), 'The name "z" is used 2 times in the model'),
    (lambda x: Model(np.ones(3), x), "All `inputs` values must be KerasTensors"),
    (lambda x: Model(x, "y"), "All `outputs` values must be KerasTensors"),
])
def test_wrong_definitions(make, message):
    with pytest.raises(ValueError, match=message):
        make(layers.Input((3,), name="x"))


def test_a_subclass_may_hand_inputs_and_outputs_to_super():
    class Wrapped(Model):
        def __init__(self, units):
            x = layers.Input((3,))
            super().__init__(inputs=x, outputs=layers.Dense(units)(x))
            self.units = units

    model = Wrapped(2)
    assert isinstance(model, Functional) and model.name == "wrapped" and model.units == 2
    assert model(np.ones((1, 3))).shape == (1, 2)
    assert Wrapped(5)(np.ones((1, 3))).shape == (1, 5)


def test_a_function_of_symbols():
    x = layers.Input((3,))
    double = x * 2.0
    function = Function([x], {"double": double, "sum": double + x})
    got = function([np.ones((2, 3), "float32")])
    assert np.asarray(got["double"]).tolist() == [[2, 2, 2]] * 2 and np.asarray(got["sum"]).tolist() == [[3, 3, 3]] * 2
    assert function.compute_output_shape([(None, 3)]) == {"double": (None, 3), "sum": (None, 3)}
    with pytest.raises(ValueError, match=r"takes 1 input\(s\), it received 2"):
        function([np.ones(3), np.ones(3)])


def test_trainable_false_freezes_all_layers():
    x = layers.Input((3,))
    model = Model(x, layers.Dense(2)(x), trainable=False)
    assert model.trainable_weights == [] and not model.layers[1].trainable


def test_get_layer():
    model = two_inputs()
    assert model.get_layer("a").name == "a" and model.get_layer(index=1) is model.layers[1]
    with pytest.raises(ValueError, match=r"No such layer: zzz\. Existing layers are"):
        model.get_layer("zzz")
    with pytest.raises(ValueError, match="layer at index 99"):
        model.get_layer(index=99)
    with pytest.raises(ValueError, match="Provide either a layer name or layer index"):
        model.get_layer()
