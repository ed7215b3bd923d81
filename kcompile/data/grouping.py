"""Elements into groups and out of them: batch, padded_batch, unbatch, window, buckets."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..dtypes import numpy_dtype
from .dataset import INFINITE, UNKNOWN, Dataset, count_argument, flat_spec
from .elements import Array, Element, component, flat, is_structure, pack, stacked
from .rows import RowPlan
from .spec import DatasetSpec, TensorSpec, batched


def _groups(count: int, size: int, drop_remainder: bool) -> int:
    if count in (INFINITE, UNKNOWN):
        return count
    return count // size if drop_remainder else -(-count // size)


class Batched(Dataset):
    """Elements stacked."""

    def __init__(self, source: Dataset, batch_size: Any, drop_remainder: Any) -> None:
        self.source = source
        self._size, self._drop = count_argument(batch_size, "batch_size"), bool(drop_remainder)

    def _spec(self) -> Any:
        spec = self.source.element_spec
        return pack(spec, [batched(leaf, self._size if self._drop else None) for leaf in flat(spec)])

    def _count(self) -> int:
        return _groups(self.source._count(), self._size, self._drop)

    def _plan(self) -> RowPlan | None:
        plan = self.source._plan()
        return None if plan is None else plan.batched(self._size, self._drop)

    def _iterate(self) -> Iterator[Element]:
        elements = self.source._elements()
        while True:
            group = list(itertools.islice(elements, self._size))
            if len(group) == self._size or (group and not self._drop):
                yield tuple(stacked(leaves, f"batch({self._size})") for leaves in zip(*group, strict=True))
            if len(group) < self._size:
                return


class PaddedBatch(Dataset):
    """Elements of several shapes padded to one and stacked."""

    def __init__(self, source: Dataset, batch_size: Any, shapes: Any, values: Any, drop_remainder: Any) -> None:
        self.source = source
        self._size, self._drop = count_argument(batch_size, "batch_size"), bool(drop_remainder)
        self._given_shapes, self._given_values = shapes, values
        if shapes is not None:
            self._shapes()
        if values is not None:
            self._values()

    def _shapes(self) -> list[tuple[int | None, ...]]:
        """The padded shape of each component, None where it is the longest of the batch."""
        specs = flat_spec(self.source)
        given = [None] * len(specs) if self._given_shapes is None else _shape_leaves(self._given_shapes, self.source.element_spec)
        found = []
        for spec, shape in zip(specs, given, strict=True):
            if not isinstance(spec, TensorSpec):
                raise TypeError(f"padded_batch(): a component is {spec!r}, not a tensor")
            if shape is None:
                if spec.shape is None:
                    raise ValueError("padded_batch(): the rank of a component is not known; give `padded_shapes`")
                shape = spec.shape
            wanted = tuple(None if size is None or int(size) == -1 else int(size) for size in shape)
            if spec.shape is not None and len(wanted) != len(spec.shape):
                raise ValueError(f"padded_batch(): `padded_shapes` has {wanted} for a component of shape {tuple(spec.shape)}; the ranks "
                                 "must be equal")
            if spec.shape is not None and any(a is not None and b is not None and a < b for a, b in zip(wanted, spec.shape, strict=True)):
                raise ValueError(f"padded_batch(): `padded_shapes` has {wanted}, less than a component's shape {tuple(spec.shape)}")
            found.append(wanted)
        return found

    def _values(self) -> list[Array]:
        """What each component is padded with."""
        specs = flat_spec(self.source)
        if self._given_values is None:
            given: Sequence[Any] = [None] * len(specs)
        elif is_structure(self._given_values):
            given = flat(self._given_values)
        else:
            given = [self._given_values] * len(specs)
        if len(given) != len(specs):
            raise ValueError(f"padded_batch(): `padding_values` has {len(given)} values for {len(specs)} components")
        found = []
        for spec, value in zip(specs, given, strict=True):
            dtype = numpy_dtype(spec.dtype)
            if value is None:
                value = b"" if dtype.kind == "O" else 0
            array = component(value, "`padding_values`")
            if (array.dtype.kind == "O") != (dtype.kind == "O") or (array.dtype.kind == "f" and dtype.kind in "iub"):
                raise TypeError(f"padded_batch(): `padding_values` holds {value!r} for a component of dtype {spec.dtype}")
            found.append(array.astype(dtype))
        return found

    def _spec(self) -> Any:
        spec = self.source.element_spec
        first = self._size if self._drop else None
        leaves = [TensorSpec((first, *shape), leaf.dtype) for shape, leaf in zip(self._shapes(), flat(spec), strict=True)]
        return pack(spec, leaves)

    def _count(self) -> int:
        return _groups(self.source._count(), self._size, self._drop)

    def _iterate(self) -> Iterator[Element]:
        elements = self.source._elements()
        while True:
            group = list(itertools.islice(elements, self._size))
            if len(group) == self._size or (group and not self._drop):
                yield self._padded(group)
            if len(group) < self._size:
                return

    def _padded(self, group: list[Element]) -> Element:
        parts = zip(zip(*group, strict=True), self._shapes(), self._values(), strict=True)
        return tuple(padded(leaves, shape, value) for leaves, shape, value in parts)


def padded(leaves: Sequence[Array], shape: Sequence[int | None], value: Any) -> Array:
    """Arrays stacked, each padded at the end of its axes. Raises ValueError for one that is longer than the shape allows."""
    sizes = []
    for axis, size in enumerate(shape):
        longest = max(leaf.shape[axis] for leaf in leaves)
        if size is not None and longest > size:
            raise ValueError(f"padded_batch(): an element of size {longest} in dimension {axis} does not fit the padded size {size}")
        sizes.append(longest if size is None else size)
    result = np.full((len(leaves), *sizes), value, leaves[0].dtype)
    for number, leaf in enumerate(leaves):
        place: Any = (number, *(slice(size) for size in leaf.shape))
        result[place] = leaf
    return result


def _shape_leaves(shapes: Any, template: Any) -> list[Any]:
    """The shape for each component: a shape itself (tuple, list, TensorSpec's) stands where the template has a leaf."""
    if not is_structure(template):
        return [shapes]
    if isinstance(template, tuple):
        if len(shapes) != len(template):
            raise ValueError(f"`padded_shapes` has {len(shapes)} entries for {len(template)} components")
        return [leaf for part, inner in zip(shapes, template, strict=True) for leaf in _shape_leaves(part, inner)]
    return [leaf for key in sorted(template) for leaf in _shape_leaves(shapes[key], template[key])]


class Unbatched(Dataset):
    """The rows of each element."""

    def __init__(self, source: Dataset) -> None:
        self.source = source

    def _spec(self) -> Any:
        spec = self.source.element_spec
        return pack(spec, [_row_spec(leaf) for leaf in flat(spec)])

    def _count(self) -> int:
        count = self.source._count()
        if count in (0, INFINITE):
            return count
        sizes = {leaf.shape[0] for leaf in flat_spec(self.source) if leaf.shape is not None and leaf.shape[0] is not None}
        return count * sizes.pop() if len(sizes) == 1 and count != UNKNOWN else UNKNOWN

    def _iterate(self) -> Iterator[Element]:
        for element in self.source._elements():
            sizes = {leaf.shape[0] if isinstance(leaf, np.ndarray) and leaf.ndim else None for leaf in element}
            if len(sizes) > 1 or None in sizes:
                shapes = [leaf.shape if isinstance(leaf, np.ndarray) else type(leaf).__name__ for leaf in element]
                raise ValueError(f"unbatch(): the components of an element have different numbers of rows: shapes {shapes}")
            yield from zip(*(_rows(leaf) for leaf in element), strict=True)


def _rows(leaf: Array) -> Iterator[Array]:
    return iter(leaf) if leaf.ndim > 1 else (leaf[number, ...] for number in range(len(leaf)))


def _row_spec(spec: Any) -> TensorSpec:
    if not isinstance(spec, TensorSpec) or (spec.shape is not None and not len(spec.shape)):
        raise ValueError(f"unbatch(): a component is {spec!r}, which has no rows")
    return TensorSpec(None if spec.shape is None else spec.shape[1:], spec.dtype)


class Elements(Dataset):
    """Elements that are there already: a window's."""

    def __init__(self, elements: Sequence[Element], element_spec: Any) -> None:
        self._stored, self._element_spec = elements, element_spec

    def _spec(self) -> Any:
        return self._element_spec

    def _count(self) -> int:
        return len(self._stored)

    def _iterate(self) -> Iterator[Element]:
        return iter(self._stored)


class Windows(Dataset):
    """Data sets of neighbouring elements, one for each component."""

    def __init__(self, source: Dataset, size: Any, shift: Any, stride: Any, drop_remainder: Any) -> None:
        self.source = source
        self._size = count_argument(size, "size")
        self._shift = self._size if shift is None else count_argument(shift, "shift")
        self._stride, self._drop = count_argument(stride, "stride"), bool(drop_remainder)

    def _spec(self) -> Any:
        spec = self.source.element_spec
        return pack(spec, [DatasetSpec(leaf) for leaf in flat(spec)])

    def _count(self) -> int:
        count = self.source._count()
        if count in (INFINITE, UNKNOWN):
            return count
        if not self._drop:
            return -(-count // self._shift)
        return max(0, (count - (self._size - 1) * self._stride - 1) // self._shift + 1)

    def _iterate(self) -> Iterator[Element]:
        specs = flat_spec(self.source)
        reach = (self._size - 1) * self._stride + 1
        elements, buffer = self.source._elements(), deque[Element]()
        while True:
            buffer.extend(itertools.islice(elements, max(reach - len(buffer), 0)))
            chosen = list(itertools.islice(buffer, 0, None, self._stride))[:self._size]
            if not chosen or (self._drop and len(chosen) < self._size):
                return
            yield tuple(Elements([(element[place],) for element in chosen], spec) for place, spec in enumerate(specs))
            for _ in range(min(self._shift, len(buffer))):
                buffer.popleft()
            missing = self._shift - reach
            if missing > 0:
                for _ in itertools.islice(elements, missing):
                    continue


class Buckets(Dataset):
    """Padded batches of elements of similar length."""

    def __init__(self, source: Dataset, length: Callable[..., Any], boundaries: Sequence[int], sizes: Sequence[int], shapes: Any,
                 values: Any, to_boundary: bool, no_padding: bool, drop_remainder: bool) -> None:
        if len(sizes) != len(boundaries) + 1:
            raise ValueError(f"`bucket_batch_sizes` must have one entry more than `bucket_boundaries`, received {len(sizes)} and "
                             f"{len(boundaries)}")
        self.source, self._length = source, length
        self._boundaries = [count_argument(limit, "bucket_boundaries") for limit in boundaries]
        self._sizes = [count_argument(size, "bucket_batch_sizes") for size in sizes]
        self._to_boundary, self._no_padding, self._drop = to_boundary, no_padding, drop_remainder
        self._batches = PaddedBatch(source, 1, shapes, values, False)

    def _spec(self) -> Any:
        spec = self.source.element_spec
        return pack(spec, [TensorSpec((None, *shape), leaf.dtype) for shape, leaf in zip(self._batches._shapes(), flat(spec), strict=True)])

    def _count(self) -> int:
        return UNKNOWN

    def _iterate(self) -> Iterator[Element]:
        from .mapping import Map

        waiting: list[list[Element]] = [[] for _ in self._sizes]
        lengths = Map(self.source, self._length, "element_length_func")
        for element, (length,) in lengths._with_inputs():
            bucket = int(np.searchsorted(self._boundaries, int(length), "right"))
            waiting[bucket].append(element)
            if len(waiting[bucket]) == self._sizes[bucket]:
                yield self._batch(waiting[bucket], bucket)
                waiting[bucket] = []
        for bucket, rest in enumerate(waiting):
            if rest and not self._drop:
                yield self._batch(rest, bucket)

    def _batch(self, group: list[Element], bucket: int) -> Element:
        if self._no_padding:
            return tuple(stacked(leaves, "bucket_by_sequence_length()") for leaves in zip(*group, strict=True))
        shapes = self._batches._shapes()
        if self._to_boundary:
            if bucket == len(self._boundaries):
                raise ValueError("bucket_by_sequence_length(): with pad_to_bucket_boundary no element may be as long as the last boundary, "
                                 f"{self._boundaries[-1]}")
            limit = self._boundaries[bucket] - 1
            shapes = [tuple(limit if size is None else size for size in shape) for shape in shapes]
        parts = zip(zip(*group, strict=True), shapes, self._batches._values(), strict=True)
        return tuple(padded(leaves, shape, value) for leaves, shape, value in parts)
