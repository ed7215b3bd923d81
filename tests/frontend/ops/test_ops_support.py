"""dtypes, nested structures, names, configuration, random numbers, initializers, regularizers, constraints, the backend."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import OrderedDict, namedtuple

import numpy as np
import pytest

from kcompile import backend, config, constraints, dtypes, initializers, naming, ops, random, regularizers, tracing, tree
from kcompile.ir.evaluate import evaluate

# -- dtypes -------------------------------------------------------------------------------------------------------
PROMOTIONS = [
    ("int32", "float16", "float16"), ("int64", "float32", "float32"), ("uint8", "int8", "int16"), ("float16", "bfloat16", "float32"),
    ("bool", int, "int32"), ("int8", float, "float32"), ("uint8", int, "uint8"), ("bool", float, "float32"), ("float16", float, "float16"),
    ("uint32", "int32", "int64"), ("uint64", "int64", "float32"), ("float32", "float64", "float64"), (int, float, "float32"),
    ("bool", "bool", "bool"), ("bool", "uint8", "uint8"), ("float16", int, "float16"), ("int64", int, "int64"), ("uint16", "int8", "int32"),
    ("bfloat16", "int64", "bfloat16"), (bool, bool, "bool"), (int, int, "int32"),
]


@pytest.mark.parametrize(("a", "b", "expected"), PROMOTIONS, ids=str)
def test_promotion(a, b, expected):
    assert dtypes.result_type(a, b) == dtypes.result_type(b, a) == expected


def test_promotion_is_associative_where_a_lattice_is():
    names = [n for n in dtypes.ALL_NAMES if n != "string"]
    for a in names:
        for b in names:
            joined = dtypes.result_type(a, b)
            assert dtypes.result_type(joined, a) == joined and dtypes.result_type(a, b) == dtypes.result_type(b, a)


@pytest.mark.parametrize(("make", "expected"), [
    (lambda: ops.mean(np.int32([1, 2])), "float32"), (lambda: ops.divide(1, 2), "float32"), (lambda: ops.sum(np.int8([1])), "int32"),
    (lambda: ops.sum(np.uint8([1])), "uint32"), (lambda: ops.sum([True]), "int32"), (lambda: ops.argmax([1.0]), "int32"),
    (lambda: ops.exp(np.int64([1])), "float32"), (lambda: ops.exp(np.float16([1])), "float16"), (lambda: ops.square([True]), "int32"),
    (lambda: ops.max([True]), "bool"), (lambda: ops.matmul(np.int8([[1]]), np.int8([[1]])), "int32"),
    (lambda: ops.mean(np.float16([1])), "float16"), (lambda: ops.divide(np.int32([1]), np.float16([1])), "float16"),
    (lambda: ops.concatenate([np.int32([1]), np.float32([1])]), "float32"), (lambda: ops.floor(np.int32([1])), "float32"),
    (lambda: ops.add(np.float64([1]), 1.0), "float64"), (lambda: ops.relu(np.int32([1])), "int32"), (lambda: ops.arange(3.0), "float32"),
])
def test_dtypes_of_results(make, expected):
    assert make().dtype == expected


def test_dtype_names():
    d = dtypes.standardize_dtype("float32")
    assert d == "float32" == d and d == np.float32 and d != np.float64 and d != None and {d: 1}["float32"] == 1  # noqa: E711
    assert json.dumps(d) == '"float32"' and d.as_numpy_dtype is np.float32 and d.is_floating and d.size == 4
    assert [dtypes.standardize_dtype(t) for t in (float, int, None)] == ["float32", "int32", "float32"]
    assert dtypes.DType("int8").max == 127 and dtypes.DType("bfloat16").max > 3e38
    assert (dtypes.DType("uint8").min, dtypes.DType("bool").max, dtypes.DType("float16").min) == (0, True, -65504)
    with pytest.raises(TypeError, match="complex64 has no smallest"):
        _ = dtypes.DType("complex64").max
    with pytest.raises(ValueError, match="Invalid dtype"):
        dtypes.standardize_dtype("float31")
    with pytest.raises(TypeError, match="eager mode only"):
        dtypes.ir_dtype("complex64")


# -- nested structures ----------------------------------------------------------------------------------------------
Point = namedtuple("Point", "x y")


def test_tree():
    nest = {"b": [1, (2, None)], "a": Point(3, {"k": 4})}
    assert tree.flatten(nest) == [3, 4, 1, 2, None]
    assert list(tree.map_structure(lambda x: x, nest)) == ["b", "a"]  # the order of insertion stays
    assert tree.map_structure(lambda x: x and x * 2, nest) == {"b": [2, (4, None)], "a": Point(6, {"k": 8})}
    assert tree.pack_sequence_as(nest, range(5)) == {"b": [2, (3, 4)], "a": Point(0, {"k": 1})}
    assert tree.flatten(OrderedDict(b=1, a=2)) == [1, 2] and tree.flatten(5) == [5]
    assert tree.lists_to_tuples([1, [2]]) == (1, (2,)) and tree.is_nested(()) and not tree.is_nested("ab")
    assert tree.map_shape_structure(lambda s: len(s), {"a": (None, 2), "b": [(1,)]}) == {"a": 2, "b": [1]}
    assert tree.flatten_with_path({"a": [7]}) == [(("a", 0), 7)]
    assert tree.traverse(lambda s: 0 if s == 1 else None, [1, (1, 2)]) == [0, (0, 2)]
    assert tree.map_structure_up_to({"a": 0}, len, {"a": [1, 2]}) == {"a": 2}
    assert tree.map_structure(lambda x: 1, [None, 2], none_is_leaf=False) == [None, 1]
    for a, b in (([1], [1, 2]), ({"a": 1}, {"b": 1}), ([1], {"a": 1}), ([1], 1), ([1], [[1]])):
        with pytest.raises(ValueError, match="differ"):
            tree.assert_same_structure(a, b)
    with pytest.raises(ValueError, match="5 leaves"):
        tree.pack_sequence_as(nest, [1])


# -- names ----------------------------------------------------------------------------------------------------------
def test_names():
    naming.clear_session()
    assert [naming.auto_name("BatchNormalization") for _ in range(2)] == ["batch_normalization", "batch_normalization_1"]
    assert naming.to_snake_case("Conv2DTranspose") == "conv2d_transpose" and naming.to_camel_case("expand_dims") == "ExpandDims"
    assert [naming.get_uid("x"), naming.get_uid("x")] == [1, 2]
    naming.clear_session()
    assert naming.auto_name("BatchNormalization") == "batch_normalization" and naming.get_uid("x") == 1


# -- configuration --------------------------------------------------------------------------------------------------
def python(code, home):
    environment = {**os.environ, "KERAS_HOME": str(home)}
    environment.pop("KERAS_BACKEND", None)
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_the_configuration_file_is_made_with_the_defaults_of_keras(tmp_path):
    code = "import kcompile, os; assert not os.path.exists(os.environ['KERAS_HOME'] + '/keras.json'); kcompile.backend"
    done = python(code, tmp_path / "new")
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "new" / "keras.json").read_text())
    assert written == {"floatx": "float32", "epsilon": 1e-07, "backend": "tensorflow", "image_data_format": "channels_last"}


def test_the_configuration_file_is_read(tmp_path):
    values = {"floatx": "float16", "epsilon": 0.001, "image_data_format": "channels_first", "backend": "jax"}
    (tmp_path / "keras.json").write_text(json.dumps(values))
    code = "from kcompile import config as c; print(c.floatx(), c.epsilon(), c.image_data_format(), c.backend())"
    assert python(code, tmp_path).stdout.split() == ["float16", "0.001", "channels_first", "jax"]
    (tmp_path / "keras.json").write_text('{"floatx": "float33"}')
    assert "keras.json: Unknown `floatx` value: float33" in python(code, tmp_path).stderr
    (tmp_path / "keras.json").write_text("{")
    assert "keras.json is not valid JSON" in python(code, tmp_path).stderr


def test_setters():
    saved = dict(config.load())
    try:
        backend.set_floatx("float64")
        assert ops.zeros(2).dtype == "float64" and ops.convert_to_tensor(1.5).dtype == "float64" and backend.floatx() == "float64"
        backend.set_epsilon(1e-4)
        backend.set_image_data_format("channels_first")
        assert backend.epsilon() == 1e-4 and ops.max_pool(np.zeros((1, 2, 4, 4)), 2).shape == (1, 2, 2, 2)
        for setter, wrong in ((backend.set_floatx, "int8"), (backend.set_epsilon, 0), (backend.set_image_data_format, "NHWC"),
                              (config.set_backend, "mxnet")):
            with pytest.raises(ValueError, match=r"floatx|epsilon|image_data_format|backend"):
                setter(wrong)
    finally:
        config.load().update(saved)


def test_the_import_is_light(tmp_path):
    code = ("import sys, kcompile; heavy = {'llvmlite', 'h5py', 'networkx'} & set(sys.modules); assert not heavy, heavy; "
            "kcompile.ops.add(1, 2); assert not heavy & set(sys.modules)")
    assert python(code, tmp_path).stderr == ""


# -- random numbers -------------------------------------------------------------------------------------------------
def test_distributions():
    count = 60000
    x = np.asarray(random.normal((count,), 1.0, 2.0, seed=1))
    assert abs(x.mean() - 1) < 0.03 and abs(x.std() - 2) < 0.03 and np.isfinite(x).all()
    t = np.asarray(random.truncated_normal((count,), seed=1))
    assert abs(t).max() <= 2 and abs(t.std() - 0.8796) < 0.01
    u = np.asarray(random.uniform((count,), -1, 3, seed=1))
    assert u.min() >= -1 and u.max() < 3 and abs(np.histogram(u, 10)[0] / count - 0.1).max() < 0.01
    i = np.asarray(random.randint((count,), -2, 3, seed=1))
    assert set(i.tolist()) == {-2, -1, 0, 1, 2} and abs(np.bincount(i + 2) / count - 0.2).max() < 0.01
    d = np.asarray(random.dropout(np.ones(count, "float32"), 0.25, seed=1))
    assert set(np.unique(d).tolist()) == {0, np.float32(1 / 0.75)} and abs((d == 0).mean() - 0.25) < 0.01
    c = np.asarray(random.categorical(np.log([[0.1, 0.2, 0.7]]), count, seed=1))
    assert abs(np.bincount(c[0]) / count - [0.1, 0.2, 0.7]).max() < 0.01
    for dtype in ("float16", "bfloat16", "float64"):
        assert random.normal((2,), dtype=dtype, seed=1).dtype == dtype
    assert abs(np.asarray(random.gamma((count,), 2.0, seed=1)).mean() - 2) < 0.05
    with pytest.raises(ValueError, match="floating point"):
        random.normal((2,), dtype="int32")
    with pytest.raises(ValueError, match="seed"):
        random.normal((2,), seed="a")


def test_seeds():
    np.testing.assert_array_equal(random.normal((3,), seed=5), random.normal((3,), seed=5))
    generator = random.SeedGenerator(5)
    first, second = np.asarray(random.normal((3,), seed=generator)), np.asarray(random.normal((3,), seed=generator))
    np.testing.assert_array_equal(first, random.normal((3,), seed=5))
    assert not np.array_equal(first, second) and generator.state.numpy().tolist() == [5, 2] and generator.state.role == "rng"
    random.seed_everything(9)
    a = np.asarray(random.uniform((3,)))
    random.seed_everything(9)
    np.testing.assert_array_equal(a, random.uniform((3,)))


def test_a_draw_in_a_trace_has_the_bits_of_the_eager_one_and_advances_the_state():
    generator = random.SeedGenerator(7)
    with tracing.Trace("t") as trace:
        x = trace.input("x", (None, 4), "float32")
        trace.output("y", random.dropout(x, 0.5, seed=generator))
        trace.output("z", random.normal(ops.shape(x), seed=generator))
    states = {path: variable.array for path, variable in trace.variables.items()}
    outputs, updates = evaluate(trace.graph, {"x": np.ones((3, 4), "float32")}, states)
    np.testing.assert_array_equal(outputs["y"], random.dropout(np.ones((3, 4), "float32"), 0.5, seed=generator))
    np.testing.assert_array_equal(outputs["z"], random.normal((3, 4), seed=generator))
    assert updates[generator.state.path].tolist() == [7, 2] == generator.state.numpy().tolist()


def test_shuffle_is_a_permutation_the_same_in_both_modes():
    x = np.arange(40).reshape(20, 2)
    eager = np.asarray(random.shuffle(x, seed=3))
    assert sorted(eager[:, 0].tolist()) == list(range(0, 40, 2)) and not np.array_equal(eager, x)
    with tracing.Trace("t") as trace:
        trace.output("y", random.shuffle(trace.input("x", x.shape, x.dtype), seed=3))
    np.testing.assert_array_equal(evaluate(trace.graph, {"x": x})[0]["y"], eager)


# -- initializers, regularizers, constraints --------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal"])
def test_variance_scaling(name):
    fan_in, fan_out = 300, 200
    scale = {"glorot": 2 / (fan_in + fan_out), "he": 2 / fan_in, "lecun": 1 / fan_in}[name.split("_")[0]]
    values = initializers.get(name)((fan_in, fan_out)).numpy()
    assert abs(values.std() / np.sqrt(scale) - 1) < 0.02 and abs(values.mean()) < 0.01
    if name.endswith("uniform"):
        assert abs(values).max() <= np.sqrt(3 * scale)
    cls = type(initializers.get(name))
    again = initializers.deserialize(initializers.serialize(cls(seed=3)))
    np.testing.assert_array_equal(again((4, 5)), cls(seed=3)((4, 5)))
    assert initializers.serialize(cls(seed=3))["module"] == "keras.initializers"


def test_other_initializers():
    assert initializers.compute_fans((3, 3, 16, 32)) == (144, 288) and initializers.compute_fans((5,)) == (5, 5)
    q = initializers.Orthogonal(gain=2.0)((3, 5, 4)).numpy().reshape(15, 4)
    np.testing.assert_allclose(q.T @ q, 4 * np.eye(4), atol=1e-5)
    np.testing.assert_array_equal(initializers.Identity(2)((2, 3)), [[2, 0, 0], [0, 2, 0]])
    np.testing.assert_array_equal(initializers.get(np.float64([1, 2]))((2,)), [1, 2])
    np.testing.assert_array_equal(initializers.get(lambda shape, dtype=None: ops.ones(shape, dtype))((2,)), [1, 1])
    assert initializers.get("zeros")((2,), "int32").dtype == "int32" and initializers.get(None) is None
    assert initializers.STFT("real")((8, 1, 5)).shape == (8, 1, 5)
    for wrong in ("glorot", 3, {"class_name": "Nope", "config": {}}):
        with pytest.raises(ValueError, match="Could not interpret initializer"):
            initializers.get(wrong)
    with pytest.raises(ValueError, match="2D"):
        initializers.Identity()((2, 2, 2))


def test_regularizers_and_constraints():
    w = np.array([[3.0, -4.0], [0.0, 0.0]], "float32")
    assert float(regularizers.L1L2(0.1, 0.01)(w)) == pytest.approx(0.7 + 0.25)
    assert float(regularizers.get("l2")(w)) == pytest.approx(0.25) and float(regularizers.L1(0.5)(w)) == pytest.approx(3.5)
    slanted = np.array([[1.0, 0.0], [1.0, 1.0]], "float32")
    assert float(regularizers.OrthogonalRegularizer(1.0)(slanted)) == pytest.approx(np.sqrt(0.5), abs=1e-5)
    assert regularizers.deserialize(regularizers.serialize(regularizers.L1L2(1, 2))).get_config() == {"l1": 1.0, "l2": 2.0}
    with pytest.raises(ValueError, match="non-negative"):
        regularizers.L2(-1)
    np.testing.assert_allclose(constraints.MaxNorm(2.0, axis=1)(w), [[1.2, -1.6], [0, 0]], rtol=1e-5)
    np.testing.assert_allclose(constraints.UnitNorm(axis=1)(w)[0], [0.6, -0.8], rtol=1e-5)
    np.testing.assert_array_equal(constraints.get("non_neg")(w), [[3, 0], [0, 0]])
    np.testing.assert_allclose(constraints.MinMaxNorm(6.0, 8.0, axis=1)(w)[0], [3.6, -4.8], rtol=1e-5)
    assert constraints.get({"class_name": "MaxNorm", "config": {"max_value": 3, "axis": 1}}).max_value == 3


# -- the backend of Keras 2 -------------------------------------------------------------------------------------------
def test_backend_functions():
    c = backend.constant([[42, 24], [11, 99]], dtype="float16", shape=[2, 2])
    assert c.dtype == "float16" and c.shape == (2, 2) and "42." in repr(c)
    np.testing.assert_array_equal(backend.constant(3, shape=(2,)), [3, 3])
    v = backend.variable([1.0, 4.0])
    backend.update_add(v, [1.0, 1.0])
    np.testing.assert_array_equal(backend.get_value(v), [2, 5])
    assert backend.int_shape(v) == (2,) and backend.ndim(v) == 1 and backend.count_params(v) == 2
    np.testing.assert_allclose(backend.mean(backend.square(v)), 14.5)
    np.testing.assert_allclose(backend.sqrt(np.array([-1.0, 4.0])), [0, 2])
    x, y = np.random.default_rng(0).normal(size=(2, 3, 4)), np.random.default_rng(1).normal(size=(2, 4, 5))
    np.testing.assert_allclose(backend.batch_dot(x, y), x @ y, rtol=1e-5)
    assert backend.batch_dot(x[:, 0], x[:, 1]).shape == (2, 1) and backend.batch_flatten(x).shape == (2, 12)
    np.testing.assert_allclose(backend.hard_sigmoid(np.array([-3.0, 0.0, 1.0])), [0, 0.5, 0.7])
    np.testing.assert_array_equal(backend.switch(np.array([True, False]), np.ones((2, 2)), np.zeros((2, 2))), [[1, 1], [0, 0]])
    np.testing.assert_allclose(backend.l2_normalize(np.array([3.0, 4.0])), [0.6, 0.8])
    assert backend.is_keras_tensor(backend.placeholder((None, 3))) and backend.argmax(x).dtype == "int64"
