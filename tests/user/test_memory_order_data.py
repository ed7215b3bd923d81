"""Models with weights in panels on data sets of every kind, and a weight in panels given to whatever takes arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, ops
from kcompile.data import Dataset
from kcompile.utils import PyDataset

from .test_memory_order import panels_on_every_machine  # noqa: F401

ROWS, FEATURES, UNITS = 203, 300, 256
DATA = np.random.default_rng(2)
X, Y = DATA.standard_normal((ROWS, FEATURES), "float32"), DATA.standard_normal((ROWS, 5), "float32")


def model() -> Any:
    keras.utils.set_random_seed(3)
    made = keras.Sequential([keras.Input((FEATURES,)), layers.Dense(UNITS, name="large"), layers.Dense(5)])
    made.compile("adam", "mse")
    return made


class Batches(PyDataset):  # type: ignore[misc]
    def __len__(self) -> int:
        return -(-ROWS // 32)

    def __getitem__(self, number: int) -> Any:
        part = slice(32 * number, 32 * number + 32)
        return X[part] * 2, Y[part]


def generator() -> Iterator[Any]:
    for number in range(len(Batches())):
        yield Batches()[number]


def mapped() -> Any:
    return Dataset.from_tensor_slices((X, Y)).map(lambda x, y: (x * 2, y)).batch(32)


SOURCES: dict[str, Callable[[], Any]] = {
    "mapped data set": mapped, "mapped after batching": lambda: Dataset.from_tensor_slices((X, Y)).batch(32).map(lambda x, y: (x * 2, y)),
    "repeated": lambda: mapped().repeat(1).prefetch(2), "PyDataset": Batches, "generator": generator,
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_of_batches_trains_alike(source: str) -> None:
    plain, other = model(), model()
    for _ in range(2):
        plain.fit(X * 2, Y, batch_size=32, epochs=1, shuffle=False, verbose=0)
        other.fit(SOURCES[source](), epochs=1, shuffle=False, verbose=0)
    assert other.layers[0].kernel._order.columns == 32
    for one, two in zip(plain.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(other.evaluate(SOURCES[source](), verbose=0), plain.evaluate(X * 2, Y, batch_size=32, verbose=0), rtol=1e-6)
    np.testing.assert_array_equal(other.predict(mapped().map(lambda x, y: x), verbose=0), plain.predict(X * 2, batch_size=32, verbose=0))


def test_validation_on_a_mapped_data_set() -> None:
    history = model().fit(mapped(), epochs=2, verbose=0, validation_data=mapped()).history
    assert history["val_loss"][1] < history["val_loss"][0]


def in_panels() -> Any:
    """(a kernel whose memory is in panels, its value)"""
    made = model()
    made.train_on_batch(X, Y)
    kernel = made.layers[0].kernel
    value = kernel.numpy()
    made.optimizer.learning_rate = 0.0
    made.train_on_batch(X, Y)
    assert kernel._order.columns == 32
    return kernel, value


TAKERS: dict[str, Callable[[Any], Any]] = {
    "normalize": lambda k: keras.utils.normalize(k), "split_dataset": lambda k: keras.utils.split_dataset(k, left_size=0.5)[0],
    "split_dataset of a list": lambda k: keras.utils.split_dataset([k, k], left_size=0.5)[0],
    "a variable of a list": lambda k: keras.Variable([k, k]), "a variable": lambda k: keras.Variable(k),
    "an initializer": lambda k: keras.Variable(lambda shape, dtype=None: k, shape=tuple(k.shape)),
    "stack": lambda k: ops.stack([k, k]), "convert_to_tensor": lambda k: ops.convert_to_tensor(k),
    "from_tensor_slices": lambda k: Dataset.from_tensor_slices(k), "list": list, "asarray": np.asarray,
}


@pytest.mark.parametrize("taker", TAKERS)
def test_who_takes_arrays_takes_the_value_of_a_variable(taker: str) -> None:
    def arrays(result: Any) -> list[np.ndarray]:
        rows = list(result) if not isinstance(result, (keras.Variable, np.ndarray)) and not hasattr(result, "shape") else [result]
        return [np.asarray(part) for row in rows for part in (row if isinstance(row, tuple) else (row,))]

    kernel, value = in_panels()
    wanted = arrays(TAKERS[taker](keras.Variable(value)))
    kernel, value = in_panels()
    found = arrays(TAKERS[taker](kernel))
    assert len(found) == len(wanted) > 0
    for one, two in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_data_set_function_that_assigns_what_it_multiplies() -> None:
    weight = keras.Variable(np.eye(256, dtype="float32"), name="w")

    def step(row: Any) -> Any:
        result = ops.matmul(row, weight)
        weight.assign(weight * 0.5)
        return result
    found = [np.asarray(y)[0, 0] for y in Dataset.from_tensor_slices(np.ones((3, 4, 256), "float32")).map(step)]
    assert found == [1.0, 0.5, 0.25]
    np.testing.assert_array_equal(weight.numpy(), np.eye(256, dtype="float32") * 0.125)
