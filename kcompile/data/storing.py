"""Elements kept: in memory, in files, and a few ahead in a thread."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..dtypes import numpy_dtype, standardize_dtype
from .dataset import Dataset, count_argument, flat_spec
from .elements import Array, Element, component, flat, pack, stacked
from .prefetch import Ahead
from .rows import RowPlan
from .spec import TensorSpec


class Prefetched(Dataset):
    """The same elements, some computed ahead."""

    def __init__(self, source: Dataset, buffer_size: Any) -> None:
        self.source = source
        size = count_argument(buffer_size, "buffer_size", -1)
        self._size = 2 if size == -1 else size

    def _plan(self) -> RowPlan | None:
        return self.source._plan()

    def _elements(self) -> Iterator[Element]:
        return Ahead(self.source._elements(), self._size) if self._size else self.source._elements()


class Cached(Dataset):
    """The elements of the first pass that came to the end, in memory or in files."""

    def __init__(self, source: Dataset, filename: Any) -> None:
        self.source = source
        name = component(filename, "filename").item() if not isinstance(filename, (str, os.PathLike)) else os.fspath(filename)
        self._file = name.decode() if isinstance(name, bytes) else name
        self._stored: Sequence[Element] | None = None
        self._columns: tuple[Array, ...] | None = None

    def _look(self) -> None:
        """Take what an earlier pass, or an earlier process, has stored."""
        if self._file and self._stored is None and os.path.exists(_index(self._file)):
            self._keep(Stored(self._file))
            specs, found = flat_spec(self.source), self._stored
            assert isinstance(found, Stored)
            if [spec.dtype for spec in specs] != [standardize_dtype(dtype) for dtype in found.dtypes]:
                raise ValueError(f"cache(): {self._file!r} holds elements of other dtypes than this data set's; delete its files, or name "
                                 "another file")

    def _keep(self, stored: Sequence[Element]) -> None:
        self._stored = stored
        self._columns = stored.columns() if isinstance(stored, Stored) else _columns(stored)

    def _plan(self) -> RowPlan | None:
        self._look()
        if self._columns is not None:
            columns = self._columns
            return RowPlan(columns, lambda: iter(range(len(columns[0]))))
        return None

    def _iterate(self) -> Iterator[Element]:
        if self._stored is not None:
            yield from self._stored
        elif self._file:
            with Writer(self._file) as writer:
                for element in self.source._elements():
                    writer.add(element)
                    yield element
                writer.finish()
            self._keep(Stored(self._file))
        else:
            found = []
            for element in self.source._elements():
                found.append(element)
                yield element
            self._keep(found)


def _columns(elements: Sequence[Element]) -> tuple[Array, ...] | None:
    """Elements of one shape as stacked arrays; None where shapes differ."""
    if not elements:
        return None
    first = [(leaf.shape, leaf.dtype) if isinstance(leaf, np.ndarray) else None for leaf in elements[0]]
    if None in first or any([(leaf.shape, leaf.dtype) for leaf in element] != first for element in elements):
        return None
    return tuple(stacked(leaves, "cache()") for leaves in zip(*elements, strict=True))


# -- files --------------------------------------------------------------------------------------------------------
def _index(path: str) -> str:
    return f"{path}.index.json"


def _data(path: str, place: int) -> str:
    return f"{path}.{place}.data"


class Writer:
    """Writes elements one by one: a file of raw values for each component, and at the very end an index of their shapes.

    Files without an index are an unfinished pass; the next one writes them anew.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._files: list[Any] = []
        self._dtypes: list[str] = []
        self._shapes: list[list[list[Any]]] = []  # of each component: [shape, number of elements in a row that have it]
        self._texts: list[list[int]] = []

    def __enter__(self) -> Writer:
        folder = os.path.dirname(self._path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        return self

    def __exit__(self, *exception: object) -> None:
        for file in self._files:
            file.close()

    def add(self, element: Element) -> None:
        """Write one element. Raises TypeError for inner data sets."""
        if not self._files:
            for place, leaf in enumerate(element):
                if not isinstance(leaf, np.ndarray):
                    raise TypeError("elements that are data sets cannot be stored; use flat_map(lambda window: window.batch(...))")
                self._files.append(open(_data(self._path, place), "wb"))  # noqa: SIM115 - closed in __exit__
                self._dtypes.append("string" if leaf.dtype.kind == "O" else str(standardize_dtype(leaf.dtype)))
                self._shapes.append([])
                self._texts.append([])
        for place, leaf in enumerate(element):
            shape, runs = list(leaf.shape), self._shapes[place]
            if runs and runs[-1][0] == shape:
                runs[-1][1] += 1
            else:
                runs.append([shape, 1])
            if leaf.dtype.kind == "O":
                for text in leaf.flat:
                    self._texts[place].append(len(text))
                    self._files[place].write(text)
            else:
                self._files[place].write(np.ascontiguousarray(leaf).tobytes())

    def finish(self) -> None:
        """All elements are there."""
        for file in self._files:
            file.flush()
        aside = f"{_index(self._path)}.part"
        with open(aside, "w", encoding="utf-8") as file:
            json.dump({"dtypes": self._dtypes, "shapes": self._shapes, "texts": self._texts}, file)
        os.replace(aside, _index(self._path))


class Stored(Sequence[Element]):
    """Elements in files, mapped into memory."""

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            with open(_index(path), encoding="utf-8") as file:
                index = json.load(file)
            self.dtypes = [numpy_dtype(name) for name in index["dtypes"]]
            self._runs = [[(tuple(map(int, shape)), int(count)) for shape, count in runs] for runs in index["shapes"]]
            self._texts = index["texts"]
            self._raw = [np.memmap(_data(path, place), np.uint8, "r") if os.path.getsize(_data(path, place)) else np.zeros(0, np.uint8)
                         for place in range(len(self.dtypes))]
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path!r} does not hold stored elements that can be read: {error}") from None
        for place, dtype in enumerate(self.dtypes):
            size = sum(self._texts[place]) if dtype.kind == "O" else \
                sum(count * int(np.prod(shape, dtype=np.int64)) for shape, count in self._runs[place]) * dtype.itemsize
            if size != len(self._raw[place]):
                raise ValueError(f"{_data(path, place)!r} has {len(self._raw[place])} bytes, {size} are expected")

    def __len__(self) -> int:
        return sum(count for _, count in self._runs[0]) if self._runs else 0

    def __getitem__(self, index: Any) -> Any:
        raise TypeError("stored elements are read in order")

    def columns(self) -> tuple[Array, ...] | None:
        """Stacked arrays, where all elements have one shape."""
        if not self._runs or any(len(runs) != 1 for runs in self._runs) or any(dtype.kind == "O" for dtype in self.dtypes):
            return None
        return tuple(raw.view(dtype).reshape(runs[0][1], *runs[0][0])
                     for raw, dtype, runs in zip(self._raw, self.dtypes, self._runs, strict=True))

    def __iter__(self) -> Iterator[Element]:
        if not self.dtypes:
            return iter(())
        return zip(*(self._leaves(place) for place in range(len(self.dtypes))), strict=True)

    def _leaves(self, place: int) -> Iterator[Array]:
        raw, dtype, start, text = self._raw[place], self.dtypes[place], 0, 0
        for shape, count in self._runs[place]:
            elements = int(np.prod(shape, dtype=np.int64))
            for _ in range(count):
                if dtype.kind == "O":
                    leaf = np.empty(elements, object)
                    for number in range(elements):
                        stop = start + self._texts[place][text]
                        leaf[number] = raw[start:stop].tobytes()
                        start, text = stop, text + 1
                    yield leaf.reshape(shape)
                    continue
                stop = start + elements * dtype.itemsize
                yield raw[start:stop].view(dtype).reshape(shape)
                start = stop


