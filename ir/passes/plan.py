"""Program -> program that can run: order, updates in place, outputs, barriers and lifetimes.

A state is updated in place when everything that reads its old value can come before the write; otherwise the new value
is copied into it at the end. Temps live in one arena; a lifetime is widened to the barriers around it, because between
two barriers threads do not know how far the others are.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..fusion import plain_axes
from ..kernel import ACCUMULATE, LET, REDUCE, STORE, Eq, Kernel, expr_refs
from ..kernel_edit import copy_kernel
from ..program import Buffer, Lifetime, Program, Step
from ..scalar import Load, walk
from ..types import evaluate_dim


class _Order:
    """Which kernel must come before which: reads after writes, and writes in place after other reads."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.kernels = [s.kernel for s in program.steps]
        self.before: list[set[int]] = [set() for _ in self.kernels]
        self.writers: dict[str, set[int]] = {}
        for n, kernel in enumerate(self.kernels):
            for array in kernel.writes:
                self.before[n] |= self.writers.get(array, set())  # parts of one array are written in their order
                self.writers.setdefault(array, set()).add(n)
        self.readers: dict[str, set[int]] = {}
        for n, kernel in enumerate(self.kernels):
            for array in kernel.reads:
                root = program.root(array)
                self.readers.setdefault(root, set()).add(n)
                self.before[n] |= self.writers.get(root, set()) - {n}

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

    def add(self, kernel: Kernel, before: Iterable[int]) -> int:
        self.kernels.append(kernel)
        self.before.append(set(before))
        return len(self.kernels) - 1

    def phases(self) -> list[list[int]]:
        """Kernels in the earliest phase in which all that they wait for is done; inside a phase by number."""
        level = {}
        waiting = {n: len(b) for n, b in enumerate(self.before)}
        after: dict[int, list[int]] = {}
        for n, b in enumerate(self.before):
            for q in b:
                after.setdefault(q, []).append(n)
        ready = [n for n, count in waiting.items() if not count]
        heapq.heapify(ready)
        count = 0
        while ready:
            n = heapq.heappop(ready)
            count += 1
            level[n] = max((level[q] + 1 for q in self.before[n]), default=0)
            for user in after.get(n, ()):
                waiting[user] -= 1
                if not waiting[user]:
                    heapq.heappush(ready, user)
        if count != len(self.kernels):
            raise AssertionError("the order of updates in place has a cycle")
        table: list[list[int]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
        for n in sorted(level):
            table[level[n]].append(n)
        return table


def _elementwise_on(kernel: Kernel, state: str, target: str) -> bool:
    """Whether the kernel reads `state` only at the element that it stores to `target`, outside every reduction."""
    stores = [q for q in kernel.equations if q.kind in (STORE, ACCUMULATE) and q.name == target]
    if len(stores) != 1 or stores[0].kind != STORE or plain_axes(stores[0].index) is None:
        return False
    for q in kernel.equations:
        loads = [e for e in walk(q.expr) if isinstance(e, Load) and e.array == state]
        if loads and (q.kind == REDUCE or any(e.index != stores[0].index or e.guards for e in loads)):
            return False
        if loads and _feeds_reduction(kernel, q):
            return False
    return True


def _feeds_reduction(kernel: Kernel, q: Eq) -> bool:
    tainted = {q.name} if q.kind == LET else set()
    for other in kernel.equations:
        if expr_refs(other.expr) & tainted:
            if other.kind == REDUCE:
                return True
            if other.kind == LET:
                tainted.add(other.name)
    return False


def _place_updates(program: Program, order: _Order) -> dict[str, Buffer]:
    """Alias each state's new value to the state, or add a copy; returns the changed buffers."""
    buffers = dict(program.buffers)
    outputs = set(program.outputs.values())
    taken: set[str] = set()
    copied: list[tuple[str, str]] = []
    for state, value in program.updates.items():
        buffer = buffers[value]
        writers = order.writers.get(value, set())
        n = min(writers, default=-1)
        reason = ""
        if not writers or buffer.kind != "temp":
            reason = "the new value is an input, a view or another state"
        elif len(writers) > 1:
            reason = "several kernels write parts of the new value"
        elif value in outputs or value in taken:
            reason = "the new value goes to more than one place"
        else:
            others = order.readers.get(state, set()) - {n}
            if state in order.kernels[n].reads and not _elementwise_on(order.kernels[n], state, value):
                reason = "the kernel that makes the new value reads other elements of the old one"
            elif any(order.reaches(r, {n}) for r in others):
                reason = "the old value is read after the new one is made"
            else:
                order.before[n] |= others
                buffers[value] = replace(buffer, of=state, why="written in place: every reader of the old value comes before")
                taken.add(value)
        if reason:
            copied.append((state, value))
            buffers[state] = replace(buffers[state], why=f"copied at the end: {reason}")
    written = {state for state, _ in copied}
    for state, value in copied:
        copy = copy_kernel("copy", value, state, buffers[state].type, f"{state}/update")
        root = program.root(value)
        before = order.readers.get(state, set()) | order.writers.get(root, set())
        if root in written and root != state:  # a swap of two states: both old values are read before either is written
            stash = f"{value}/old"
            buffers[stash] = Buffer(stash, buffers[state].type, "temp", why="kept while two states exchange values")
            first = order.add(copy_kernel("copy", value, stash, buffers[state].type, f"{state}/update"), before)
            order.readers.setdefault(root, set()).add(first)
            order.add(copy_kernel("copy", stash, state, buffers[state].type, f"{state}/update"), {first})
        else:
            order.readers.setdefault(root, set()).add(order.add(copy, before))
    _order_copies_after_readers(program, order, {s for s, _ in copied}, buffers)
    return buffers


def _order_copies_after_readers(program: Program, order: _Order, states: set[str], buffers: Mapping[str, Buffer]) -> None:
    for n, kernel in enumerate(order.kernels):
        for array in kernel.writes:
            if array in states:
                order.before[n] |= order.readers.get(array, set()) - {n}


def _place_outputs(program: Program, order: _Order, buffers: dict[str, Buffer]) -> dict[str, str]:
    """Each output gets a buffer of kind `output` of its own; inputs, views and repeated values are copied into one."""
    outputs: dict[str, str] = {}
    for name, value in program.outputs.items():
        buffer = buffers[value]
        if buffer.kind == "temp" and not buffer.of and value not in outputs.values():
            buffers[value] = replace(buffer, kind="output")
            outputs[name] = value
            continue
        target = f"out/{name}"
        buffers[target] = Buffer(target, buffer.type, "output", why="a copy: the value itself lies elsewhere")
        root = _root(buffers, value)
        before = order.writers.get(root, set()) | order.writers.get(value, set())
        n = order.add(copy_kernel("copy", value, target, buffer.type, f"{name}/output"), before)
        for m, kernel in enumerate(order.kernels):
            if m != n and any(_root(buffers, a) == root and a != value and a != root for a in kernel.writes):
                order.before[m].add(n)  # the state is overwritten later
            if m != n and root in kernel.writes and root not in order.writers:
                order.before[m].add(n)
        outputs[name] = target
    return outputs


def _root(buffers: Mapping[str, Buffer], name: str) -> str:
    while buffers[name].of:
        name = buffers[name].of
    return name


def _barriers(phases: list[list[int]], order: _Order, buffers: Mapping[str, Buffer]) -> list[Step]:
    steps: list[Step] = []
    written: set[str] = set()
    read: set[str] = set()
    for phase in phases:
        for n in phase:
            kernel = order.kernels[n]
            reads = {_root(buffers, a) for a in kernel.reads}
            writes = {_root(buffers, a) for a in kernel.writes}
            barrier = bool(reads & written or writes & (read | written))
            if barrier:
                written, read = set(), set()
            written |= writes
            read |= reads
            steps.append(Step(replace(kernel, name=f"k{len(steps)}"), barrier))
    return steps


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
            root = _root(buffers, array)
            if buffers[root].kind != "temp":
                continue
            was = found.get(root)
            found[root] = Lifetime(was.first if was else phase_first[n], max(phase_last[n], was.last if was else 0))
    return found


def plan(program: Program) -> Program:
    """Order the kernels, place updates and outputs, set barriers and lifetimes."""
    order = _Order(program)
    buffers = _place_updates(program, order)
    outputs = _place_outputs(program, order, buffers)
    aliases = {a: b.of for a, b in buffers.items() if b.of and b.kind == "temp"}
    order.kernels = [replace(k, in_place={a: aliases[a] for a in k.writes if a in aliases}) for k in order.kernels]
    steps = _barriers(order.phases(), order, buffers)
    lifetimes = _lifetimes(steps, buffers)
    return replace(program, steps=tuple(steps), buffers=buffers, outputs=outputs, updates={}, lifetimes=lifetimes)


ALIGNMENT = 64


def layout_arena(program: Program, symbols: Mapping[str, int]) -> tuple[dict[str, int], int]:
    """Byte offsets of the temps, first-fit in order of size, and the arena's size for these symbol values."""
    sizes: dict[str, int] = {}
    for name in program.lifetimes:
        type_ = program.buffers[name].type
        count = 1
        for dim in type_.shape:
            count *= evaluate_dim(dim, symbols)
        sizes[name] = -(-count * type_.dtype.size // ALIGNMENT) * ALIGNMENT
    placed: list[tuple[int, int, Lifetime]] = []
    offsets: dict[str, int] = {}
    total = 0
    for name in sorted(sizes, key=lambda b: (-sizes[b], program.lifetimes[b].first, b)):
        life = program.lifetimes[name]
        offset = 0
        for start, end, other in sorted((p for p in placed if p[2].first <= life.last and life.first <= p[2].last), key=lambda p: p[0]):
            if offset + sizes[name] <= start:
                break
            offset = max(offset, end)
        offsets[name] = offset
        placed.append((offset, offset + sizes[name], life))
        total = max(total, offset + sizes[name])
    return offsets, total


__all__ = ["ALIGNMENT", "layout_arena", "plan"]
