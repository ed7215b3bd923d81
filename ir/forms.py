"""Kernels apart from the arrays they stand over and from their extents. A model repeats itself (blocks of layers, larger and smaller ones,
an optimizer's update of each weight), so what fusion finds out about two kernels holds wherever the same two meet again.

A `Form` is a kernel over the arrays of the first place where it was seen, with numbers in place of extents (extents.py); a `Placed` is a
form with the names of its arrays and its extents here. `Forms` remembers what came of each meeting: of which forms, which of their arrays
and extents are the same, and what was asked.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Hashable
from typing import Union

from kcompile.common.lazy import lazy, remember
from kcompile.common.struct import replace

from .extents import Extents, compact, numbered, renumbered, with_extents
from .fusion import axis_mapping, inline, join_labels, merge, side_by_side, store_of, tidy, value_of
from .fusion_table import SIDE_BY_SIDE, Edge, Row, counts_extents, decide, kind
from .kernel import Kernel
from .kernel_edit import WRITING, rename_arrays
from .scalar import Const
from .structure import structure

Around = Callable[[str], Union[bool, frozenset[str]]]  # answers SOLE, LIGHT and COMPANY, see Edge
Label = Union[str, tuple["Label", "Label"]]  # of what was made of two kernels, theirs: most are never read


def written(label: Label) -> str:
    """A label for people, see fusion.join_labels."""
    if isinstance(label, str):
        return label
    texts: list[str] = []
    seen: set[int] = set()
    waiting: list[Label] = [label]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            texts.append(one)
        elif id(one) not in seen:  # what was inlined in several kernels that then became one
            seen.add(id(one))
            waiting += one[::-1]
    return join_labels(*texts)


class Form:
    """A kernel whose name, label, source, arrays' names and extents mean nothing: where it stands, these are known by their number."""

    def __init__(self, kernel: Kernel) -> None:
        """`kernel`: with numbers in place of extents."""
        self.kernel = kernel
        self.arrays = tuple(kernel.arrays)
        self.reads = tuple([self.arrays.index(a) for a in kernel.reads])
        self.writes = tuple([self.arrays.index(a) for a in kernel.writes])
        self.kind = kind(kernel)
        self._renumbered: dict[tuple[int, ...], Kernel] = {}

    def renumbered(self, numbers: tuple[int, ...]) -> Kernel:
        """The kernel with the numbers of its extents beside another form: see extents.py."""
        known = self._renumbered.get(numbers)
        if known is None:
            known = self._renumbered[numbers] = renumbered(self.kernel, numbers)
        return known


class Placed:
    """A form over the arrays `names` of a program, with its extents, and where it comes from."""

    def __init__(self, form: Form, names: tuple[str, ...], extents: Extents, label: Label, source: str) -> None:
        self.form, self.names, self.extents, self.label, self.source = form, names, extents, label, source
        self.reads = tuple([names[n] for n in form.reads])
        self.writes = tuple([names[n] for n in form.writes])

    @lazy
    def place(self) -> dict[str, int]:
        return {name: n for n, name in enumerate(self.names)}

    def kernel(self, name: str) -> Kernel:
        """The kernel itself, which remembers its form."""
        own = with_extents(over(self.form.kernel, self.names), self.extents)
        made = replace(own, name=name, label=written(self.label), source=self.source)
        remember(made, "placed", self)
        return made

    def stores(self, array: str) -> bool:
        """Whether one plain store writes the array."""
        return store_of(self.form.kernel, self.form.arrays[self.place[array]]) is not None


def place(kernel: Kernel) -> Placed:
    """A kernel as a form of its own."""
    own, extents = numbered(kernel)
    return Placed(Form(own), tuple(kernel.arrays), extents, kernel.label, kernel.source)


def identity(kernel: Kernel) -> Hashable:
    """Equal for kernels, with numbers in place of extents, that are of one form."""
    return structure(kernel), tuple(kernel.axes), tuple([q.name for q in kernel.equations if q.kind not in WRITING])


def named(kernel: Kernel, name: str) -> Kernel:
    """The kernel under another name, with the form that it has."""
    if kernel.name == name:
        return kernel
    made = replace(kernel, name=name)
    if "placed" in kernel.__dict__:
        remember(made, "placed", kernel.placed)
    return made


