"""Traces: variables read and assigned, captured constants, gradients, source lines; and tensors of all kinds."""

from __future__ import annotations

import copy
import inspect
import pickle

import numpy as np
import pytest

from kcompile import naming, ops, tracing
from kcompile.ir.evaluate import evaluate
from kcompile.tensor import KerasTensor, Shape, Tensor, standardize_shape
from kcompile.variables import ALIGNMENT, Variable, autocast_scope


def run(trace, **params):
    return evaluate(trace.graph, params, {path: variable.array for path, variable in trace.variables.items()})


def line_of(function, text):
    lines, start = inspect.getsourcelines(function)
    return start + next(n for n, line in enumerate(lines) if text in line)


# -- variables ----------------------------------------------------------------------------------------------------
def test_a_variable_is_aligned_and_keeps_its_address():
    v = Variable("glorot_uniform", shape=(7, 5), name="kernel")
    address = v.array.ctypes.data
    assert address % ALIGNMENT == 0 and v.array.flags.c_contiguous
    v.assign(np.ones((7, 5)))
    v.assign_add(1.0 + 0 * v)
    assert v.array.ctypes.data == address and v.numpy().sum() == 70
    assert (v.shape, v.dtype, v.path, v.trainable) == ((7, 5), "float32", "kernel", True)


