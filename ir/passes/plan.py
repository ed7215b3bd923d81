"""Program -> program that can run: order, updates in place, outputs, barriers and lifetimes.

A state is updated in place when everything that reads its old value can come before the write; otherwise the new value
is copied into it at the end. Temps live in one arena; a lifetime is widened to the barriers around it, because between
two barriers threads do not know how far the others are.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Mapping
from functools import partial

from kcompile.common.struct import replace

from ..kernel import REDUCE, Kernel
from ..kernel_edit import copy_kernel
from ..program import COLUMNS, LEARNED, Buffer, Lifetime, Program, Step, root_of
from ..samples import Samples
from ..types import is_static
from .in_place import arranged, elementwise_on, overwritten
from .layouts import in_panels
from .row_tables import by_row

FEW_ELEMENTS = 1 << 14  # of an array that stays in the caches however it lies
NEAR = 1 << 20  # bytes of a second-level cache, where no target says otherwise


class Order:
    """Which kernel must come before which: reads after writes, and writes in place after other reads."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.kernels = [s.kernel for s in program.steps]
        self.before: list[set[int]] = [set() for _ in self.kernels]
        self.writers: dict[str, set[int]] = {}
        for n, kernel in enumerate(self.kernels):
            for array in kernel.writes:
                self.writers.setdefault(array, set()).add(n)
        self.readers: dict[str, set[int]] = {}
        for n, kernel in enumerate(self.kernels):
            for array in kernel.reads:
                root = program.root(array)
                self.readers.setdefault(root, set()).add(n)
                writers = self.writers.get(root, set())
                # one of several writers that reads the array too (it accumulates) comes after the earlier ones alone
                self.before[n] |= {w for w in writers if w < n} if n in writers else writers

    def reaches(self, start: int, goals: set[int]) -> bool:
        """Whether some goal must come before `start`."""
        stack, seen = [start], {start}
        while stack:
            n = stack.pop()
            for q in self.before[n]:
                if q in goals:
                    return True
                if q not in seen:
                    seen.add(q)
                    stack.append(q)
        return False

    def waits(self, before: Iterable[int], goal: int) -> bool:
        """Whether a kernel that must come after all of `before` must come after `goal`."""
        return any(n == goal or self.reaches(n, {goal}) for n in before)

    def add(self, kernel: Kernel, before: Iterable[int]) -> int:
        """Enter one more kernel, which must come after `before`; its number."""
        self.kernels.append(kernel)
        self.before.append(set(before))
        return len(self.kernels) - 1

    def phases(self, samples: Samples | None) -> list[list[int]]:
        """Kernels in the earliest phase in which all that they wait for is done, or is done in it sample by sample; inside a phase by
        number, those that go along with others first."""
        linked: set[int] = set()
        level: dict[int, int] = {}
        waiting = {n: len(b) for n, b in enumerate(self.before)}
        after: dict[int, list[int]] = {}
        for n, b in enumerate(self.before):
            for q in b:
                after.setdefault(q, []).append(n)
        start = self._start(samples) if samples else {}
        ready = [n for n, count in waiting.items() if not count]
        heapq.heapify(ready)
        count = 0
        while ready:
            n = heapq.heappop(ready)
            count += 1
            along = {q for q in self.before[n] if samples.linked(q, n)} if samples else set()
            level[n] = max((level[q] + (q not in along) for q in self.before[n]), default=start.get(n, 0))
            for user in after.get(n, ()):
                waiting[user] -= 1
                if not waiting[user]:
                    heapq.heappush(ready, user)
        if count != len(self.kernels):
            raise AssertionError("the order of updates in place has a cycle")
        if samples:
            for n in sorted(level, key=lambda n: -level[n]):
                level[n] = self._late(n, level, after.get(n, []), samples)
            linked = {m for n, b in enumerate(self.before) for q in b if level[q] == level[n] for m in (q, n)}
        borders = {n for n, kernel in enumerate(self.kernels) if not kernel.reads and len(kernel.writes) == 1
                   and len(self.writers.get(kernel.writes[0], ())) > 1}
        for n in borders:  # written when the rest of the array is
            level[n] = max(level[w] for w in self.writers[self.kernels[n].writes[0]])
        table: list[list[int]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
        for n in sorted(level, key=lambda n: (n not in linked and n not in borders, n)):
            table[level[n]].append(n)
        return [self._ends_moved_up(phase, samples) if samples else phase for phase in table]

    def _ends_moved_up(self, phase: list[int], samples: Samples) -> list[int]:
        """The kernels of a phase: one that makes nothing for another of them stands right behind what it waits for, if it goes along. What
        it reads is in the cache there, and may be over when the next samples are taken."""
        needed = {q for n in phase for q in self.before[n]}
        out: list[int] = []
        for n in phase:
            waits = [m for m in out if m in self.before[n]]
            if waits and n not in needed and all(samples.linked(m, n) for m in waits):
                at = out.index(waits[-1]) + 1
                out.insert(next((i for i in range(at, len(out)) if out[i] in needed or out[i] > n), len(out)), n)
            else:
                out.append(n)
        return out

    def _start(self, samples: Samples) -> dict[int, int]:
        """The phase of kernels that wait for nothing: 1 for those that go through samples where the first of these need something that is
        made of weights alone, so that all of them can still go along with each other; 0 elsewhere."""
        batched = {n for n, apart in enumerate(samples.apart) if apart}
        needy = any(self.before[n] and not self.before[n] & batched - {n} for n in batched)
        return {n: 1 for n in batched if not self.before[n]} if needy else {}

    def _late(self, n: int, level: Mapping[int, int], users: list[int], samples: Samples) -> int:
        """The phase of a kernel that may come with the first that needs it: it goes along with that one, not with what makes its operands,
        and these are still read then."""
        latest = min((level[m] - (not samples.linked(n, m)) for m in users), default=level[n])
        if latest <= level[n] or not any(level[m] == latest for m in users) or any(
                level[q] == level[n] and samples.linked(q, n) for q in self.before[n]):
            return level[n]
        large = {root for root in samples.reads[n] if not is_static(self.program.buffers[root].type.size)}
        alive = all(any(level[m] >= latest for m in self.readers.get(root, ()) if m != n) or self.program.buffers[root].kind == "param"
                    for root in large)
        return latest if alive else level[n]


class _Updates:
    """Where the new values of the states go: into the state's own storage at once, or by a copy at the end."""

    def __init__(self, program: Program, order: Order) -> None:
        self.program, self.order = program, order
        self.buffers = dict(program.buffers)
        self.in_place: dict[str, str] = {}  # new value -> state
        self.writer: dict[str, int] = {}  # state written in place -> the kernel that does it

    def run(self) -> dict[str, Buffer]:
        copied: list[tuple[str, str]] = []
        for state, value in self.program.updates.items():
            reason = self.alias(state, value)
            if reason:
                copied.append((state, value))
                self.buffers[state] = replace(self.buffers[state], why=f"copied at the end: {reason}")
        states = {state for state, _ in copied}
        for state, value in copied:
            self.copy(state, value, states)
        self.order_writes(states)
        return self.buffers

    def alias(self, state: str, value: str) -> str:
        """Let the new value share the state's storage; or why that cannot be."""
        program, order = self.program, self.order
        buffer = self.buffers[value]
        writers = order.writers.get(value, set())
        if not writers or buffer.kind != "temp":
            return "the new value is an input, a view or another state"
        if len(writers) > 1:
            return "several kernels write parts of the new value"
        if value in program.outputs.values() or value in self.in_place:
            return "the new value goes to more than one place"
        n = min(writers)
        kernel = order.kernels[n]
        through_views = any(program.root(a) == state for a in kernel.reads if a != state)
        if through_views or (state in kernel.reads and not elementwise_on(kernel, state, value)):
            return "the kernel that makes the new value reads other elements of the old one"
        others = order.readers.get(state, set()) - {n}
        if any(order.reaches(r, {n}) for r in others):
            return "the old value is read after the new one is made"
        pairs = {a: self.in_place[a] for a in kernel.writes if a in self.in_place}
        changed = arranged(kernel, {**pairs, value: state})
        if changed is None:
            return "the kernel that makes the new value needs the old one afterwards"
        order.kernels[n] = changed
        order.before[n] |= others
        self.buffers[value] = replace(buffer, of=state, why="written in place: every reader of the old value comes before")
        self.in_place[value] = state
        self.writer[state] = n
        return ""

    def copy(self, state: str, value: str, copied: set[str]) -> None:
        """Copy the new value into the state; by way of a temp where it is another state's old value that is gone by then."""
        order, type_ = self.order, self.buffers[state].type
        root = self.program.root(value)
        before = order.readers.get(state, set()) | order.writers.get(root, set())
        overwritten = root in copied or (root in self.writer and order.waits(before, self.writer[root]))
        if overwritten and root != state:
            kept = fresh_name(self.buffers, f"{value}/old")
            self.buffers[kept] = Buffer(kept, type_, "temp", why="kept while two states exchange values")
            first = order.add(copy_kernel("copy", value, kept, type_, f"{state}/update"), ())
            order.readers.setdefault(root, set()).add(first)
            order.add(copy_kernel("copy", kept, state, type_, f"{state}/update"), before | {first})
        else:
            n = order.add(copy_kernel("copy", value, state, type_, f"{state}/update"), before)
            order.readers.setdefault(root, set()).add(n)

    def order_writes(self, copied: set[str]) -> None:
        """Every write to a state comes after all that read its old value, copies among them."""
        for state, n in self.writer.items():
            self.order.before[n] |= self.order.readers.get(state, set()) - {n}
        for n, kernel in enumerate(self.order.kernels):
            for array in kernel.writes:
                if array in copied:
                    self.order.before[n] |= self.order.readers.get(array, set()) - {n}


def fresh_name(taken: Mapping[str, object], name: str) -> str:
    """`name`, lengthened until no buffer is called so: people's inputs may have any name."""
    while name in taken:
        name += "_"
    return name


def _place_outputs(program: Program, order: Order, buffers: dict[str, Buffer]) -> dict[str, str]:
    """Each output gets a buffer of kind `output` of its own; inputs, views and repeated values are copied into one."""
    outputs: dict[str, str] = {}
    for name, value in program.outputs.items():
        buffer = buffers[value]
        if buffer.kind == "temp" and not buffer.of and value not in outputs.values():
            buffers[value] = replace(buffer, kind="output")
            outputs[name] = value
            continue
        target = fresh_name(buffers, f"out/{name}")
        buffers[target] = Buffer(target, buffer.type, "output", why="a copy: the value itself lies elsewhere")
        root = program.root(value)  # as computed: a new value in place of a state is not the state's old value
        n = order.add(copy_kernel("copy", value, target, buffer.type, f"{name}/output"), order.writers.get(root, set()))
        if root not in order.writers:  # an input; a state is overwritten later
            for m, kernel in enumerate(order.kernels):
                if m != n and any(root_of(buffers, a) == root for a in kernel.writes):
                    order.before[m].add(n)
        outputs[name] = target
    return outputs


def _barriers(phases: list[list[int]], order: Order, buffers: Mapping[str, Buffer], samples: Samples | None) -> list[Step]:
    along: set[int] = set()  # kernels
    barriers: set[int] = set()
    written: dict[str, dict[int, str]] = {}  # memory -> the kernels that have written there since the last barrier, to which arrays
    read: dict[str, set[int]] = {}
    for phase in phases:
        needed = False  # a barrier, before the first of the phase that has to wait; where kernels go along, before the first of all
        for n in phase if samples else ():
            needed = needed or bool(_met(order.kernels[n], buffers, written, read))
        for n in phase:
            kernel = order.kernels[n]
            met = _met(kernel, buffers, written, read)
            if needed or (met and not (samples and all(samples.linked(m, n) for m in met))):
                written, read = {}, {}
                barriers.add(n)
            elif met:
                along |= {n, *met}
            needed = False
            for array in kernel.writes:
                written.setdefault(root_of(buffers, array), {})[n] = array
            for array in kernel.reads:
                read.setdefault(root_of(buffers, array), set()).add(n)
    placed = itertools.chain.from_iterable(phases)
    return [Step(replace(order.kernels[n], name=f"k{number}"), n in barriers, n in along) for number, n in enumerate(placed)]


def _met(kernel: Kernel, buffers: Mapping[str, Buffer], written: Mapping[str, Mapping[int, str]], read: Mapping[str, set[int]]) -> set[int]:
    """The kernels since the last barrier of which this one needs something, or the other way round. Parts of one array are disjoint."""
    met = {m for array in kernel.reads for m in written.get(root_of(buffers, array), ())}
    for array in kernel.writes:
        root = root_of(buffers, array)
        met |= {m for m, other in written.get(root, {}).items() if other != array}
        met |= read.get(root, set())
    return met


def _lifetimes(steps: list[Step], buffers: Mapping[str, Buffer]) -> dict[str, Lifetime]:
    phase_first: list[int] = []
    for n, step in enumerate(steps):
        phase_first.append(n if step.barrier or n == 0 else phase_first[-1])
    phase_last = [0] * len(steps)
    last = len(steps) - 1
    for n in range(len(steps) - 1, -1, -1):
        phase_last[n] = last
        if phase_first[n] == n:
            last = n - 1
    found: dict[str, Lifetime] = {}
    for n, step in enumerate(steps):
        for array in (*step.kernel.reads, *step.kernel.writes):
            root = root_of(buffers, array)
            if buffers[root].kind != "temp":
                continue
            first = found[root].first if root in found else phase_first[n]
            found[root] = Lifetime(first, phase_last[n])
    return found


def _kept(steps: list[Step], buffers: dict[str, Buffer]) -> list[Step]:
    """Of a program that changes no weight, the steps that make an array of one weight alone; it is kept from call to call."""
    written = {root_of(buffers, a) for step in steps for a in step.kernel.writes}
    if any(buffers[root].role in LEARNED for root in written):
        return steps
    found = []
    for step in steps:
        arrays = list(step.kernel.arrays)
        if len(arrays) == 2 and step.kernel.reads == (arrays[0],) and step.kernel.writes == (arrays[1],):
            made, source = arrays[1], buffers[root_of(buffers, arrays[0])]
            size = buffers[made].type.size
            if source.kind == "state" and source.role in LEARNED and buffers[made].kind == "temp" and not buffers[made].of \
                    and is_static(size) and int(str(size)) >= FEW_ELEMENTS and sum(made in other.kernel.writes for other in steps) == 1:
                buffers[made] = replace(buffers[made], kind="kept", why=f"made of {source.name} when that has changed")
                step = replace(step, kept=True)
        found.append(step)
    return found


def _held_still(steps: list[Step], buffers: Mapping[str, Buffer]) -> list[Step]:
    """Tells sums which of their operands are weights that no step of the program changes, where it changes none at all: those of a
    prediction hold still from call to call, while the other weights of a training step may be about to. Not what is kept itself: it is
    made once for each change, for which panels would be copied as often as they are read."""
    written = {root_of(buffers, a) for step in steps for a in step.kernel.writes}
    if any(buffers[root].role in LEARNED for root in written):
        return steps

    def still(kernel: Kernel) -> tuple[str, ...]:
        large = (a for a in kernel.arrays if kernel.arrays[a].rank > 1 and is_static(kernel.arrays[a].size)
                 and int(str(kernel.arrays[a].size)) >= FEW_ELEMENTS)
        return tuple(a for a in large if a in kernel.reads and buffers[root_of(buffers, a)].kind == "state"
                     and buffers[root_of(buffers, a)].role in LEARNED and root_of(buffers, a) not in written)
    return [replace(s, kernel=replace(s.kernel, still=still(s.kernel))) if REDUCE in s.kernel.sorts and not s.kept else s for s in steps]


def plan(program: Program, columns: int = COLUMNS, near: int = NEAR) -> Program:
    """Order the kernels, place updates and outputs, set barriers and lifetimes; matrices that are trained in panels of so many columns.
    `near`: bytes of a sample that stay in a core's second-level cache."""
    order = Order(program)
    buffers = _Updates(program, order).run()
    outputs = _place_outputs(program, order, buffers)
    aliases = {a: b.of for a, b in buffers.items() if b.of}  # of what is written: views are not
    # (a kernel that does not read the old value has nothing that shares storage with the new one)
    order.kernels = [replace(k, in_place={a: aliases[a] for a in k.writes if aliases.get(a) in k.arrays}) for k in order.kernels]
    learns = any(buffers[root_of(buffers, a)].role in LEARNED for kernel in order.kernels for a in kernel.writes)
    samples = Samples(order.kernels, partial(root_of, buffers))
    if not learns:  # what is alive in a run is alive together: only where that is less
        sizes = {a: b.type.size * b.type.dtype.size for a, b in buffers.items()}
        samples = samples.through(sizes, {a for a, b in buffers.items() if b.kind == "temp"}, near)
    steps = _held_still(_kept(_barriers(order.phases(samples), order, buffers, samples), buffers), buffers)
    if learns:
        steps, buffers = overwritten(steps, buffers)
    lifetimes = _lifetimes(steps, buffers)
    planned = replace(program, steps=tuple(steps), buffers=buffers, outputs=outputs, updates={}, lifetimes=lifetimes)
    return by_row(in_panels(planned, columns))
