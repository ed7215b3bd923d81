"""What a case is: a builder of one model, under a name, in one table.

    @case
    def dense_relu(keras):
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
        return model, dict(optimizer="sgd", loss="mse"), dict(x=normal(6), y=normal(1))

A builder takes the engine's `keras` module and returns (model, compile arguments, data).
The data names the arrays to make, and how they are used:

    x, y             nests (dict, list) of array specifications, see data.py
    sample_weight    the same; class_weight is the dict that Keras takes
    rows             how many rows there are (40), in batches of 8
    fit              arguments for one call of `fit`; without it, 20 calls of `train_on_batch`
    validation       True: as many validation rows as rows are made for `fit`
    predict          False leaves out the predictions before and after training
    evaluate         False leaves out `evaluate` after training
"""
from collections.abc import Callable
from dataclasses import dataclass

STEPS = 20
ROWS = 40
BATCH = 8

CASES = {}


@dataclass(frozen=True)
class Case:
    """One comparison. Two exceptions are said here, each with its reason beside the case:

    jax_twin     the case that Keras on JAX runs as the second judge, where JAX computes something
                 else by design (cross-entropy of a softmax); twins have the same data and weights
    reference    "jax" where Keras on TensorFlow is not the one to follow
    """

    name: str
    build: Callable
    jax_twin: str | None = None
    reference: str = "tf"

    @property
    def seed(self):
        return self.jax_twin or self.name


def add(name, build, **exceptions):
    """Enter a builder in the table."""
    if name in CASES:
        raise ValueError(f"two cases are called {name!r}")
    CASES[name] = Case(name, build, **exceptions)


def case(build=None, **exceptions):
    """Decorator: enter a builder under its own name."""
    if build is None:
        return lambda function: case(function, **exceptions)
    add(build.__name__, build, **exceptions)
    return build