def test_variables_take_part_in_arithmetic():
    v = Variable(np.arange(3, dtype="float32"))
    assert isinstance(v + 1, Tensor)
    np.testing.assert_array_equal(v * v - 1, [-1, 0, 3])
    np.testing.assert_array_equal(1 / (v + 1), [1, 0.5, np.float32(1 / 3)])
    assert float(v[2]) == 2 and len(v) == 3 and [int(x) for x in v] == [0, 1, 2]


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: Variable("zeros"), ValueError, "`shape` argument should be specified"),
    (lambda: Variable("zeros", shape=(None, 2)), ValueError, "fully-defined"),
    (lambda: Variable(np.zeros(2), shape=(3,)), ValueError, "shape"),
    (lambda: Variable(np.zeros(2), name="a/b"), ValueError, "cannot contain"),
    (lambda: Variable(np.zeros(2), role="other"), ValueError, "role must be one of"),
    (lambda: Variable(np.zeros(2, "complex64")), TypeError, "eager tensors only"),
    (lambda: Variable(np.zeros(2)).assign(np.zeros(3)), ValueError, "must match"),
    (lambda: Variable("nonsense", shape=(1,)), ValueError, "initializer"),
])
def test_wrong_variables(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_paths_follow_name_scopes():
    with naming.name_scope("outer"), naming.name_scope("inner"):
        assert Variable(np.zeros(1), name="w").path == "outer/inner/w"
        with naming.root_scope():
            assert Variable(np.zeros(1), name="w").path == "w"


def test_autocast_reads_floats_in_the_compute_dtype():
    weight, count = Variable(np.ones(2, "float32")), Variable(np.ones(2, "int32"))
    fixed = Variable(np.ones(2, "float32"), autocast=False)
    with autocast_scope("float16"):
        assert weight.dtype == "float16" and weight.value.dtype == "float16" and (weight * 2).dtype == "float16"
        assert count.dtype == "int32" and fixed.dtype == "float32"
        weight.assign_add([1.0, 2.0])
    np.testing.assert_array_equal(weight.numpy(), [2, 3])
    assert weight.numpy().dtype == np.float32


def test_assignments_in_a_trace_are_updates():
    v = Variable(np.zeros(3), dtype="float32", name="total", role="statistic")
    with tracing.Trace("t") as trace:
        x = trace.input("x", (None, 3), "float32")
        v.assign_add(ops.sum(x, axis=0))
        trace.output("after", v * 1.0)  # reads what was assigned
        v.assign_sub([1.0, 1.0, 1.0])
        with pytest.raises(ValueError, match="must match"):
            v.assign(np.zeros(4))
    assert v.numpy().sum() == 0 and trace.variables == {"total": v} and trace.graph.role("total") == "statistic"
    outputs, updates = run(trace, x=np.ones((2, 3), "float32"))
    np.testing.assert_array_equal(outputs["after"], [2, 2, 2])
    np.testing.assert_array_equal(updates["total"], [1, 1, 1])


def test_two_variables_of_one_path_stay_apart():
    a, b = Variable(np.array([1.0], "float32"), name="w"), Variable(np.array([2.0], "float32"), name="w")
    with tracing.Trace("t") as trace:
        trace.output("y", a - b)
    assert list(trace.variables) == ["w", "w_1"]
    assert run(trace)[0]["y"] == -1


def test_large_arrays_become_constant_states_small_ones_constants():
    large = np.arange(100, dtype="float32")
    with tracing.Trace("t") as trace:
        x = trace.input("x", (100,), "float32")
        trace.output("y", x * large + large + np.float32(1) + np.full(100, 3, "float32") + x[:2].shape[0])
    assert [trace.graph.role(path) for path in trace.variables] == ["constant"]
    np.testing.assert_allclose(run(trace, x=large)[0]["y"], large * large + large + 6)


def test_variables_made_in_a_trace_start_eagerly():
    with tracing.Trace("t") as trace:
        v = Variable("glorot_uniform", shape=(3, 3), name="late")
        trace.output("y", v * 2.0)
    assert len(trace.graph) == 3  # state, constant, multiplication
    np.testing.assert_allclose(run(trace)[0]["y"], v.numpy() * 2)


# -- gradients ----------------------------------------------------------------------------------------------------
def test_gradients():
    w, unused = Variable(np.array([1.0, 2.0, 3.0], "float32")), Variable(np.ones(2, "float32"))
    with tracing.Trace("t") as trace:
        x = trace.input("x", (None, 3), "float32")
        loss = ops.mean(ops.square(ops.matmul(x, w)))
        for n, gradient in enumerate(tracing.gradients(loss, [w, unused, x])):
            trace.output(f"g{n}", gradient)
        assert trace.depends(loss, w) and not trace.depends(loss, unused)
        assert tracing.gradients(loss, []) == []
    x = np.array([[1, 0, 2], [0, 1, 1]], "float32")
    found = run(trace, x=x)[0]
    residual = x @ w.numpy()
    np.testing.assert_allclose(found["g0"], residual @ x)
    np.testing.assert_array_equal(found["g1"], [0, 0])
    np.testing.assert_allclose(found["g2"], residual[:, None] * w.numpy())


def gradient_of(function, at):
    with tracing.Trace("t") as trace:
        x = trace.input("x", np.shape(at), "float32")
        trace.output("g", tracing.gradients(ops.sum(function(x)), [x])[0])
    return run(trace, x=np.asarray(at, "float32"))[0]["g"]


@pytest.mark.parametrize(("function", "at", "expected"), [
    (ops.relu, [-1, 0, 1], [0, 0, 1]), (ops.relu6, [0, 3, 6, 7], [0, 1, 0, 0]), (ops.absolute, [-2, 0, 2], [-1, 0, 1]),
    (ops.softplus, [0, 100, -200], [0.5, 1, 0]), (ops.leaky_relu, [-1, 1], [0.2, 1]), (ops.elu, [0, 1], [1, 1]),
    (lambda x: ops.maximum(x, 0.0), [-1, 0, 1], [0, 1, 1]), (lambda x: ops.maximum(0.0, x), [-1, 0, 1], [0, 0, 1]),
    (lambda x: ops.clip(x, -1, 1), [-2, -1, 0, 1, 2], [0, 1, 1, 1, 0]), (ops.hard_tanh, [-1, 1], [1, 1]),
    (lambda x: ops.binary_crossentropy(0 * x, x, from_logits=True), [0], [0.5]), (ops.arcsinh, [0, 0], [1, 1]),
    (lambda x: ops.logaddexp(x, 0 * x), [0], [0.5]), (lambda x: ops.stop_gradient(x) * x, [3], [3]), (ops.sign, [2], [0]),
    (lambda x: x**2, [0, -3], [0, -6]), (lambda x: ops.norm(x), [3, 4], [0.6, 0.8]), (lambda x: ops.max(x), [1, 2], [0, 1]),
    (lambda x: ops.cast(ops.cast(x, "float64"), "float32"), [1], [1]), (lambda x: ops.where(x > 0, x, 0.0) * 2, [-1, 1], [0, 2]),
])
def test_gradients_at_kinks_are_those_of_tensorflow(function, at, expected):
    np.testing.assert_allclose(gradient_of(function, at), expected, rtol=1e-6)


def test_gradient_of_softmax_cross_entropy_is_probability_minus_target():
    logits = np.random.default_rng(0).normal(size=(4, 5)).astype("float32") * 10
    labels = np.array([0, 4, 2, 2])
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    expected = p - np.eye(5)[labels]
    one_hot = np.eye(5, dtype="float32")[labels]
    for loss in (lambda x: ops.sparse_categorical_crossentropy(labels, x, from_logits=True),
                 lambda x: ops.sparse_categorical_crossentropy(labels, ops.softmax(x)),
                 lambda x: ops.categorical_crossentropy(one_hot, ops.softmax(x)),
                 lambda x: ops.categorical_crossentropy(one_hot, x, from_logits=True)):
        np.testing.assert_allclose(gradient_of(loss, logits), expected, atol=1e-6)


def test_custom_gradient():
    @ops.custom_gradient
    def doubled(x):
        def grad(upstream):
            return upstream * 10.0

        return x * 2, grad

    assert float(doubled(ops.convert_to_tensor(3.0))) == 6
    np.testing.assert_allclose(gradient_of(lambda x: doubled(x) * 3, [1.0, 2.0]), [30, 30])


# -- source lines ---------------------------------------------------------------------------------------------------
def test_nodes_know_the_line_that_made_them():
    with tracing.Trace("t") as trace:
        x = trace.input("x", (None, 3), "float32")
        y = ops.relu(x)
        with trace.scope("layer"):
            z = ops.tanh(y)  # inside
    here = test_nodes_know_the_line_that_made_them
    assert y.value.node.source == f"{__file__}:{line_of(here, 'ops.relu(x)')}" and y.value.node.path == ""
    assert z.value.node.source == f"{__file__}:{line_of(here, '# inside')}" and z.value.node.path == "layer"


def test_truth_of_a_symbolic_tensor_names_the_line():
    x = KerasTensor((None, 3))
    with pytest.raises(TypeError, match=rf"{__file__}:\d+.*ops\.where"):
        assert x > 0
    with tracing.Trace("t") as trace, pytest.raises(TypeError, match=r"ops\.where"):
        assert ops.sum(trace.input("x", (3,), "float32"))
    for use in (float, int, len, list, np.asarray, lambda t: t.numpy()):
        with pytest.raises(TypeError, match="symbolic"):
            use(x)


# -- tensors --------------------------------------------------------------------------------------------------------
def test_symbolic_sizes():
    with tracing.Trace("t") as trace:
        x = trace.input("x", (None, 4), "float32")
        batch, width = ops.shape(x)
        assert width == 4 and isinstance(batch, tracing.SymbolicSize)
        assert (batch * 2 + 1 - 1) // 2 == batch and repr(batch + 1) == "<size B+1>"
        trace.output("shape", ops.zeros((batch * 2, 3)))
        trace.output("share", ops.sum(x) / ops.cast(batch, "float32"))
        trace.output("odd", batch // 3)  # no exact quotient: computed at run time
        trace.output("plus", batch + ops.sum(x))
        with pytest.raises(tracing.TraceError, match="size B is not known"):
            range(batch)
    found = run(trace, x=np.ones((5, 4), "float32"))[0]
    assert found["shape"].shape == (10, 3) and found["share"] == 4 and found["odd"] == 1 and found["plus"] == 25


def test_eager_tensors():
    t = ops.convert_to_tensor([[1.0, 2.0], [3.0, 4.0]])
    assert t.dtype == "float32" and t.dtype == np.float32 and t.shape == (2, 2) and t.shape.as_list() == [2, 2] and t.shape.rank == 2
    assert repr(t).startswith("<kcompile.Tensor: shape=(2, 2), dtype=float32, numpy=\narray([[1., 2.]")
    assert "shape=(2, 2), dtype=float32" in str(t) and f"{t[0, 1]:.2f}" == "2.00"
    assert [float(x) for x in t[1]] == [3, 4] and len(t) == 2 and bool(t[0, 0] > 0) and int(t[1, 1]) == 4
    values = t.numpy()
    values[0, 0] = 9  # a copy of the caller's own
    assert float(t[0, 0]) == 1 and isinstance(t[0, 0].numpy(), np.float32)
    np.testing.assert_array_equal(np.add(t.numpy(), t), t.numpy() * 2)
    np.testing.assert_array_equal(np.ones(2) * t, t)
    np.testing.assert_array_equal(t[t.numpy() > 2], [3, 4])
    assert copy.deepcopy(t) is t
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(t)), t)
    with pytest.raises(ValueError, match="ambiguous"):
        bool(t)
    with pytest.raises(TypeError, match="iterate over a scalar"):
        iter(t[0, 0])
    source = np.zeros(3)
    kept = ops.convert_to_tensor(source)
    source[0] = 1
    assert float(kept[0]) == 0  # later changes of the source do not show


