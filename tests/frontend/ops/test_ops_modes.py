"""One body, three modes: what an operation gives eagerly, in a trace with a symbolic batch, and recorded on KerasTensors."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import eager, ops, random, tracing
from kcompile.compiler import compile_graph
from kcompile.ir.evaluate import evaluate
from kcompile.tensor import KerasTensor, TracedTensor
from kcompile.variables import Variable

rng = np.random.default_rng(2)
X = rng.uniform(-2, 2, (5, 4, 6)).astype("float32")
I = rng.integers(0, 4, (5, 4)).astype("int32")  # noqa: E741
IMAGES = rng.normal(size=(5, 6, 6, 2)).astype("float32")
W = rng.normal(size=(3, 3, 2, 4)).astype("float32")

CASES = {
    "relu": (ops.relu, X), "softmax": (ops.softmax, X), "mean": (lambda x: ops.mean(x, axis=1), X), "mean of all": (ops.mean, X),
    "batch mean": (lambda x: ops.mean(x, axis=0), X), "var": (lambda x: ops.var(x, axis=(0, 1)), X), "std": (ops.std, X),
    "reshape": (lambda x: ops.reshape(x, (-1, 24)), X), "reshape of the batch": (lambda x: ops.reshape(x, (ops.shape(x)[0] * 4, -1)), X),
    "transpose": (ops.transpose, X), "operators": (lambda x: (x * 2 + 1) / (x**2 + 1) - x[:, :1], X),
    "slices": (lambda x: x[:, 1:, ::-1], X), "rows": (lambda x: x[1:3], X),
    "matmul": (lambda x: ops.matmul(x, ops.transpose(x, (0, 2, 1))), X), "clip": (lambda x: ops.clip(x, -1, 1), X),
    "where": (lambda x: ops.where(x > 0, x, -x), X), "concatenate": (lambda x: ops.concatenate([x, x * 2], axis=0), X),
    "stack": (lambda x: ops.stack([x, x], axis=1), X), "split": (lambda x: ops.split(x, 2, axis=1), X),
    "tile": (lambda x: ops.tile(x, (2, 1, 1)), X), "one_hot": (lambda i: ops.one_hot(i, 4), I),
    "argmax": (lambda x: ops.argmax(x, axis=-1), X), "take": (lambda i: ops.take(X[0], i, axis=0), I),
    "take_along_axis": (lambda x: ops.take_along_axis(x, ops.argsort(x, axis=1), axis=1), X), "sort": (lambda x: ops.sort(x, axis=1), X),
    "top_k": (lambda x: ops.top_k(x, 2), X), "cumsum": (lambda x: ops.cumsum(x, axis=1), X),
    "cumprod": (lambda x: ops.cumprod(x, axis=2), X),
    "sizes": (lambda x: ops.zeros((ops.shape(x)[0], 2)) + ops.cast(ops.shape(x)[0], "float32"), X), "zeros_like": (ops.zeros_like, X),
    "arange of the batch": (lambda x: ops.arange(ops.shape(x)[0]), X), "norm": (lambda x: ops.norm(x, axis=-1), X),
    "einsum": (lambda x: ops.einsum("bij,bkj->bik", x, x), X), "conv": (lambda x: ops.conv(x, W, padding="same", strides=2), IMAGES),
    "max_pool": (lambda x: ops.max_pool(x, 2), IMAGES), "average_pool": (lambda x: ops.average_pool(x, 3, 2, "same"), IMAGES),
    "conv_transpose": (lambda x: ops.conv_transpose(x, W.transpose(0, 1, 3, 2), 2), IMAGES),
    "channels first": (lambda x: ops.conv(x, W[..., :1, :], data_format="channels_first", padding="same"),
                       IMAGES[..., :1].transpose(0, 3, 1, 2)),
    "layer_normalization": (ops.layer_normalization, X), "logsumexp": (lambda x: ops.logsumexp(x, axis=1), X),
    "pad": (lambda x: ops.pad(x, ((0, 0), (1, 1), (2, 0)), mode="reflect"), X), "median": (lambda x: ops.median(x, axis=2), X),
    "repeat": (lambda x: ops.repeat(x, 2, axis=0), X), "flip of the batch": (lambda x: ops.flip(x, axis=0), X),
    "segment_sum": (lambda i: ops.segment_sum(ops.cast(i, "float32"), i[:, 0], 4), I),
    "cond": (lambda x: ops.cond(ops.sum(x) > 0, lambda: x, lambda: -x), X),
    "fori_loop": (lambda x: ops.fori_loop(0, 3, lambda n, y: y + n, x), X),
    "scan": (lambda x: ops.scan(lambda c, r: (c + 1, r * c), 0.0, x[:3])[1], X), "dropout": (lambda x: random.dropout(x, 0.5, seed=3), X),
    "normal": (lambda x: random.normal(ops.shape(x), seed=4), X), "diagonal": (lambda x: ops.diagonal(x, 0, 1, 2), X),
    "isin": (lambda i: ops.isin(i, [1, 3]), I), "slice_update": (lambda x: ops.slice_update(x, (0, 1, 0), X[:, :1]), X),
    "average": (lambda x: ops.average(x, axis=2, weights=X[0, 0]), X),
}

MORE = {
    "randint": (lambda x: random.randint(ops.shape(x), -3, 9, seed=1), X), "uniform": (lambda x: random.uniform(ops.shape(x), seed=1), X),
    "truncated_normal": (lambda x: random.truncated_normal(ops.shape(x), seed=1), X), "shuffle": (lambda x: random.shuffle(x, seed=1), X),
    "categorical": (lambda x: random.categorical(x[:, 0], 3, seed=1), X), "half": (lambda x: ops.sum(ops.cast(x, "float16"), axis=1), X),
    "bfloat16": (lambda x: ops.mean(ops.cast(x, "bfloat16"), axis=1), X), "gelu": (lambda x: ops.gelu(x, approximate=False), X),
    "float64": (lambda x: ops.erfinv(ops.tanh(ops.cast(x, "float64"))), X), "prod": (lambda x: ops.prod(x, axis=(1, 2)), X),
    "cross-entropy": (lambda x: ops.sparse_categorical_crossentropy(ops.argmax(x, -1), ops.softmax(x)), X),
    "integers": (lambda i: ops.floor_divide(i, 3) + ops.mod(i, 2) * ops.bitwise_xor(i, 1), I),
    "uint8": (lambda i: ops.cast(ops.cast(i, "uint8") * 200, "float32") / 255.0, I),
    "quantile": (lambda x: ops.quantile(x, 0.3, axis=1), X),
    "power": (lambda x: ops.power(ops.absolute(x) + 0.1, x), X),
    "truth": (lambda x: ops.logical_or(ops.any(x > 1, axis=2), x[:, :, 0] > 0), X),
    "scatter": (lambda i: ops.scatter(ops.expand_dims(i[:, 0], -1), ops.cast(i, "float32"), (4, 4)), I),
    "attention": (lambda x: ops.dot_product_attention(x[:, :, None], x[:, :, None], x[:, :, None], is_causal=True), X),
}

FIXED = ("scan", "sort", "rows", "slice_update")  # they need the size of the batch
NEED_A_TRACE = {"sizes", "arange of the batch", "normal", "reshape of the batch", "scan", "rows", "slice_update", "fori_loop"}


def leaves(result):
    return list(result) if isinstance(result, (list, tuple)) else [result]


def traced(function, array, batch):
    with tracing.Trace("t") as trace:
        x = trace.input("x", (batch, *array.shape[1:]), array.dtype)
        for n, leaf in enumerate(leaves(function(x))):
            trace.output(f"y{n}", leaf)
    states = {path: variable.array for path, variable in trace.variables.items()}
    return trace, evaluate(trace.graph, {"x": array}, states)[0]


@pytest.mark.parametrize("name", sorted({**CASES, **MORE}))
def test_native_equals_numpy(name):
    function, array = {**CASES, **MORE}[name]
    trace, expected = traced(function, array, None if name not in FIXED else 5)
    native = compile_graph(trace.graph, name)
    arrays = {"x": np.ascontiguousarray(array)} | {path: variable.array for path, variable in trace.variables.items()}
    found = {output: np.empty(value.shape, value.dtype) for output, value in expected.items()}
    arrays |= {native.program.outputs[output]: value for output, value in found.items()}
    native.run(arrays, {} if name in FIXED else {"B": 5})
    for output, value in expected.items():
        tolerance = 1e-2 if value.dtype.itemsize == 2 else 2e-5
        np.testing.assert_allclose(found[output].astype("float64"), value.astype("float64"), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", sorted(CASES))
def test_traced_equals_eager(name):
    function, array = CASES[name]
    expected = leaves(function(ops.convert_to_tensor(array)))
    _, found = traced(function, array, 5 if name in FIXED else None)
    for n, tensor in enumerate(expected):
        actual = found[f"y{n}"]
        assert tensor.dtype == str(actual.dtype)
        np.testing.assert_allclose(actual, np.asarray(tensor), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", sorted(set(CASES) - NEED_A_TRACE))
def test_recorded_shape_and_dtype(name):
    function, array = CASES[name]
    recorded = leaves(function(KerasTensor((None, *array.shape[1:]), array.dtype)))
    for spec, tensor in zip(recorded, leaves(function(ops.convert_to_tensor(array))), strict=True):
        assert type(spec) is KerasTensor and spec.dtype == tensor.dtype
        assert len(spec.shape) == len(tensor.shape)
        assert all(a is None or a == b for a, b in zip(spec.shape, tensor.shape, strict=True)), (spec.shape, tensor.shape)
        assert spec._keras_history.operation._inbound_nodes[0].outputs


def test_recorded_calls_run_again():
    x = KerasTensor((None, 3))
    y = ops.concatenate([ops.relu(x), x + 1.0], axis=-1)
    node = y._keras_history.operation._inbound_nodes[0]
    assert type(y._keras_history.operation).__name__ == "Concatenate" and y.shape == (None, 6)
    relu, plus = node.input_tensors
    args, kwargs = node.fill_in({id(relu): np.ones((2, 3), "float32"), id(plus): np.zeros((2, 3), "float32")})
    np.testing.assert_array_equal(node.operation(*args, **kwargs), [[1, 1, 1, 0, 0, 0]] * 2)
    assert [p.operation.name for p in node.parent_nodes] == [relu._keras_history.operation.name, plus._keras_history.operation.name]
    assert node.source.startswith(__file__)


def test_unknown_sizes_other_than_the_batch():
    images = KerasTensor((None, None, None, 2))
    assert ops.conv(images, W, strides=2, padding="same").shape == (None, None, None, 4)
    assert ops.mean(images, axis=(1, 2)).shape == (None, 2)
    assert ops.reshape(images, (-1, 2)).shape == (None, 2)
    sequence = KerasTensor((None, None, 8))
    assert ops.matmul(sequence, ops.transpose(sequence, (0, 2, 1))).shape == (None, None, None)
    assert ops.sum(sequence, axis=1).shape == (None, 8)


def test_compute_output_spec_keeps_structure_and_state():
    from kcompile.variables import Variable

    count = Variable(np.zeros(()), name="count")

    def fn(batch, scale):
        count.assign_add(1.0)
        return {"a": batch["x"] * scale, "b": (ops.sum(batch["x"]), 3)}

    spec = tracing.compute_output_spec(fn, {"x": KerasTensor((None, 2))}, scale=2.0)
    assert spec["a"].shape == (None, 2) and spec["b"][0].shape == () and spec["b"][1] == 3
    assert count.numpy() == 0  # a scratch trace changes nothing
    assert not tracing.in_trace()


def test_eager_values_inside_a_trace_are_computed_at_once():
    constant = ops.convert_to_tensor(np.arange(3, dtype="float32"))
    with tracing.Trace("t") as trace:
        x = trace.input("x", (None, 3), "float32")
        factor = ops.exp(constant)  # nothing traced among its operands
        assert float(factor[0]) == 1.0
        y = x * factor
        assert isinstance(y, TracedTensor) and isinstance(ops.zeros((2,)), TracedTensor)
    assert "exp" not in {node.op.name for node in trace.graph.nodes()}


def test_tensors_do_not_leave_their_trace():
    with tracing.Trace("one") as trace:
        x = trace.input("x", (None, 3), "float32")
    with pytest.raises(tracing.TraceError, match="finished trace"):
        ops.relu(x)
    with tracing.Trace("two") as other:
        y = other.input("y", (None, 3), "float32")
        with pytest.raises(tracing.TraceError, match="another trace"):
            ops.add(x, y)


def test_host_operations_refuse_symbolic_tensors():
    with pytest.raises(TypeError, match=r"test_ops_modes.py:\d+: ops.svd runs in numpy"):
        ops.svd(KerasTensor((None, 3, 3)))
    with pytest.raises(TypeError, match="depends on the data"):
        ops.nonzero(KerasTensor((None, 3)))
    with tracing.Trace("t") as trace, pytest.raises(tracing.TraceError, match="number of rounds"):
        x = trace.input("x", (), "float32")
        ops.while_loop(lambda v: v < 3, lambda v: v + 1, [x])


def test_loops_over_python_numbers_end_in_tensors():
    count, x = ops.while_loop(lambda n, x: n < 5, lambda n, x: (n + 1, x * 2.0), (0, 0.5))
    assert (str(count.dtype), str(x.dtype)) == ("int32", "float32") and (int(count), float(x)) == (5, 16.0)
    total = ops.fori_loop(0, 5, lambda n, total: total + n, 0)
    assert str(total.dtype) == "int32" and int(total) == 10
    assert str(ops.fori_loop(0, 3, lambda n, v: v + n, np.int64(1)).dtype) == "int64"


def test_branches_that_depend_on_data_must_not_assign():
    from kcompile.variables import Variable

    v = Variable(np.zeros(()), name="v")
    assert ops.cond(True, lambda: 1, lambda: 2) == 1 and ops.switch(5, [lambda: 1, lambda: 2]) == 2
    message = r"test_ops_modes.py:\d+: cond: a branch assigns variable 'v'"
    with tracing.Trace("t") as trace, pytest.raises(tracing.TraceError, match=message):
        x = trace.input("x", (), "float32")
        ops.cond(x > 0, lambda: v.assign_add(1.0), lambda: v.value)


def test_static_arguments_may_be_arrays():
    x = ops.convert_to_tensor(X)
    assert ops.reshape(x, np.array([5, 24])).shape == (5, 24)
    assert ops.reshape(x, ops.convert_to_tensor([5, -1])).shape == (5, 24)
    assert ops.sum(x, axis=np.int64(1)).shape == (5, 6)
    assert ops.one_hot(ops.convert_to_tensor([1, 2]), np.int32(3)).shape == (2, 3)


def test_scalars_that_are_equal_but_of_other_types_are_told_apart():
    x = ops.convert_to_tensor([1, 2])
    assert ops.add(x, 1).dtype == "int32" and ops.add(x, 1.0).dtype == "float32" and ops.add(x, True).dtype == "int32"
    assert np.signbit(np.asarray(ops.multiply(np.float32(1), -0.0))) and not np.signbit(np.asarray(ops.multiply(np.float32(1), 0.0)))


def test_complex_and_string_tensors_are_eager_only():
    z = ops.convert_to_tensor([0, 1], dtype="complex64")
    assert z.dtype == "complex64" and "complex64" in repr(z)
    with pytest.raises(TypeError, match="complex64 tensors can be made, indexed and printed"):
        ops.exp(z)
    words = ops.convert_to_tensor(["a", "b"])
    assert words.dtype == "string" and words[1].numpy() == "b"


def test_large_windows_are_compiled():
    from kcompile import eager

    images = rng.normal(size=(4, 34, 34, 16)).astype("float32")
    w = rng.normal(size=(3, 3, 16, 64)).astype("float32")
    small = np.asarray(ops.conv(images[:1, :8, :8], w))
    large = np.asarray(ops.conv(images, w))
    assert any(entry.native is not None for entry in eager._cache.values())
    np.testing.assert_allclose(large[:1, :6, :6], small, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("op", [lambda x: ops.cast(x, "float32"), ops.stop_gradient, lambda x: ops.reshape(x, (6,)), ops.transpose,
                                lambda x: ops.broadcast_to(x, (2, 3))])
def test_a_result_is_not_the_memory_of_who_asked(op):
    given = np.arange(6, dtype="float32").reshape(2, 3)
    variable = Variable(given)
    results = op(given), op(variable), op(variable.value)
    before = [np.array(result) for result in results]
    given += 7.0
    variable.assign_add(given)
    for result, old in zip(results, before, strict=True):
        assert np.array_equal(np.array(result), old)


def test_all_of_a_tensor_is_no_second_array():
    x = ops.exp(np.zeros((2, 3), "float32"))
    for same in (ops.cast(x, "float32"), ops.stop_gradient(x), ops.reshape(x, (3, 2))):
        assert np.shares_memory(same._array, x._array)
    for other in (ops.transpose(x), ops.reshape(x, (6,))[0:2] + 0.0, x * 1.0, ops.cast(x, "float64")):
        assert not np.shares_memory(other._array, x._array)


def test_an_operation_that_needs_much_memory_gives_it_back():
    eager._cache.clear()
    x = np.ones((2, 64, 64, 32), "float32")
    y = ops.conv(x, np.ones((3, 3, 32, 96), "float32"), padding="same")
    (traced,) = [t for t in eager._cache.values() if t.native is not None]
    assert traced.native.arena.nbytes == 0 and y.shape == (2, 64, 64, 96)
    assert np.array_equal(ops.conv(x, np.ones((3, 3, 32, 96), "float32"), padding="same"), y) and float(y[1, 5, 5, 7]) == 288.0
