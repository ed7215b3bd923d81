"""Where elements come from: arrays, generators, ranges, folders."""

from __future__ import annotations

import functools
import glob
import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import tree
from ..dtypes import numpy_dtype, standardize_dtype
from ..utils.seeds import shuffle_generator
from .dataset import INFINITE, UNKNOWN, Dataset, count_argument
from .elements import Array, Element, component, conformed, flat, is_structure, normalized, pack, spec_of
from .rows import RowPlan
from .spec import TensorSpec

ROWS_IN_MEMORY = 1 << 22  # a range up to this length is an array


class Slices(Dataset):
    """The rows of arrays."""

    def __init__(self, tensors: Any) -> None:
        structure = normalized(tensors, "tensors")
        self.columns = flat(structure)
        if not self.columns:
            raise ValueError("from_tensor_slices() was given no tensors")
        paths = ["".join(f"[{key!r}]" for key in path) for path, _ in tree.flatten_with_path(structure)] \
            if is_structure(structure) else [""]
        for path, column in zip(paths, self.columns, strict=True):
            if not isinstance(column, np.ndarray):
                raise TypeError(f"from_tensor_slices(): tensors{path} is a {type(column).__name__}; expected an array")
            if not column.ndim:
                raise ValueError(f"from_tensor_slices(): tensors{path} is a scalar, it has no rows; from_tensors() makes it one element")
        if len({len(column) for column in self.columns}) > 1:
            sizes = ", ".join(f"tensors{path}: {len(column)}" for path, column in zip(paths, self.columns, strict=True))
            raise ValueError(f"from_tensor_slices(): the tensors have different numbers of rows: {sizes}")
        self._rows = len(self.columns[0])
        specs = [TensorSpec(column.shape[1:], column.dtype) for column in self.columns]
        self._element_spec = pack(structure, specs)

    def _spec(self) -> Any:
        return self._element_spec

    def _count(self) -> int:
        return self._rows

    def _plan(self) -> RowPlan | None:
        return RowPlan(self.columns, lambda: iter(range(self._rows)))

    def _iterate(self) -> Iterator[Element]:
        plan = self._plan()
        assert plan is not None
        return plan.elements()


class Single(Dataset):
    """One element."""

    def __init__(self, tensors: Any) -> None:
        structure = normalized(tensors, "tensors")
        self._element = flat(structure)
        self._element_spec = pack(structure, [spec_of(leaf) for leaf in self._element])

    def _spec(self) -> Any:
        return self._element_spec

    def _count(self) -> int:
        return 1

    def _iterate(self) -> Iterator[Element]:
        yield self._element


class Generated(Dataset):
    """What a Python generator yields."""

    def __init__(self, generator: Callable[..., Any], types: Any, shapes: Any, args: Any, signature: Any) -> None:
        if not callable(generator):
            raise TypeError("`generator` must be a Python callable that returns an iterator, as in from_generator(lambda: items, ...); "
                            f"received {type(generator).__name__}")
        if signature is not None:
            if types is not None or shapes is not None:
                raise TypeError("from_generator() takes `output_signature`, or `output_types` with `output_shapes`, not both")
            self._element_spec = _signature(signature)
        elif types is not None:
            self._element_spec = _spec_of_types(types, shapes)
        else:
            raise TypeError("from_generator() needs `output_signature` (TensorSpecs in the structure of an element) or `output_types`")
        self._generator = generator
        self._args = () if args is None else tuple(component(arg, "args") for arg in args)

    def _spec(self) -> Any:
        return self._element_spec

    def _count(self) -> int:
        return UNKNOWN

    def _iterate(self) -> Iterator[Element]:
        specs = flat(self._element_spec)
        for number, item in enumerate(self._generator(*self._args)):
            leaves = _leaves(item, self._element_spec, number)
            yield tuple(conformed(leaf, spec, f"from_generator(): component {place} of element {number}" if len(specs) > 1 else
                                  f"from_generator(): element {number}")
                        for place, (leaf, spec) in enumerate(zip(leaves, specs, strict=True)))


def _leaves(item: Any, template: Any, number: int) -> list[Any]:
    """The parts of an item that stand where the template has specs. A list may stand for a tuple."""
    if not is_structure(template):
        return [item]
    wrong = TypeError(f"from_generator(): element {number} does not have the structure of the signature, {template!r}: {item!r:.200}")
    if isinstance(template, tuple):
        if not isinstance(item, (tuple, list)) or len(item) != len(template):
            raise wrong
        pairs = list(zip(item, template, strict=True))
    else:
        if not hasattr(item, "keys") or set(item) != set(template):
            raise wrong
        keys = [path[0] for path, _ in tree.flatten_with_path(dict.fromkeys(template))]
        pairs = [(item[key], template[key]) for key in keys]
    return [leaf for part, inner in pairs for leaf in _leaves(part, inner, number)]


