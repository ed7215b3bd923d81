"""Arrays and initial weights. Owns the seeds: all follow from the case's name, by numpy alone.

    make(normal(6), rng_for("dense_relu", "x"), rows=40)   ->  float32[40, 6]

A specification is a function (rng, rows) -> array; nests of them make nests of arrays.
"""
import zlib

import numpy as np


def rng_for(*words):
    """A generator which depends on the words alone, and is the same on every machine."""
    return np.random.default_rng(zlib.crc32("/".join(words).encode()))


def normal(*shape, scale=1.0):
    return lambda rng, rows: (scale * rng.standard_normal((rows, *shape))).astype("float32")


def uniform(*shape, low=0.0, high=1.0):
    return lambda rng, rows: rng.uniform(low, high, (rows, *shape)).astype("float32")


def integers(high, *shape, low=0):
    """Tokens, or class labels."""
    return lambda rng, rows: rng.integers(low, high, (rows, *shape)).astype("int32")


def zero_or_one(*shape):
    return lambda rng, rows: rng.integers(0, 2, (rows, *shape)).astype("float32")


def one_hot(classes, *shape):
    return lambda rng, rows: np.eye(classes, dtype="float32")[rng.integers(0, classes, (rows, *shape))]


def distribution(classes):
    """Rows of probabilities, as soft labels."""
    def build(rng, rows):
        p = rng.uniform(0.1, 1.0, (rows, classes))
        return (p / p.sum(-1, keepdims=True)).astype("float32")
    return build


def make(spec, rng, rows):
    """Arrays for a nest of specifications, in the order in which it was written."""
    if isinstance(spec, dict):
        return {key: make(part, rng, rows) for key, part in spec.items()}
    if isinstance(spec, (list, tuple)):
        return type(spec)(make(part, rng, rows) for part in spec)
    return None if spec is None else spec(rng, rows)


def take(arrays, rows):
    """The same rows of every array of a nest."""
    if isinstance(arrays, dict):
        return {key: take(part, rows) for key, part in arrays.items()}
    if isinstance(arrays, (list, tuple)):
        return type(arrays)(take(part, rows) for part in arrays)
    return None if arrays is None else arrays[rows]


def initial_weights(name, shapes):
    """Weights for `set_weights`. Vectors are positive, as a moving variance must be, and all
    differ, so that two weights of one shape in the wrong order are noticed."""
    rng = rng_for(name, "weights")
    weights = []
    for shape in shapes:
        if len(shape) < 2:
            w = rng.uniform(0.1, 1.0, shape)
        else:
            w = rng.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))
        weights.append(np.asarray(w, "float32"))
    return weights