def test_conversions():
    for value, dtype in ((1, "int32"), (2.5, "float32"), (True, "bool"), ([1, 2], "int32"), ([1, 2.0], "float32"), (2**40, "int64"),
                         (np.float64(1), "float64"), (np.arange(3), "int64"), ([], "float32"), (np.float16([1]), "float16"),
                         ([np.float32(1), np.float32(2)], "float32"), ([[True]], "bool"), (range(3), "int32")):
        assert ops.convert_to_tensor(value).dtype == dtype, value
    t = ops.convert_to_tensor([1.0])
    assert ops.convert_to_tensor(t) is t and ops.convert_to_tensor(t, "float32") is t and ops.cast(t, "int32").dtype == "int32"
    with pytest.raises(ValueError, match="ragged"):
        ops.convert_to_tensor([[1, 2], [3]])
    with pytest.raises(ValueError, match="cannot convert"):
        ops.convert_to_tensor(object())
    with tracing.Trace("t") as trace:
        x = trace.input("x", (3,), "float32")
        assert ops.convert_to_tensor(x) is x and ops.cast(x, "float32") is x
        assert ops.convert_to_tensor([x[0], 1.0]).shape == (2,)


def test_shapes():
    assert standardize_shape(3) == (3,) and standardize_shape([None, np.int64(2)]) == (None, 2)
    assert Shape((None, 2)).num_elements() is None and Shape((3, 2)).num_elements() == 6
    for wrong in ("ab", (1.5,), (-1,), None):
        with pytest.raises(ValueError, match=r"shape|Cannot convert"):
            standardize_shape(wrong)
