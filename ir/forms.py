"""Kernels apart from the arrays they stand over. A model repeats itself (blocks of layers, an optimizer's update of each weight), so what
fusion finds out about two kernels holds wherever the same two meet again over other arrays.

A `Form` is a kernel over the arrays of the first place where it was seen; a `Placed` is a form and the names that its arrays have here.
`Forms` remembers what came of each meeting: of which forms, which of their arrays are the same, and what was asked.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable

from .fusion import axis_mapping, inline, join_labels, merge, side_by_side, store_of, tidy, value_of
from .fusion_table import SIDE_BY_SIDE, Edge, Row, decide, kind
from .kernel import Kernel
from .kernel_edit import WRITING, rename_arrays
from .lazy import lazy
from .replaced import replaced
from .scalar import Const


_NOTHING: frozenset[str] = frozenset()


class Form:
    """A kernel whose name, label, source and arrays' names mean nothing: where it stands, arrays are known by their number."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.arrays = tuple(kernel.arrays)
        self.reads = tuple([self.arrays.index(a) for a in kernel.reads])
        self.writes = tuple([self.arrays.index(a) for a in kernel.writes])
        self.kind = kind(kernel)


class Placed:
    """A form over the arrays `names` of a program, and where it comes from."""

    def __init__(self, form: Form, names: tuple[str, ...], label: str, source: str) -> None:
        self.form, self.names, self.label, self.source = form, names, label, source
        self.reads = tuple([names[n] for n in form.reads])
        self.writes = tuple([names[n] for n in form.writes])

    @lazy
    def place(self) -> dict[str, int]:
        return {name: n for n, name in enumerate(self.names)}

    def kernel(self, name: str) -> Kernel:
        """The kernel itself, which remembers its form."""
        made = replaced(over(self.form.kernel, self.names), name=name, label=self.label, source=self.source)
        made.__dict__["placed"] = self
        return made

    def stores(self, array: str) -> bool:
        """Whether one plain store writes the array."""
        return store_of(self.form.kernel, self.form.arrays[self.place[array]]) is not None


def place(kernel: Kernel) -> Placed:
    """A kernel as a form of its own."""
    return Placed(Form(kernel), tuple(kernel.arrays), kernel.label, kernel.source)


def named(kernel: Kernel, name: str) -> Kernel:
    """The kernel under another name, with the form that it has."""
    if kernel.name == name:
        return kernel
    made = replaced(kernel, name=name)
    if "placed" in kernel.__dict__:
        made.__dict__["placed"] = kernel.placed
    return made


def over(kernel: Kernel, names: tuple[str, ...]) -> Kernel:
    """The kernel over other arrays, given in the order of its own."""
    own = tuple(kernel.arrays)
    return kernel if own == names else rename_arrays(kernel, dict(zip(own, names, strict=True)))