def _signature(signature: Any) -> Any:
    if isinstance(signature, list):
        signature = tuple(signature)
    if is_structure(signature):
        return pack(signature, [_signature(leaf) for leaf in flat(signature)])
    if isinstance(signature, TensorSpec):
        return signature
    if hasattr(signature, "shape") and hasattr(signature, "dtype"):  # a KerasTensor, or TensorFlow's TensorSpec
        return TensorSpec(signature.shape, getattr(signature.dtype, "name", signature.dtype))
    raise TypeError(f"`output_signature` must hold TensorSpecs, received {signature!r}")


def _spec_of_types(types: Any, shapes: Any) -> Any:
    if isinstance(types, list):
        types = tuple(types)
    if not is_structure(types):
        return TensorSpec(shapes, types)
    if shapes is None:
        return pack(types, [TensorSpec(None, dtype) for dtype in flat(types)])
    if isinstance(types, tuple):
        if len(types) != len(shapes):
            raise TypeError(f"`output_types` has {len(types)} components, `output_shapes` {len(shapes)}")
        return tuple(_spec_of_types(dtype, shape) for dtype, shape in zip(types, shapes, strict=True))
    return {key: _spec_of_types(dtype, shapes[key]) for key, dtype in types.items()}


class Range(Dataset):
    """Integers (or numbers of another dtype) in steps."""

    def __init__(self, args: tuple[Any, ...], output_type: Any) -> None:
        if not 1 <= len(args) <= 3:
            raise ValueError(f"range() takes one to three numbers, received {len(args)}")
        self._range = range(*(count_argument(arg, "range", -2**63) for arg in args))
        self._dtype = standardize_dtype(output_type)

    def _spec(self) -> Any:
        return TensorSpec((), self._dtype)

    def _count(self) -> int:
        return len(self._range)

    @functools.cached_property
    def _column(self) -> Array:
        numbers = self._range
        return np.fromiter(numbers, np.int64, len(numbers)).astype(numpy_dtype(self._dtype))

    def _plan(self) -> RowPlan | None:
        if len(self._range) > ROWS_IN_MEMORY:
            return None
        return RowPlan((self._column,), lambda: iter(range(len(self._range))))

    def _iterate(self) -> Iterator[Element]:
        dtype = numpy_dtype(self._dtype)
        return ((np.asarray(number, dtype),) for number in self._range)


class Counter(Dataset):
    """Endless numbers."""

    def __init__(self, start: Any, step: Any, dtype: Any) -> None:
        self._start, self._step, self._dtype = start, step, standardize_dtype(dtype)

    def _spec(self) -> Any:
        return TensorSpec((), self._dtype)

    def _count(self) -> int:
        return INFINITE

    def _iterate(self) -> Iterator[Element]:
        dtype = numpy_dtype(self._dtype)
        return ((np.asarray(number, dtype),) for number in itertools.count(self._start, self._step))


class Random(Dataset):
    """Endless random numbers."""

    def __init__(self, seed: int | None, again: bool) -> None:
        self._seed = int(shuffle_generator().integers(2**63)) if seed is None else count_argument(seed, "seed", 0)
        self._again, self._passes = again, 0

    def _spec(self) -> Any:
        return TensorSpec((), "int64")

    def _count(self) -> int:
        return INFINITE

    def _iterate(self) -> Iterator[Element]:
        generator = np.random.default_rng([self._seed, self._passes if self._again else 0])
        self._passes += 1
        while True:
            for number in generator.integers(2**32, size=256):
                yield (np.asarray(number, np.int64),)


def list_files(pattern: Any, shuffle: bool, seed: int | None) -> Dataset:
    """The paths that match, as text. Raises ValueError where there are none."""
    patterns = [os.fsdecode(item) for item in np.atleast_1d(component(pattern, "file_pattern")).reshape(-1)]
    found = sorted({path for one in patterns for path in glob.glob(one) if os.path.isfile(path)})
    if not found:
        raise ValueError(f"list_files(): no file matches {', '.join(map(repr, patterns))}")
    files: Dataset = Slices(np.array(found, object))
    return files.shuffle(len(found), seed) if shuffle else files
