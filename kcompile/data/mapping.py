"""Functions of elements: map, filter, take_while, flat_map and interleave, scan, reduce, unique."""

from __future__ import annotations

import itertools
import logging
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .dataset import INFINITE, UNKNOWN, Dataset, count_argument
from .elements import Array, Element, flat, normalized, pack, spec_of, stacked, tensors
from .functions import CompiledFunction, ElementFunction
from .rows import CHUNK_BYTES, CHUNK_ELEMENTS, RowPlan
from .spec import TensorSpec

SHAPES_COMPILED = 4  # shapes for which a function of elements without fixed shapes is compiled; with more it is called eagerly
READ_AHEAD_SECONDS = 0.01  # how long to wait for more elements before those at hand are computed


class Map(Dataset):
    """A function of each element."""

    def __init__(self, source: Dataset, function: Callable[..., Any], what: str = "map(map_func)") -> None:
        self.source = source
        self._function = ElementFunction(function, what)
        self._compiled: CompiledFunction | None = None
        self._looked = False
        self._found_spec: Any = None  # of a function that is called eagerly: known from its first result
        self._by_shapes: dict[Any, CompiledFunction | None] = {}
        if source._spec_is_known():
            self._look()

    def _look(self) -> CompiledFunction | None:
        """The compiled function, traced when the elements' spec is first known."""
        if not self._looked:
            spec = self.source.element_spec
            self._compiled = self._function.traced(spec, flat(spec))
            self._looked = True
        return self._compiled

    def _spec_is_known(self) -> bool:
        return self._compiled is not None or self._found_spec is not None

    def _spec(self) -> Any:
        compiled = self._look()
        if compiled is not None:
            return compiled.element_spec
        if self._found_spec is None and next(self._iterate(), None) is None:
            raise ValueError(f"the element_spec of {self._function.what} is not known: its function cannot be traced, and there is no "
                             "element to call it on")
        return self._found_spec

    def _plan(self) -> RowPlan | None:
        plan = self.source._plan()
        if plan is None:
            return None
        compiled = self._look()
        return None if compiled is None else plan.mapped(compiled)

    def _iterate(self) -> Iterator[Element]:
        for _, result in self._with_inputs():
            yield result

    def _with_inputs(self) -> Iterator[tuple[Element, Element]]:
        """(element, result) pairs. Elements of fixed shapes are computed several at once, more and more."""
        elements = self.source._elements()
        size = 1
        while True:
            group, error = _read(elements, size)
            yield from self._results(group)
            if error is not None:
                raise error
            if not group:
                return
            size = min(size * 2, self._most(group[0]))

    def _most(self, element: Element) -> int:
        if self._compiled is None or self._compiled.symbolic:
            return 1
        size = max(1, sum(int(leaf.nbytes) for leaf in element))
        return max(1, min(CHUNK_ELEMENTS, CHUNK_BYTES // size))

    def _results(self, group: list[Element]) -> Iterator[tuple[Element, Element]]:
        if not group:
            return
        compiled = self._look()
        if compiled is None:
            for element in group:
                yield element, self._one(element)
            return
        for _, run in itertools.groupby(group, lambda element: tuple(leaf.shape for leaf in element)):
            same = list(run)
            if compiled.symbolic and not _one_first_size(flat(self.source.element_spec), same[0]):
                yield from ((element, self._eager(element)) for element in same)
                continue
            columns = compiled([stacked(leaves, self._function.what) for leaves in zip(*same, strict=True)], len(same))
            for number, element in enumerate(same):
                yield element, tuple(column[number] if column.ndim > 1 else column[number, ...] for column in columns)

    def _one(self, element: Element) -> Element:
        """A result where shapes are not fixed: compiled for the first few shapes that come, then eager."""
        shapes = tuple(leaf.shape if isinstance(leaf, np.ndarray) else None for leaf in element)
        if shapes not in self._by_shapes and len(self._by_shapes) < SHAPES_COMPILED and None not in shapes:
            specs = [spec_of(leaf) for leaf in element]
            wanted = flat(self.source.element_spec)
            fixed = all(isinstance(spec, TensorSpec) and spec.is_static for spec in wanted)  # then tracing has failed already
            self._by_shapes[shapes] = None if fixed else self._function.traced(self.source.element_spec, specs)
        compiled = self._by_shapes.get(shapes)
        if compiled is None:
            return self._eager(element)
        if self._found_spec is None:
            spec = compiled.element_spec
            self._found_spec = pack(spec, [_loose(leaf) for leaf in flat(spec)])
        columns = compiled([leaf[None] for leaf in element], 1)
        return tuple(column[0] if column.ndim > 1 else column[0, ...] for column in columns)

    def _eager(self, element: Element) -> Element:
        structure, leaves = self._function.eager(self.source.element_spec, element)
        if self._compiled is None:
            if self._found_spec is None:
                self._found_spec = pack(structure, [_loose(spec_of(leaf)) for leaf in leaves])
            elif len(flat(self._found_spec)) != len(leaves):
                raise TypeError(f"{self._function.what}: the function gave results of different structures: "
                                f"{self._found_spec} and then one of {len(leaves)} components")
        return leaves


def _read(elements: Iterator[Element], size: int) -> tuple[list[Element], Exception | None]:
    """Up to `size` elements, fewer from a slow source, and the error that ended it: what came before is not lost."""
    group: list[Element] = []
    until = time.monotonic() + READ_AHEAD_SECONDS
    try:
        for element in elements:
            group.append(element)
            if len(group) >= size or time.monotonic() > until:
                break
    except Exception as error:
        return group, error
    return group, None


def _loose(spec: Any) -> Any:
    """A spec that promises the rank alone."""
    return TensorSpec([None] * len(spec.shape), spec.dtype) if isinstance(spec, TensorSpec) and spec.shape is not None else spec


def _one_first_size(specs: Element, element: Element) -> bool:
    return len({leaf.shape[0] for spec, leaf in zip(specs, element, strict=True) if spec.shape and spec.shape[0] is None}) <= 1


class Predicate(Dataset):
    """A node with a function that says yes or no."""

    def __init__(self, source: Dataset, predicate: Callable[..., Any], what: str) -> None:
        self.source = source
        self._answers = Map(source, predicate, what)
        self._what = what
        if self._answers._spec_is_known():
            self._check(flat(self._answers.element_spec))

    def _check(self, specs: Element) -> None:
        if len(specs) != 1 or not isinstance(specs[0], TensorSpec) or specs[0].dtype != "bool" or specs[0].shape:
            raise ValueError(f"{self._what} must return a scalar bool tensor, it returns {', '.join(map(str, specs))}")

    def _judged(self) -> Iterator[tuple[Element, bool]]:
        for element, answer in self._answers._with_inputs():
            if len(answer) != 1 or not isinstance(answer[0], np.ndarray) or answer[0].ndim or answer[0].dtype != bool:
                self._check(tuple(spec_of(leaf) for leaf in answer))
            yield element, bool(answer[0])

    def _count(self) -> int:
        return UNKNOWN


class Filter(Predicate):
    """The elements that a predicate is true for."""

    def __init__(self, source: Dataset, predicate: Callable[..., Any]) -> None:
        super().__init__(source, predicate, "filter(predicate)")

    def _iterate(self) -> Iterator[Element]:
        return (element for element, yes in self._judged() if yes)

    def _plan(self) -> RowPlan | None:
        """Of rows as they are, the numbers of those that are kept."""
        plan = self.source._plan()
        compiled = self._answers._look()
        if plan is None or compiled is None or plan.batch_size is not None or not plan.is_plain:
            return None
        columns: tuple[Array, ...] = plan.columns

        def kept(passes: Callable[[], Iterator[Any]]) -> Iterator[Any]:
            numbers, size = passes(), 1
            while True:
                rows = np.fromiter(itertools.islice(numbers, size), np.int64)
                if not len(rows):
                    return
                (yes,) = compiled([column[rows] for column in columns], len(rows))
                yield from rows[yes].tolist()
                size = min(size * 2, 1024)

        return plan.reordered(kept)


class TakeWhile(Predicate):
    """The elements before the first that a predicate is false for."""

    def __init__(self, source: Dataset, predicate: Callable[..., Any]) -> None:
        super().__init__(source, predicate, "take_while(predicate)")

    def _iterate(self) -> Iterator[Element]:
        return (element for element, _ in itertools.takewhile(lambda judged: judged[1], self._judged()))


class Interleave(Dataset):
    """The elements of data sets that a function makes, some of each in turn. With a cycle of one: flat_map."""

    def __init__(self, source: Dataset, function: Callable[..., Any], cycle_length: Any, block_length: Any) -> None:
        self.source = source
        name = "flat_map" if cycle_length == 1 else "interleave"
        self._function = ElementFunction(function, f"{name}(map_func)")
        cores = len(os.sched_getaffinity(0))
        self._cycle = cores if cycle_length is None or cycle_length == -1 else count_argument(cycle_length, "cycle_length")
        self._block = 1 if block_length == -1 else count_argument(block_length, "block_length")
        self._found_spec: Any = None

    def _count(self) -> int:
        return UNKNOWN

    def _spec_is_known(self) -> bool:
        return self._found_spec is not None

    def _spec(self) -> Any:
        if self._found_spec is None:
            first = next(self._datasets(), None)
            if first is None:
                raise ValueError(f"the element_spec of {self._function.what} is not known: there is no element to call the function on")
        return self._found_spec

    def _datasets(self) -> Iterator[Dataset]:
        for element in self.source._elements():
            _, leaves = self._function.eager(self.source.element_spec, element)
            made = leaves[0]
            if len(leaves) != 1 or not isinstance(made, Dataset):
                raise TypeError(f"{self._function.what} must return a Dataset, it returned {', '.join(map(str, leaves))}")
            if self._found_spec is None:
                self._found_spec = made.element_spec
            yield made

    def _iterate(self) -> Iterator[Element]:
        datasets = self._datasets()
        slots: list[Iterator[Element] | None] = [None] * self._cycle
        more, place, taken = True, 0, 0
        while more or any(slot is not None for slot in slots):
            slot = slots[place]
            if slot is None and more:
                made = next(datasets, None)
                more = made is not None
                slots[place] = slot = None if made is None else made._elements()
            element = None if slot is None else next(slot, None)
            if element is not None:
                yield element
                taken += 1
            else:
                slots[place] = None
            if element is None or taken == self._block:
                place, taken = (place + 1) % self._cycle, 0


class Scan(Dataset):
    """A function of a state and each element."""

    def __init__(self, source: Dataset, state: Any, function: Callable[..., Any]) -> None:
        self.source, self._function = source, ElementFunction(function, "scan(scan_func)")
        self._state = normalized(state, "initial_state")
        self._found_spec: Any = None

    def _spec_is_known(self) -> bool:
        return self._found_spec is not None

    def _spec(self) -> Any:
        if self._found_spec is None and next(self._iterate(), None) is None:
            raise ValueError("the element_spec of scan() is not known: there is no element to call its function on")
        return self._found_spec

    def _iterate(self) -> Iterator[Element]:
        state = self._state
        for element in self.source._elements():
            structure, _ = self._function.eager((state, self.source.element_spec), (*flat(state), *element))
            if not isinstance(structure, tuple) or len(structure) != 2:
                raise TypeError("scan(scan_func) must return (new state, output)")
            state, output = structure
            leaves = flat(output)
            if self._found_spec is None:
                self._found_spec = pack(output, [_loose(spec_of(leaf)) for leaf in leaves])
            yield leaves


def reduce(source: Dataset, initial_state: Any, reduce_func: Callable[..., Any]) -> Any:
    """The last state. Raises TypeError where the function changes its structure."""
    function = ElementFunction(reduce_func, "reduce(reduce_func)")
    state = normalized(initial_state, "initial_state")
    for element in source._elements():
        structure, leaves = function.eager((state, source.element_spec), (*flat(state), *element))
        if len(leaves) != len(flat(state)):
            raise TypeError(f"reduce(reduce_func) must return a state of {len(flat(state))} components, it returned {len(leaves)}")
        for old, new in zip(flat(state), leaves, strict=True):
            if old.dtype != new.dtype:
                raise TypeError(f"reduce(reduce_func): the state is {spec_of(old)}, but the function returned {spec_of(new)}")
        state = structure
    return pack(state, tensors(flat(state)))


class Unique(Dataset):
    """Elements the first time they come."""

    def __init__(self, source: Dataset) -> None:
        self.source = source

    def _count(self) -> int:
        return INFINITE if self.source._count() == INFINITE else UNKNOWN

    def _iterate(self) -> Iterator[Element]:
        seen = set()
        for element in self.source._elements():
            key = tuple((leaf.shape, leaf.dtype.str, tuple(leaf.reshape(-1)) if leaf.dtype.kind == "O" else leaf.tobytes())
                        for leaf in element)
            if key not in seen:
                seen.add(key)
                yield element


class IgnoreErrors(Dataset):
    """Elements whose computation raises nothing. It looks into the map functions before it, which go on after an error."""

    def __init__(self, source: Dataset, log: bool) -> None:
        self.source, self._log = source, log

    def _count(self) -> int:
        return UNKNOWN

    def _iterate(self) -> Iterator[Element]:
        if not isinstance(self.source, Map):
            yield from self.source._elements()
            return
        for element in self.source.source._elements():
            try:
                result = [result for _, result in self.source._results([element])]
            except Exception as error:
                if self._log:
                    logging.getLogger("kcompile").warning("ignore_errors(): %s", error)
                continue
            yield from result