class Forms:
    """What fusion asks of two kernels, each question once."""

    def __init__(self) -> None:
        self._rows: dict[Hashable, Row] = {}
        self._inlined: dict[Hashable, tuple[Form, tuple[int, ...], bool]] = {}
        self._merged: dict[Hashable, tuple[Form, tuple[int, ...]]] = {}
        self._slim: dict[Hashable, tuple[Form, tuple[int, ...]]] = {}

    def decide(self, producer: Placed, consumer: Placed, array: str, sole: bool, light: bool, company: Collection[str]) -> Row:
        """The row of the fusion table for an array that one writes and the other reads, itself or through a view. `company`: see Edge."""
        meeting, at = _Meeting(producer, consumer), producer.place[array]
        beside = frozenset([own for own, name in zip(producer.form.arrays, producer.names, strict=True) if name in company]) \
            if company else _NOTHING
        key = *meeting.key, at, sole, light, beside
        row = self._rows.get(key)
        if row is None:
            form = producer.form
            edge = Edge(form.kernel, consumer.form.kernel, form.arrays[at], meeting.common(), sole, light, beside)
            row = self._rows[key] = decide(edge, form.kind, consumer.form.kind)
        return row

    def inline(self, producer: Placed, consumer: Placed, array: str) -> Placed:
        """See fusion.inline. A literal is of no interest to the reader of a label."""
        meeting, at = _Meeting(producer, consumer), producer.place[array]
        key = *meeting.key, at
        found = self._inlined.get(key)
        if found is None:
            own, shared = meeting.producer(), meeting.arrays[at]
            found = self._inlined[key] = *meeting.made(inline(own, consumer.form.kernel, shared)), isinstance(value_of(own, shared), Const)
        form, kept, literal = found
        if literal:
            return Placed(form, meeting.pick(kept), consumer.label, consumer.source)
        return Placed(form, meeting.pick(kept), join_labels(producer.label, consumer.label), producer.source or consumer.source)

    def merge(self, producer: Placed, consumer: Placed, row: Row) -> Placed:
        """See fusion.merge. The row of the table says how they fit."""
        meeting = _Meeting(producer, consumer)
        key = *meeting.key, row.name == SIDE_BY_SIDE
        found = self._merged.get(key)
        if found is None:
            match = side_by_side if row.name == SIDE_BY_SIDE else axis_mapping
            mapping = match(producer.form.kernel, consumer.form.kernel, meeting.common())
            assert mapping is not None
            found = self._merged[key] = meeting.made(merge(meeting.producer(), consumer.form.kernel, mapping))
        form, kept = found
        return Placed(form, meeting.pick(kept), join_labels(producer.label, consumer.label), producer.source or consumer.source)

    def without(self, placed: Placed, dead: Collection[str]) -> Placed:
        """The kernel without its stores to these arrays, and without what only they needed. It may have no equation left."""
        form = placed.form
        gone = frozenset([form.arrays[n] for n in form.writes if placed.names[n] in dead])
        found = self._slim.get((form, gone))
        if found is None:
            left = tuple([q for q in form.kernel.equations if q.kind not in WRITING or q.name not in gone])
            slim = Form(tidy(replaced(form.kernel, equations=left)))
            found = self._slim[form, gone] = slim, tuple([form.arrays.index(a) for a in slim.arrays])
        slim, kept = found
        return Placed(slim, tuple([placed.names[n] for n in kept]), placed.label, placed.source)


class _Meeting:
    """Two forms, and which of the producer's arrays are which of the consumer's."""

    def __init__(self, producer: Placed, consumer: Placed) -> None:
        self._producer, self._consumer = producer, consumer
        place = consumer.place.get
        self.at = tuple([place(name, -1) for name in producer.names])
        self.key = producer.form, consumer.form, self.at

    def common(self) -> dict[str, str]:
        """The arrays that both have: what the producer's form calls them -> what the consumer's does."""
        arrays = self._consumer.form.arrays
        return {own: arrays[at] for own, at in zip(self._producer.form.arrays, self.at, strict=True) if at >= 0}

    @lazy
    def arrays(self) -> tuple[str, ...]:
        """The producer's arrays beside the consumer's: those they share as the consumer's form calls them, all others apart."""
        taken = set(self._consumer.form.arrays)
        names: list[str] = []
        for own, at in zip(self._producer.form.arrays, self.at, strict=True):
            name = own if at < 0 else self._consumer.form.arrays[at]
            while at < 0 and name in taken:
                name += "_"
            taken.add(name)
            names.append(name)
        return tuple(names)

    def producer(self) -> Kernel:
        """The producer's form over them."""
        return over(self._producer.form.kernel, self.arrays)

    def made(self, kernel: Kernel) -> tuple[Form, tuple[int, ...]]:
        """The form of what came of the meeting, and where `pick` finds its arrays."""
        number = {a: n for n, a in enumerate((*self._consumer.form.arrays, *self.arrays))}
        form = Form(kernel)
        return form, tuple([number[a] for a in form.arrays])

    def pick(self, numbers: tuple[int, ...]) -> tuple[str, ...]:
        """The names of arrays in the program."""
        names = self._consumer.names + self._producer.names
        return tuple([names[n] for n in numbers])
