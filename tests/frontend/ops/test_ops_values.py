"""Values of kcompile.ops against numpy, or against a direct loop."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kcompile import ops

rng = np.random.default_rng(0)
X = rng.uniform(-2, 2, (3, 4)).astype("float32")
Y = rng.uniform(-2, 2, (3, 4)).astype("float32")
P = rng.uniform(0.1, 2, (3, 4)).astype("float32")
V = rng.uniform(-1, 1, 4).astype("float32")
T = rng.uniform(-2, 2, (2, 3, 4)).astype("float32")
T2 = rng.uniform(-2, 2, (2, 4, 5)).astype("float32")
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -3.5], "float32")


def close(actual, expected, tolerance=1e-5):
    actual = np.asarray(actual)
    assert actual.shape == np.shape(expected)
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


UNARY = {
    "exp": np.exp, "expm1": np.expm1, "log1p": lambda x: np.log1p(np.abs(x)), "tanh": np.tanh, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "sinh": np.sinh, "cosh": np.cosh, "arctan": np.arctan, "arcsinh": np.arcsinh, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc,
    "absolute": np.abs, "negative": np.negative, "sign": np.sign, "square": np.square, "exp2": np.exp2, "sinc": np.sinc, "cbrt": np.cbrt,
    "deg2rad": np.deg2rad, "rad2deg": np.rad2deg, "round": np.round, "isnan": np.isnan, "isfinite": np.isfinite, "isinf": np.isinf,
    "signbit": np.signbit, "isposinf": np.isposinf, "isneginf": np.isneginf, "erf": lambda x: np.vectorize(math.erf)(x),
}


@pytest.mark.parametrize("name", sorted(UNARY))
@pytest.mark.parametrize("x", [X, X * 3, np.zeros((0, 2), "float32"), np.float32(0.5)], ids=["x", "3x", "empty", "scalar"])
def test_unary(name, x):
    x = np.abs(x) if name == "log1p" else x
    if x.size:
        close(getattr(ops, name)(x), UNARY[name](x))
    else:
        assert tuple(getattr(ops, name)(x).shape) == (0, 2)


@pytest.mark.parametrize("name", ["isnan", "isfinite", "isinf", "signbit", "tanh", "exp", "arcsinh", "absolute", "trunc"])
def test_unary_of_special_values(name):
    close(getattr(ops, name)(SPECIAL), UNARY[name](SPECIAL))


@pytest.mark.parametrize(("name", "function"), [("log", np.log), ("sqrt", np.sqrt), ("log2", np.log2), ("log10", np.log10),
                                                ("reciprocal", np.reciprocal), ("rsqrt", lambda x: 1 / np.sqrt(x))])
def test_unary_of_positive_numbers(name, function):
    close(getattr(ops, name)(P), function(P))


def test_inverse_functions():
    for name, function in (("arcsin", np.arcsin), ("arccos", np.arccos), ("arctanh", np.arctanh)):
        close(getattr(ops, name)(V), function(V))
    close(ops.arccosh(P + 1), np.arccosh(P + 1))
    close(ops.erfinv(ops.erf(X)), X, 1e-4)
    close(ops.erfinv(np.array([-1.0, 0, 1], "float32")), [-np.inf, 0, np.inf])
    assert np.isnan(np.asarray(ops.erfinv(np.float32(1.5))))
    close(ops.erfinv(ops.erf(X.astype("float64"))), X.astype("float64"), 1e-12)


BINARY = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide, "floor_divide": np.floor_divide, "mod": np.mod,
    "fmod": np.fmod, "maximum": np.maximum, "minimum": np.minimum, "arctan2": np.arctan2, "hypot": np.hypot, "logaddexp": np.logaddexp,
    "logaddexp2": np.logaddexp2, "equal": np.equal, "not_equal": np.not_equal, "less": np.less, "less_equal": np.less_equal,
    "greater": np.greater, "greater_equal": np.greater_equal, "fmax": np.fmax, "fmin": np.fmin, "heaviside": np.heaviside,
}


@pytest.mark.parametrize("name", sorted(BINARY))
def test_binary(name):
    function, numpy_function = getattr(ops, name), BINARY[name]
    close(function(X, Y), numpy_function(X, Y))
    close(function(X, V), numpy_function(X, V))
    close(function(X[:, :1], Y[:1]), numpy_function(X[:, :1], Y[:1]))
    close(function(X, 0.5), numpy_function(X, np.float32(0.5)))
    close(function(0.5, X), numpy_function(np.float32(0.5), X))


def test_extremes_propagate_nan():
    assert np.isnan(np.asarray(ops.maximum(np.nan, X))).all() and np.isnan(np.asarray(ops.minimum(X, np.nan))).all()
    assert np.isnan(np.asarray(ops.relu(np.array([np.nan], "float32")))).all()
    assert np.isnan(np.asarray(ops.max(SPECIAL))) and np.isnan(np.asarray(ops.clip(SPECIAL, -1, 1))[0])
    assert int(ops.argmax(np.array([1.0, np.nan, 5.0], "float32"))) == 1
    image = np.zeros((1, 4, 4, 1), "float32")
    image[0, 1, 1, 0] = np.nan
    assert np.isnan(np.asarray(ops.max_pool(image, 2))).sum() == 1


def test_logarithms_of_sums_with_infinities():
    close(ops.logaddexp(np.array([-np.inf, np.inf, -np.inf], "float32"), np.array([-np.inf, np.inf, 1], "float32")), [-np.inf, np.inf, 1])
    close(ops.logsumexp(np.array([[-np.inf, -np.inf], [1000, 1000]], "float32"), axis=1), [-np.inf, 1000 + math.log(2)])


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "prod", "var", "std"])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (1,)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions(name, axis, keepdims):
    close(getattr(ops, name)(T, axis=axis, keepdims=keepdims), getattr(np, name)(T, axis=axis, keepdims=keepdims), 1e-4)


def test_reductions_of_nothing():
    empty = np.zeros((0, 3), "float32")
    close(ops.sum(empty, axis=0), np.zeros(3))
    close(ops.prod(empty, axis=0), np.ones(3))
    close(ops.max(empty, axis=0, initial=2.0), np.full(3, 2.0))
    with pytest.raises(ValueError, match="zero-size"):
        ops.max(empty, axis=0)


def test_truth_reductions_and_positions():
    flags = X > 0
    for axis in (None, 0, 1):
        np.testing.assert_array_equal(ops.any(flags, axis=axis), flags.any(axis))
        np.testing.assert_array_equal(ops.all(flags, axis=axis), flags.all(axis))
        np.testing.assert_array_equal(ops.argmax(X, axis=axis), X.argmax(axis))
        np.testing.assert_array_equal(ops.argmin(X, axis=axis), X.argmin(axis))
        np.testing.assert_array_equal(ops.count_nonzero(flags, axis=axis), np.count_nonzero(flags, axis=axis))
    assert ops.argmax(X, axis=1, keepdims=True).shape == (3, 1)


def test_running_sums_and_products():
    close(ops.cumsum(X, axis=1), X.cumsum(1))
    close(ops.cumsum(X), X.cumsum())
    close(ops.cumprod(X, axis=0), X.cumprod(0))
    close(ops.diff(X), np.diff(X))
    close(ops.trapezoid(X, dx=0.5), np.trapezoid(X, dx=0.5))


def test_norms():
    close(ops.norm(X), np.linalg.norm(X))
    for order in (None, 1, 2, np.inf, -np.inf, 0, 3):
        close(ops.norm(X, ord=order, axis=1), np.linalg.norm(X, ord=order, axis=1), 1e-4)
    for order in ("fro", 1, -1, np.inf):
        close(ops.norm(X, ord=order, axis=(0, 1)), np.linalg.norm(X, ord=order), 1e-4)
    with pytest.raises(ValueError, match="not supported"):
        ops.norm(X, ord="nuc", axis=(0, 1))


def test_shapes():
    close(ops.reshape(T, (4, -1)), T.reshape(4, -1))
    close(ops.transpose(T), T.transpose())
    close(ops.transpose(T, (1, 0, -1)), T.transpose(1, 0, 2))
    close(ops.swapaxes(T, 0, -1), T.swapaxes(0, -1))
    close(ops.moveaxis(T, (0, 1), (-1, 0)), np.moveaxis(T, (0, 1), (-1, 0)))
    close(ops.expand_dims(X, (0, -1)), np.expand_dims(X, (0, -1)))
    close(ops.squeeze(X[None, :, None]), X)
    close(ops.ravel(T), T.ravel())
    close(ops.broadcast_to(V, (2, 3, 4)), np.broadcast_to(V, (2, 3, 4)))
    close(ops.concatenate([X, Y], axis=-1), np.concatenate([X, Y], -1))
    close(ops.stack([X, Y], axis=-1), np.stack([X, Y], -1))
    close(ops.vstack([V, V]), np.vstack([V, V]))
    close(ops.hstack([X, Y]), np.hstack([X, Y]))
    close(ops.dstack([V, V]), np.dstack([V, V]))
    close(ops.append(X, Y), np.append(X, Y))
    close(ops.tile(X, (2, 1, 3)), np.tile(X, (2, 1, 3)))
    close(ops.tile(T, 2), np.tile(T, 2))
    close(ops.repeat(X, 3, axis=1), X.repeat(3, 1))
    close(ops.repeat(X, [1, 0, 2], axis=0), X.repeat([1, 0, 2], 0))
    close(ops.flip(T, axis=(0, 2)), np.flip(T, (0, 2)))
    close(ops.roll(T, 2), np.roll(T, 2))
    close(ops.roll(T, (1, -2), axis=(0, 2)), np.roll(T, (1, -2), (0, 2)))
    for turns in range(4):
        close(ops.rot90(X, turns), np.rot90(X, turns))


@pytest.mark.parametrize(("make", "message"), [
    (lambda: ops.reshape(X, (5, -1)), r"cannot reshape a tensor of shape \(3, 4\) into \(5, -1\)"),
    (lambda: ops.reshape(X, (-1, -1)), "only one size"),
    (lambda: ops.squeeze(X, 0), "axis=0"),
    (lambda: ops.concatenate([X, V]), "equal except along axis"),
    (lambda: ops.add(X, np.zeros(3)), r"add: shapes \(3, 4\) and \(3,\)"),
    (lambda: ops.sum(X, axis=2), "axis 2 is out of range"),
    (lambda: ops.matmul(X, Y), "matmul"),
    (lambda: ops.split(X, 3, axis=1), "does not divide into 3"),
    (lambda: ops.transpose(X, (0, 0)), "no permutation"),
    (lambda: ops.conv(np.zeros((1, 4, 4, 3)), np.zeros((3, 3, 2, 4))), "3 input channels"),
    (lambda: ops.conv(np.zeros((1, 2, 4, 3)), np.zeros((3, 3, 3, 4))), "too small"),
    (lambda: ops.pad(X, 1, mode="wrap"), "mode must be"),
    (lambda: ops.one_hot([1.5, 2], 3, sparse=True), "sparse"),
])
def test_misuse_is_one_clear_error(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("mode", ["constant", "reflect", "symmetric", "edge"])
def test_pad(mode):
    close(ops.pad(X, ((1, 2), (3, 1)), mode=mode), np.pad(X, ((1, 2), (3, 1)), mode=mode))
    close(ops.pad(X, 1, constant_values=2.5), np.pad(X, 1, constant_values=2.5))


def test_splits():
    for actual, expected in ((ops.split(X, 2, axis=1), np.split(X, 2, 1)), (ops.split(X, [1, 3], axis=1), np.split(X, [1, 3], 1)),
                             (ops.array_split(X, 3, axis=1), np.array_split(X, 3, 1)), (ops.unstack(X), list(X)),
                             (ops.hsplit(X, 2), np.hsplit(X, 2)), (ops.vsplit(X, 3), np.vsplit(X, 3))):
        assert len(actual) == len(expected)
        for a, b in zip(actual, expected, strict=True):
            close(a, b)


INDICES = [1, -1, slice(None, None, 2), slice(None, None, -1), slice(2, 0, -1), (slice(1, None), 2), (Ellipsis, 1), (None, 0),
           (1, None, slice(0, 2)), (slice(None), [0, 2, -1]), (np.array([[0, 1], [1, 0]]),), (slice(0, 0),), (Ellipsis, None), (1, 2, 3)]


@pytest.mark.parametrize("key", INDICES, ids=str)
def test_indexing_in_a_graph_is_that_of_numpy(key):
    from kcompile.ops.indexing import _get_item

    close(_get_item(ops.convert_to_tensor(T), key), T[key])
    close(ops.convert_to_tensor(T)[key], T[key])


def test_indices_out_of_range():
    from kcompile.ops.indexing import _get_item

    with pytest.raises(IndexError, match="index 3 is out of range for axis 0 of size 3"):
        _get_item(ops.convert_to_tensor(X), 3)
    with pytest.raises(IndexError, match="too many indices"):
        _get_item(ops.convert_to_tensor(X), (0, 0, 0))


def test_picking():
    close(ops.take(X, [[0, -1], [2, 1]], axis=1), np.take(X, [[0, -1], [2, 1]], 1))
    close(ops.take(X, 5), np.take(X, 5))
    order = X.argsort(1)
    close(ops.take_along_axis(X, order, axis=1), np.take_along_axis(X, order, 1))
    close(ops.take_along_axis(T, np.array([[[1], [0], [-1]]]), axis=2), np.take_along_axis(T, np.array([[[1], [0], [-1]]] * 2), 2))
    close(ops.where(X > 0, X, 0.0), np.where(X > 0, X, 0))
    close(ops.clip(X, -1, 1), X.clip(-1, 1))
    close(ops.slice(T, (0, 1, 2), (2, 2, 1)), T[0:2, 1:3, 2:3])
    start = ops.convert_to_tensor([0, 1, 2])
    close(ops.slice(T, start, (2, 2, 1)), T[0:2, 1:3, 2:3])
    changed = T.copy()
    changed[0:1, 1:3, 2:4] = 7
    close(ops.slice_update(T, (0, 1, 2), np.full((1, 2, 2), 7, "float32")), changed)
    close(ops.slice_update(T, start, np.full((1, 2, 2), 7, "float32")), changed)
    close(ops.scatter([[0], [2], [0]], X, (4, 4)), np.stack([X[0] + X[2], 0 * V, X[1], 0 * V]))
    updated = X.copy()
    updated[0, 1], updated[2, 3] = 5, 6
    close(ops.scatter_update(X, [[0, 1], [2, 3]], np.array([5, 6], "float32")), updated)
    close(ops.diagonal(T, 1, 1, 2), np.diagonal(T, 1, 1, 2))
    close(ops.diagonal(X, -1), np.diagonal(X, -1))
    close(ops.trace(X), np.trace(X))
    np.testing.assert_array_equal(ops.isin([1, 2, 3], [3, 1]), [True, False, True])
    np.testing.assert_array_equal(np.asarray(ops.nonzero(X > 0)), np.asarray(np.nonzero(X > 0)))


def test_creation():
    for actual, expected in (
        (ops.zeros((2, 3)), np.zeros((2, 3))), (ops.ones(2), np.ones(2)), (ops.full((2, 2), 3.5), np.full((2, 2), 3.5)),
        (ops.eye(3, 4, k=1), np.eye(3, 4, 1)), (ops.tri(3, 4), np.tri(3, 4)), (ops.tril(X, 1), np.tril(X, 1)), (ops.triu(X), np.triu(X)),
        (ops.diag(V, -1), np.diag(V, -1)), (ops.diag(X), np.diag(X)), (ops.arange(2, 11, 3), np.arange(2, 11, 3)),
        (ops.arange(0, 1, 0.25), np.arange(0, 1, 0.25)), (ops.arange(5, 0, -2), np.arange(5, 0, -2)),
        (ops.linspace(0, 3, 7), np.linspace(0, 3, 7)),
        (ops.linspace(0, 3, 7, endpoint=False), np.linspace(0, 3, 7, endpoint=False)), (ops.logspace(0, 2, 3), np.logspace(0, 2, 3)),
        (ops.one_hot([2, 0, 5], 3), [[0, 0, 1], [1, 0, 0], [0, 0, 0]]), (ops.hanning(7), np.hanning(7)), (ops.hamming(7), np.hamming(7)),
        (ops.blackman(7), np.blackman(7)), (ops.bartlett(7), np.bartlett(7)), (ops.vander(V), np.vander(V)),
        (ops.multi_hot([[0, 2], [1, 1]], 3), [[1, 0, 1], [0, 1, 0]]), (ops.zeros_like(X), 0 * X), (ops.full_like(X, 2), 0 * X + 2),
    ):
        close(actual, expected)
    for a, b in zip(ops.meshgrid(V, V[:3]), np.meshgrid(V, V[:3]), strict=True):
        close(a, b)


EINSUMS = [("bij,bjk->bik", T, T2), ("ij->ji", X), ("ij->i", X), ("ij,ij", X, Y), ("...ij,...jk->...ik", T, T2),
           ("i,j->ij", V, V),
           ("bij,bjk,bk->bi", T, T2, T2[:, 0]), ("ii->i", X[:, :3]), ("ij,kj->ki", X, Y), ("bij->b", T), ("...j->...", T),
           ("ij,j->ij", X, V)]


@pytest.mark.parametrize("case", EINSUMS, ids=lambda c: c[0])
def test_einsum(case):
    close(ops.einsum(*case), np.einsum(*case), 1e-4)


def test_products():
    close(ops.matmul(X, Y.T), X @ Y.T)
    close(ops.matmul(T, T2), T @ T2)
    close(ops.matmul(T, T2[0]), T @ T2[0])
    close(ops.matmul(X, T2), X @ T2)
    close(ops.matmul(V, X.T), V @ X.T)
    close(ops.matmul(V, T2), V @ T2)
    close(ops.matmul(X, V), X @ V)
    close(ops.dot(T, T2[0]), np.dot(T, T2[0]))
    close(ops.tensordot(T, T2, axes=[[2], [1]]), np.tensordot(T, T2, axes=[[2], [1]]))
    close(ops.tensordot(X, Y, axes=2), np.tensordot(X, Y, 2))
    close(ops.tensordot(V, V, axes=0), np.tensordot(V, V, 0))
    close(ops.inner(X, Y), np.inner(X, Y))
    close(ops.outer(X, V), np.outer(X, V))
    close(ops.vdot(X, Y), np.vdot(X, Y))
    close(ops.kron(X, Y), np.kron(X, Y))
    close(ops.cross(X[:, :3], Y[:, :3]), np.cross(X[:, :3], Y[:, :3]))


def test_order():
    close(ops.sort(X, axis=0), np.sort(X, 0))
    np.testing.assert_array_equal(ops.argsort(X), X.argsort(-1))
    values, positions = ops.top_k(X, 2)
    close(values, -np.sort(-X)[:, :2])
    close(np.take_along_axis(X, np.asarray(positions), 1), values)
    close(ops.median(X, axis=1), np.median(X, 1))
    for method in ("linear", "lower", "higher", "midpoint", "nearest"):
        close(ops.quantile(X, [0.1, 0.5, 0.8], axis=0, method=method), np.quantile(X, [0.1, 0.5, 0.8], axis=0, method=method))
    np.testing.assert_array_equal(ops.searchsorted([-1.0, 0.0, 1.0], V), np.searchsorted([-1, 0, 1], V))
    np.testing.assert_array_equal(ops.bincount([1, 3, 1]), [0, 2, 0, 1])
    np.testing.assert_array_equal(ops.unique([3, 1, 3]), [1, 3])


def test_segments():
    ids = np.array([0, 2, 0])
    close(ops.segment_sum(X, ids, 3), np.stack([X[0] + X[2], 0 * V, X[1]]))
    close(ops.segment_max(X, ids, 3)[0], np.maximum(X[0], X[2]))
    close(ops.segment_prod(X, ids), np.stack([X[0] * X[2], 0 * V + 1, X[1]]))


def test_skipping_nan():
    for name in ("nansum", "nanmean", "nanmax", "nanmin", "nanprod", "nanvar"):
        x = X.copy()
        x[1, 2] = np.nan
        close(getattr(ops, name)(x, axis=1), getattr(np, name)(x, axis=1))
    close(ops.nan_to_num(SPECIAL, posinf=5.0), np.nan_to_num(SPECIAL, posinf=5.0))