def over(kernel: Kernel, names: tuple[str, ...]) -> Kernel:
    """The kernel over other arrays, given in the order of its own."""
    own = tuple(kernel.arrays)
    return kernel if own == names else rename_arrays(kernel, dict(zip(own, names, strict=True)))


class Forms:
    """What fusion asks of two kernels, each question once."""

    def __init__(self) -> None:
        self._rows: dict[Hashable, Row | _Question] = {}
        self._inlined: dict[Hashable, tuple[_Made, bool]] = {}
        self._merged: dict[Hashable, _Made] = {}
        self._slim: dict[Hashable, _Made] = {}
        self._forms: dict[Hashable, Form] = {}
        self._last: _Meeting | None = None

    def _meeting(self, producer: Placed, consumer: Placed) -> _Meeting:
        """Who fuses two kernels has just asked about them."""
        last = self._last
        if last is None or last.producer_placed is not producer or last.consumer_placed is not consumer:
            last = self._last = _Meeting(producer, consumer)
        return last

    def decide(self, producer: Placed, consumer: Placed, array: str, around: Around) -> Row:
        """The row of the fusion table for an array that one writes and the other reads, itself or through a view.

        What was decided holds wherever the program around the two gives the same answers to those questions that the table asked: few are
        asked of most, and so `around` finds out about few of them."""
        meeting, at = self._meeting(producer, consumer), producer.place[array]
        counted = counts_extents(producer.form.kind, consumer.form.kind)
        key = *meeting.key, at, meeting.extents if counted else ()
        found = self._rows.get(key)
        while found.__class__ is _Question:
            found = found.next.get(_answer(found.name, producer, around))
        if found is None:
            return self._decided(meeting, key, at, counted, around)
        return found  # type: ignore[return-value]

    def _decided(self, meeting: _Meeting, key: Hashable, at: int, counted: bool, around: Around) -> Row:
        """The same, asked of the table; remembered behind the questions that it asks, one after the other."""
        producer, reader = meeting.producer_placed, meeting.consumer_placed.form
        asked: dict[str, bool | frozenset[str]] = {}

        def ask(question: str) -> bool | frozenset[str]:
            if question not in asked:
                asked[question] = _answer(question, producer, around)
            return asked[question]
        own, its = meeting.own, reader.kernel
        if counted:
            own, its = (with_extents(kernel, meeting.extents) for kernel in (own, its))
        row = decide(Edge(own, its, producer.form.arrays[at], meeting.common(), ask), producer.form.kind, reader.kind)
        known = self._rows
        for name, answer in asked.items():
            question = known.setdefault(key, _Question(name))
            assert isinstance(question, _Question)
            known, key = question.next, answer
        known[key] = row
        return row

    def inline(self, producer: Placed, consumer: Placed, array: str) -> Placed:
        """See fusion.inline. A literal is of no interest to the reader of a label."""
        meeting, at = self._meeting(producer, consumer), producer.place[array]
        key = *meeting.key, at
        found = self._inlined.get(key)
        if found is None:
            own, shared = meeting.producer(), meeting.arrays[at]
            made = self._made(inline(own, consumer.form.kernel, shared), meeting.both)
            found = self._inlined[key] = made, isinstance(value_of(own, shared), Const)
        made, literal = found
        if literal:
            return meeting.placed(made, consumer.label, consumer.source)
        return meeting.placed(made, (producer.label, consumer.label), producer.source or consumer.source)

    def merge(self, producer: Placed, consumer: Placed, row: Row, dead: Collection[str]) -> Placed:
        """See fusion.merge. The row of the table says how they fit. `dead`: what need not be stored any more."""
        meeting = self._meeting(producer, consumer)
        gone = tuple([n for n, name in enumerate(consumer.names + producer.names) if name in dead])
        key = *meeting.key, row.name == SIDE_BY_SIDE, gone
        found = self._merged.get(key)
        if found is None:
            match = side_by_side if row.name == SIDE_BY_SIDE else axis_mapping
            mapping = match(meeting.own, consumer.form.kernel, meeting.common())
            assert mapping is not None
            both = meeting.both
            made = _without(merge(meeting.producer(), consumer.form.kernel, mapping), {both[n] for n in gone})
            found = self._merged[key] = self._made(made, both)
        return meeting.placed(found, (producer.label, consumer.label), producer.source or consumer.source)

    def without(self, placed: Placed, dead: Collection[str]) -> Placed:
        """The kernel without its stores to these arrays, and without what only they needed. It may have no equation left."""
        form = placed.form
        gone = frozenset([form.arrays[n] for n in form.writes if placed.names[n] in dead])
        found = self._slim.get((form, gone))
        if found is None:
            found = self._slim[form, gone] = self._made(_without(form.kernel, gone), form.arrays)
        return found.placed(placed.names, placed.extents, placed.label, placed.source)

    def _made(self, kernel: Kernel, arrays: tuple[str, ...]) -> _Made:
        """`kernel`: a tidy one; `arrays`: of the forms that it was made of, as it calls them."""
        slim, extents = compact(kernel)
        number = {a: n for n, a in enumerate(arrays)}
        key = identity(slim)
        form = self._forms.get(key)
        if form is None:
            form = self._forms[key] = Form(slim)
        return _Made(form, tuple([number[a] for a in slim.arrays]), extents)


