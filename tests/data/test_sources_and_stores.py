"""Generators, caches, files, threads: what elements come from and where they are kept."""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kcompile.data import AUTOTUNE, Dataset, Options, TensorSpec
from kcompile.data.experimental import assert_cardinality


def numbers(dataset: Dataset) -> list[Any]:
    return [element.tolist() for element in dataset.as_numpy_iterator()]


@pytest.mark.parametrize("items, error, words", [
    ([(1, [1.0]), (2, [1.0, 2.0])], ValueError, r"component 1 of element 1: expected shape \(1,\), received \(2,\)"),
    ([(1, ["a"])], TypeError, "component 1 of element 0: expected values of dtype float32, received string"),
    ([(1.5, [1.0])], TypeError, "component 0 of element 0"),
    ([3], TypeError, "element 0 does not have the structure of the signature"),
])
def test_elements_of_a_generator_must_match_the_signature(items: Any, error: type[Exception], words: str) -> None:
    signature = (TensorSpec((), "int32"), TensorSpec((1,), "float32"))
    if items[0] == (1.5, [1.0]):
        items = [(np.array([1.5], "float32")[0], [1.0])]
    with pytest.raises(error, match=words):
        list(Dataset.from_generator(lambda: iter(items), output_signature=signature))


def test_a_generator_needs_a_signature() -> None:
    with pytest.raises(TypeError, match="output_signature"):
        Dataset.from_generator(lambda: iter([1]))
    with pytest.raises(TypeError, match="callable"):
        Dataset.from_generator(iter([1]), output_signature=TensorSpec((), "int32"))  # type: ignore[arg-type]


def test_arguments_are_named() -> None:
    dataset = Dataset.range(3)
    for call, name in ((lambda: dataset.batch(0), "batch_size"), (lambda: dataset.shuffle(0), "buffer_size"),
                       (lambda: dataset.take(1.5), "count"), (lambda: dataset.window(0), "size"),
                       (lambda: dataset.shard(2, 2), "index"), (lambda: dataset.prefetch(-3), "buffer_size"),
                       (lambda: dataset.interleave(Dataset.from_tensors, cycle_length=0), "cycle_length")):
        with pytest.raises(ValueError, match=f"`{name}`"):
            call()
    with pytest.raises(ValueError, match=r"different shapes: element 0 has \(2,\), element 1 \(3,\)"):
        list(Dataset.from_generator(lambda: iter([[1, 2], [1, 2, 3]]), output_signature=TensorSpec((None,), "int32")).batch(2))
    with pytest.raises(TypeError, match="differ in structure or dtype"):
        dataset.concatenate(dataset.map(lambda x: (x, x)))


@pytest.mark.parametrize("file", [False, True])
def test_a_cache_computes_each_element_once(file: bool, tmp_path: Path) -> None:
    calls = []

    def function(x: Any) -> Any:
        calls.append(int(x))
        return x * 2

    name = str(tmp_path / "kept") if file else ""
    made = Dataset.range(5).map(function).cache(name).shuffle(5).batch(5)
    assert sorted(numbers(made.take(0))) == [] and calls == []
    for _ in range(3):
        assert sorted(numbers(made)[0]) == [0, 2, 4, 6, 8]
    assert calls == list(range(5))
    if file:
        assert numbers(Dataset.range(5).map(function).cache(name)) == [0, 2, 4, 6, 8] and len(calls) == 6, "one for the dtype"
        with pytest.raises(ValueError, match="other dtypes"):
            numbers(Dataset.range(5).map(lambda x: str(int(x))).cache(name))


def test_an_unfinished_pass_is_not_a_cache(tmp_path: Path) -> None:
    made = Dataset.range(5).cache(str(tmp_path / "kept"))
    assert numbers(made.take(2)) == [0, 1]
    assert numbers(made) == [0, 1, 2, 3, 4]


def test_saved_and_loaded(tmp_path: Path) -> None:
    def items() -> Any:
        yield from (({"a": np.arange(n, dtype="int16"), "b": "x" * n}, n / 2) for n in range(4))

    signature = ({"a": TensorSpec((None,), "int16"), "b": TensorSpec((), "string")}, TensorSpec((), "float32"))
    made = Dataset.from_generator(items, output_signature=signature)
    made.save(str(tmp_path / "saved"))
    loaded = Dataset.load(str(tmp_path / "saved"))
    assert loaded.element_spec == made.element_spec and len(loaded) == 4
    found = list(loaded.as_numpy_iterator())
    assert [(one["a"].tolist(), one["b"], float(n)) for one, n in found] == [(list(range(n)), b"x" * n, n / 2) for n in range(4)]
    with pytest.raises(FileNotFoundError, match="no saved data set"):
        Dataset.load(str(tmp_path / "other"))
    (tmp_path / "saved" / "elements.0.data").write_bytes(b"cut")
    with pytest.raises(ValueError, match="has 3 bytes"):
        Dataset.load(str(tmp_path / "saved"))


def test_prefetching_works_ahead_and_ends_with_its_iterator() -> None:
    made = []

    def items() -> Any:
        for number in range(1000):
            made.append(number)
            yield number

    before = threading.active_count()
    iterator = iter(Dataset.from_generator(items, output_signature=TensorSpec((), "int32")).prefetch(4))
    assert int(next(iterator)) == 0
    until = time.monotonic() + 5
    while len(made) < 5 and time.monotonic() < until:
        time.sleep(0.01)
    assert 5 <= len(made) <= 7
    del iterator
    gc.collect()
    until = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert threading.active_count() <= before and len(made) < 10


def test_options_and_promises() -> None:
    options = Options()
    options.deterministic = False
    options.threading.private_threadpool_size = 3  # type: ignore[attr-defined]
    made = Dataset.range(3).with_options(options).prefetch(AUTOTUNE)
    assert numbers(made) == [0, 1, 2] and made.options().deterministic is False
    promised = Dataset.range(10).filter(lambda x: x < 4).apply(assert_cardinality(4))
    assert len(promised) == 4 and numbers(promised) == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="expected 5 elements, the data set has 4"):
        numbers(Dataset.range(4).apply(assert_cardinality(5)))


def test_chance_follows_the_weights() -> None:
    parts = [Dataset.from_tensors(n).repeat() for n in range(3)]
    drawn = numbers(Dataset.sample_from_datasets(parts, [0.5, 0.5, 0.0], seed=2).take(1000))
    assert 2 not in drawn and 420 < drawn.count(0) < 580
    assert drawn == numbers(Dataset.sample_from_datasets(parts, [0.5, 0.5, 0.0], seed=2).take(1000))


def test_elements_are_the_users_to_keep() -> None:
    """A batch that was kept does not change with later ones."""
    kept = list(Dataset.range(100).map(lambda x: x + 1).batch(7))
    assert np.concatenate([batch.numpy() for batch in kept]).tolist() == list(range(1, 101))
