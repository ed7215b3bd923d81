"""Every kind of data that fit, evaluate and predict take: the same bits as from plain arrays."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers
from kcompile.data import Dataset

ROWS, SIZE = 70, 16
RNG = np.random.default_rng(5)
X = RNG.random((ROWS, 6)).astype("float32")
Y = (X.sum(axis=1) > 3).astype("int64")
STARTS = range(0, ROWS, SIZE)


def model() -> Any:
    keras.utils.set_random_seed(3)
    result = keras.Sequential([layers.Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(2)])
    result.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return result


def trained(x: Any, y: Any = None, **options: Any) -> list[Any]:
    made = model()
    made.fit(x, y, epochs=2, verbose=0, **{"shuffle": False, "batch_size": SIZE, **options})
    return made.get_weights()  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def expected() -> list[Any]:
    return trained(X, Y)


@pytest.fixture(scope="module")
def expected_results() -> tuple[Any, Any, Any]:
    """(evaluate, predict, history with validation) of plain arrays."""
    made = model()
    losses, outputs = made.evaluate(X, Y, batch_size=SIZE, verbose=0), made.predict(X, verbose=0)
    return losses, outputs, made.fit(X, Y, validation_data=(X, Y), verbose=0, epochs=2, batch_size=SIZE).history


def same(found: list[Any], wanted: list[Any]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))


class TorchTensor:
    """What a torch tensor has: numpy only after detach and cpu."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def detach(self) -> TorchTensor:
        return self

    def cpu(self) -> TorchTensor:
        return self

    def numpy(self) -> Any:
        return self._array

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self._array


class Loader:
    """What a torch DataLoader has."""

    batch_sampler = collate_fn = None

    def __len__(self) -> int:
        return len(STARTS)

    def __iter__(self) -> Iterator[Any]:
        return iter([[TorchTensor(X[n:n + SIZE]), TorchTensor(Y[n:n + SIZE])] for n in STARTS])


class TensorFlowDataset:
    """What a tf.data.Dataset has."""

    element_spec = None

    def __init__(self, endless: bool = False) -> None:
        self.endless = endless

    def cardinality(self) -> Any:
        return np.int64(-1 if self.endless else len(STARTS))

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError("the elements are taken as numpy arrays")

    def as_numpy_iterator(self) -> Iterator[Any]:
        while True:
            yield from ((X[n:n + SIZE], Y[n:n + SIZE]) for n in STARTS)
            if not self.endless:
                return