class _Question:
    """What the fusion table asked about the program around two kernels, and by the answer what it asked next, or decided."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.next: dict[Hashable, Row | _Question] = {}


def _answer(question: str, producer: Placed, around: Around) -> bool | frozenset[str]:
    """Arrays as the producer's form calls them."""
    found = around(question)
    if isinstance(found, bool):
        return found
    return frozenset([own for own, name in zip(producer.form.arrays, producer.names, strict=True) if name in found])


def _without(kernel: Kernel, gone: Collection[str]) -> Kernel:
    """A tidy kernel without its stores to these arrays."""
    if not gone:
        return kernel
    return tidy(replace(kernel, equations=tuple([q for q in kernel.equations if q.kind not in WRITING or q.name not in gone])))


class _Made:
    """A form that was made of others, and where its arrays and its extents come from: their places among those of the others."""

    def __init__(self, form: Form, arrays: tuple[int, ...], extents: tuple[int, ...]) -> None:
        self.form, self.arrays, self.extents = form, arrays, extents

    def placed(self, names: tuple[str, ...], extents: Extents, label: Label, source: str) -> Placed:
        """`names`, `extents`: what stands there in the program."""
        return Placed(self.form, tuple([names[n] for n in self.arrays]), tuple([extents[n] for n in self.extents]), label, source)


class _Meeting:
    """Two forms, and which of the producer's arrays and extents are which of the consumer's."""

    def __init__(self, producer: Placed, consumer: Placed) -> None:
        self.producer_placed, self.consumer_placed = producer, consumer
        self.at = tuple(map(consumer.place.get, producer.names, itertools.repeat(-1)))
        self.extents = consumer.extents  # of both, the consumer's first
        own = producer.extents
        if own == self.extents:
            self._numbers = tuple(range(len(own)))
        else:
            known = {extent: n for n, extent in enumerate(self.extents)}
            self._numbers = tuple([known.setdefault(extent, len(known)) for extent in own])
            self.extents = tuple(known)
        self.key = producer.form, consumer.form, self.at, self._numbers

    @property
    def own(self) -> Kernel:
        """The producer's form, with numbers for its extents that go with the consumer's."""
        return self.producer_placed.form.renumbered(self._numbers)

    def common(self) -> dict[str, str]:
        """The arrays that both have: what the producer's form calls them -> what the consumer's does."""
        arrays = self.consumer_placed.form.arrays
        return {own: arrays[at] for own, at in zip(self.producer_placed.form.arrays, self.at, strict=True) if at >= 0}

    @lazy
    def arrays(self) -> tuple[str, ...]:
        """The producer's arrays beside the consumer's: those they share as the consumer's form calls them, all others apart."""
        taken = set(self.consumer_placed.form.arrays)
        names: list[str] = []
        for own, at in zip(self.producer_placed.form.arrays, self.at, strict=True):
            name = own if at < 0 else self.consumer_placed.form.arrays[at]
            while at < 0 and name in taken:
                name += "_"
            taken.add(name)
            names.append(name)
        return tuple(names)

    def producer(self) -> Kernel:
        """The producer's form over them."""
        return over(self.own, self.arrays)

    @property
    def both(self) -> tuple[str, ...]:
        """The arrays of both, the consumer's first."""
        return *self.consumer_placed.form.arrays, *self.arrays

    def placed(self, made: _Made, label: Label, source: str) -> Placed:
        """What came of the meeting, where it stands in the program."""
        return made.placed(self.consumer_placed.names + self.producer_placed.names, self.extents, label, source)