def save(dataset: Dataset, path: Any) -> None:
    """Write every element into a folder."""
    folder = os.fspath(path)
    os.makedirs(folder, exist_ok=True)
    with Writer(os.path.join(folder, "elements")) as writer:
        for element in dataset._elements():
            writer.add(element)
        writer.finish()
    with open(os.path.join(folder, "spec.json"), "w", encoding="utf-8") as file:
        json.dump(_plain(dataset.element_spec), file)


def load(path: Any, element_spec: Any) -> Dataset:
    """The data set that `save` wrote. Raises FileNotFoundError or ValueError."""
    folder = os.fspath(path)
    if not os.path.exists(os.path.join(folder, "spec.json")):
        raise FileNotFoundError(f"Dataset.load(): {folder!r} holds no saved data set")
    if element_spec is None:
        with open(os.path.join(folder, "spec.json"), encoding="utf-8") as file:
            element_spec = _structured(json.load(file))
    return Loaded(Stored(os.path.join(folder, "elements")), element_spec)


def _plain(spec: Any) -> Any:
    if isinstance(spec, TensorSpec):
        return {"shape": None if spec.shape is None else list(spec.shape), "dtype": str(spec.dtype)}
    if isinstance(spec, tuple):
        return {"tuple": [_plain(part) for part in spec]}
    return {"dict": [[key, _plain(part)] for key, part in spec.items()]}


def _structured(plain: Any) -> Any:
    if "tuple" in plain:
        return tuple(_structured(part) for part in plain["tuple"])
    if "dict" in plain:
        return {key: _structured(part) for key, part in plain["dict"]}
    return TensorSpec(plain["shape"], plain["dtype"])


class Loaded(Dataset):
    """Elements from files."""

    def __init__(self, stored: Stored, element_spec: Any) -> None:
        if len(flat(element_spec)) != len(stored.dtypes) and len(stored):
            raise ValueError(f"Dataset.load(): the files hold elements of {len(stored.dtypes)} components, `element_spec` has "
                             f"{len(flat(element_spec))}")
        self._stored, self._element_spec = stored, pack(element_spec, flat(element_spec))

    def _spec(self) -> Any:
        return self._element_spec

    def _count(self) -> int:
        return len(self._stored)

    def _plan(self) -> RowPlan | None:
        columns = self._stored.columns()
        return None if columns is None else RowPlan(columns, lambda: iter(range(len(columns[0]))))

    def _iterate(self) -> Iterator[Element]:
        return iter(self._stored)