class Numbered(keras.utils.PyDataset):
    """Batches by number."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.begun = self.ended = 0

    def __len__(self) -> int:
        return len(STARTS)

    def __getitem__(self, index: int) -> Any:
        return X[index * SIZE:(index + 1) * SIZE], Y[index * SIZE:(index + 1) * SIZE]

    def on_epoch_begin(self) -> None:
        self.begun += 1

    def on_epoch_end(self) -> None:
        self.ended += 1


def generator() -> Iterator[Any]:
    while True:
        yield from ((X[n:n + SIZE], Y[n:n + SIZE]) for n in STARTS)


def strided() -> Any:
    wide = np.zeros((ROWS, 12), "float64")
    wide[:, ::2] = X
    return wide[:, ::2]


def disk(folder: Path) -> Any:
    np.save(folder / "x.npy", X.astype("float64"))
    return np.load(folder / "x.npy", mmap_mode="r")


ARRAYS: dict[str, Callable[[Path], Any]] = {
    "float64": lambda folder: X.astype("float64"),
    "another byte order": lambda folder: X.astype(">f4"),
    "columns first": lambda folder: np.asfortranarray(X),
    "strided": lambda folder: strided(),
    "lists": lambda folder: X.tolist(),
    "tensor": lambda folder: keras.ops.convert_to_tensor(X),
    "memory map": disk,
    "torch tensor": lambda folder: TorchTensor(X),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays(kind: str, tmp_path: Path, expected: list[Any]) -> None:
    assert same(trained(ARRAYS[kind](tmp_path), Y), expected)


def test_large_arrays_with_gaps_are_not_copied(expected: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from kcompile.training import lazy_rows

    monkeypatch.setattr(lazy_rows, "COPY_LIMIT", 100)
    for x in (strided(), np.asfortranarray(X), X.astype(">f4")):
        assert isinstance(lazy_rows.lazy_rows(x), lazy_rows.StridedRows)
        assert same(trained(x, Y), expected)


def test_frames(expected: list[Any]) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    assert same(trained(frame, pandas.Series(Y)), expected)
    mixed = frame.astype({"a": "float64", "b": "Float32"})
    assert same(trained(mixed, pandas.DataFrame({"label": Y})), expected)
    frame["town"] = "x"
    frame["kind"] = pandas.Categorical(["x"] * ROWS)
    with pytest.raises(TypeError, match=r"`x`: columns without numbers: 'town' \(.*\), 'kind' \(category\)"):
        trained(frame, Y)


def test_a_series_is_a_column() -> None:
    """As in Keras."""
    pandas = pytest.importorskip("pandas")
    made = keras.Sequential([layers.Input((1,)), layers.Dense(1, kernel_initializer="ones")])
    assert made.predict(pandas.Series([1.0, 2.0]), verbose=0).tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize("form", ["csr_matrix", "csc_matrix", "coo_array", "lil_matrix"])
def test_sparse_matrices(form: str) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    dense = X * (X > 0.5)
    matrix = getattr(sparse, form)(dense)
    assert same(trained(matrix, Y), trained(dense, Y))
    assert same(trained(matrix, Y, shuffle=True), trained(dense, Y, shuffle=True)), "the same order of rows"
    made = model()
    assert np.array_equal(made.predict(matrix, verbose=0), made.predict(dense, verbose=0))
    assert made.evaluate(matrix, Y, verbose=0) == made.evaluate(dense, Y, verbose=0)
    split = made.fit(matrix, Y, validation_split=0.2, shuffle=False, verbose=0).history
    assert split == model().fit(dense, Y, validation_split=0.2, shuffle=False, verbose=0).history
    assert np.array_equal(made.predict_on_batch(matrix), made.predict_on_batch(dense))


def test_arrays_in_hdf5(tmp_path: Path, expected: list[Any]) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"], file["y"] = X, Y
        file.create_dataset("z", data=X, chunks=(7, 6), compression="gzip")
        assert same(trained(file["x"], file["y"]), expected)
        assert same(trained(file["z"], Y), expected)
        assert same(trained(file["x"], file["y"], shuffle=True), trained(X, Y, shuffle=True))
        assert same(trained(file["x"], file["y"], shuffle="batch"), trained(X, Y, shuffle="batch"))
        assert same(trained(file["z"], file["y"], class_weight={0: 2.0}), trained(X, Y, class_weight={0: 2.0}))


def test_only_the_rows_of_a_batch_are_read() -> None:
    class Disk:
        """Slices, and nothing else."""

        shape, dtype, most = X.shape, X.dtype, 0

        def __len__(self) -> int:
            return len(X)

        def __getitem__(self, key: slice) -> Any:
            part = X[key]
            Disk.most = max(Disk.most, len(part))
            return part

    made = model()
    made.fit(Disk(), Y, batch_size=SIZE, verbose=0)
    assert 0 < Disk.most <= SIZE


SOURCES: dict[str, Callable[[], Any]] = {
    "torch loader": Loader,
    "tensorflow data set": TensorFlowDataset,
    "data set": lambda: Dataset.from_tensor_slices((X, Y)).batch(SIZE),
    "data set, endless": lambda: Dataset.from_tensor_slices((X, Y)).batch(SIZE).repeat(),
    "data set, mapped": lambda: Dataset.from_tensor_slices((X, Y)).map(lambda x, y: (x * 1.0, y)).batch(SIZE),
    "data set, batches mapped": lambda: Dataset.from_tensor_slices((X, Y)).batch(SIZE).map(lambda x, y: (x * 1.0, y)),
    "data set, eager": lambda: Dataset.from_tensor_slices((X, Y)).batch(SIZE).map(lambda x, y: (x.numpy(), y)),
    "data set, cached": lambda: Dataset.from_tensor_slices((X, Y)).map(lambda x, y: (x * 1.0, y)).cache().batch(SIZE).prefetch(2),
    "data set, kept": lambda: Dataset.from_tensor_slices((np.r_[X, X], np.r_[Y, Y + 7])).filter(lambda x, y: y < 2).batch(SIZE),
    "generator": generator,
    "iterable": lambda: deque((X[n:n + SIZE], Y[n:n + SIZE]) for n in STARTS),
    "numbered": Numbered,
    "numbered, threads": lambda: Numbered(workers=3, max_queue_size=4),
    "numbered, processes": lambda: Numbered(workers=2, use_multiprocessing=True),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_sources_of_batches(kind: str, expected: list[Any], expected_results: Any) -> None:
    endless = {"steps_per_epoch": len(STARTS)} if kind in ("generator", "data set, endless") else {}
    source = SOURCES[kind]()
    assert same(trained(source, batch_size=None, **endless), expected)
    if endless:
        return
    made = model()
    losses, outputs, history = expected_results
    assert made.evaluate(source, verbose=0) == losses
    assert np.array_equal(made.predict(source, verbose=0), outputs)
    assert made.fit(X, Y, validation_data=source, verbose=0, epochs=2, batch_size=SIZE).history == history


@pytest.mark.parametrize("endless", [lambda: Dataset.from_tensor_slices((X, Y)).batch(SIZE).repeat(), lambda: TensorFlowDataset(True)])
def test_an_endless_data_set_needs_a_number_of_steps(endless: Callable[[], Any]) -> None:
    made = model()
    before = made.get_weights()
    for call, argument in ((lambda: made.evaluate(endless()), "`steps`"), (lambda: made.predict(endless()), "`steps`"),
                           (lambda: made.fit(endless()), "`steps_per_epoch`"),
                           (lambda: made.fit(X, Y, validation_data=endless()), "`validation_steps`")):
        with pytest.raises(ValueError, match=f"endless data set.*{argument}"):
            call()
    assert same(made.get_weights(), before)
    assert len(made.predict(endless(), steps=3, verbose=0)) == 3 * SIZE


def test_epochs_of_numbered_batches() -> None:
    data = Numbered()
    model().fit(data, epochs=3, verbose=0)
    assert data.begun == data.ended == 3
    first, second = trained(Numbered(), shuffle=True, batch_size=None), trained(Numbered(), shuffle=False, batch_size=None)
    assert not same(first, second), "the order of batches is shuffled"


def test_errors_of_numbered_batches_name_the_batch() -> None:
    class Broken(Numbered):
        def __getitem__(self, index: int) -> Any:
            if index == 2:
                raise OSError("disk on fire")
            return super().__getitem__(index)

    for options in ({}, {"workers": 2}):
        with pytest.raises(OSError, match="disk on fire") as caught:
            trained(Broken(**options), batch_size=None)
        assert "batch 2" in "".join(caught.value.__notes__)

    class Wrong(Numbered):
        def __getitem__(self, index: int) -> Any:
            return "text"

    with pytest.raises(ValueError, match=r"Wrong.__getitem__\(.\) must return \(inputs,\)"):
        trained(Wrong(), batch_size=None)

    class Empty(Numbered):
        def __len__(self) -> int:
            return 0

    with pytest.raises(ValueError, match="Empty has no batches"):
        trained(Empty(), batch_size=None)


def test_single_samples_are_not_batches() -> None:
    """Whatever they come from, and whatever their shapes have in common."""
    with pytest.raises(ValueError, match=r"\.batch\("):
        model().fit(Dataset.from_tensor_slices((X, Y)), verbose=0)
    with pytest.raises(ValueError, match=r"\.batch\("):
        model().fit(Dataset.from_tensor_slices((X, X)), verbose=0)
    with pytest.raises(ValueError, match=r"a batch of the data: .*shapes \(.*\.batch\("):
        model().fit(((x, y) for x, y in zip(X, Y, strict=True)), verbose=0)
    with pytest.raises(ValueError, match=r"a batch of the data: .*shapes \(.*\.batch\("):
        model().fit([(x, np.eye(11)[y]) for x, y in zip(X, Y, strict=True)].__iter__(), verbose=0)


def test_labels_out_of_range_in_rows_that_are_left_out() -> None:
    bad = Y.copy()
    bad[-1] = 9
    data = Dataset.from_tensor_slices((X, bad)).take(ROWS - 1).batch(SIZE)
    assert np.isfinite(model().fit(data, verbose=0).history["loss"][0])
    with pytest.raises(ValueError, match="`y`: value 9"):
        model().fit(Dataset.from_tensor_slices((X, bad)).batch(SIZE), verbose=0)
