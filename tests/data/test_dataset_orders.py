"""Which elements a data set yields, and in which order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kcompile.data import INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset


def numbers(dataset: Dataset) -> list[Any]:
    return [element.tolist() for element in dataset.as_numpy_iterator()]


def test_the_rows_of_arrays() -> None:
    x, y = np.arange(12.0).reshape(6, 2), np.arange(6)
    rows = list(Dataset.from_tensor_slices({"x": x, "y": (y, y)}).as_numpy_iterator())
    assert len(rows) == 6 and rows[2]["x"].tolist() == [4.0, 5.0] and rows[2]["y"] == (2, 2)
    with pytest.raises(ValueError, match=r"different numbers of rows: tensors\[0\]: 6, tensors\[1\]: 5"):
        Dataset.from_tensor_slices((x, y[:5]))
    with pytest.raises(ValueError, match="scalar"):
        Dataset.from_tensor_slices(3)


def test_order_and_batches() -> None:
    dataset = Dataset.range(10)
    assert numbers(dataset.skip(2).take(5)) == [2, 3, 4, 5, 6]
    assert numbers(dataset.shard(3, 1)) == [1, 4, 7]
    assert numbers(dataset.batch(4)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert numbers(dataset.batch(4, drop_remainder=True)) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert numbers(dataset.batch(4).unbatch()) == list(range(10))
    assert numbers(dataset.take(3).repeat(2)) == [0, 1, 2, 0, 1, 2]
    assert numbers(dataset.take(2).concatenate(dataset.skip(8))) == [0, 1, 8, 9]
    assert numbers(dataset.take(9).batch(3).batch(2))[0] == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_a_shuffled_pass_has_each_element_once_and_none_before_the_buffer_reaches_it(size: int) -> None:
    dataset = Dataset.range(50).shuffle(size, seed=3)
    first, second = numbers(dataset), numbers(dataset)
    assert sorted(first) == sorted(second) == list(range(50))
    assert all(number < place + size for place, number in enumerate(first))
    assert (first == second) == (size == 1), "a new order each pass"
    fixed = Dataset.range(50).shuffle(size, seed=3, reshuffle_each_iteration=False)
    assert numbers(fixed) == numbers(fixed)
    assert numbers(Dataset.range(50).shuffle(size, seed=3)) == first, "the seed fixes the sequence of orders"


def test_cardinalities() -> None:
    dataset = Dataset.range(10)
    assert len(dataset.batch(4)) == 3 and len(dataset.batch(4, True)) == 2 and len(dataset.skip(20)) == 0
    assert int(dataset.repeat().cardinality()) == INFINITE_CARDINALITY
    assert int(dataset.filter(lambda x: x > 3).cardinality()) == UNKNOWN_CARDINALITY
    with pytest.raises(TypeError, match="infinite"):
        len(dataset.repeat())
    with pytest.raises(TypeError, match="unknown"):
        len(dataset.filter(lambda x: x > 3))
