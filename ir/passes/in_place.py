"""Which kernels may store over what they read, and temps that are: what a map makes of a temp that nobody reads afterwards takes its place.

    store g[n, y, x, c] = ... d[n, y, x, c] ... t[n, y, x, c] ...      the last one that reads d, which the kernels before it have written

Written elsewhere, the lines of `g` would first be fetched, to be overwritten, and those of `d`, which nobody needs any more, written
back from the caches to memory. A temp that one run of kernels alone uses sample by sample (see samples.py) is better left to lie in a
thread's own memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kcompile.common.struct import replace

from ..kernel import ACCUMULATE, INDEX, LET, REDUCE, STORE, Eq, Kernel
from ..program import Buffer, Step, root_of
from ..samples import Samples
from ..scalar import plain_axes
from ..types import is_static


def overwritten(steps: Sequence[Step], buffers: Mapping[str, Buffer]) -> tuple[list[Step], dict[str, Buffer]]:
    """The steps of a program in order, and its buffers, with such temps in place of others."""
    return _Overwritten(steps, buffers).run()


class _Overwritten:
    def __init__(self, steps: Sequence[Step], buffers: Mapping[str, Buffer]) -> None:
        self.steps, self.buffers = list(steps), dict(buffers)
        self.phase: list[int] = []  # of each step: they are told apart by barriers
        self.users: dict[str, set[int]] = {}  # of the memory of an array
        self.writers: dict[str, set[int]] = {}
        for n, step in enumerate(steps):
            self.phase.append(n if step.barrier or n == 0 else self.phase[-1])
            for array in step.kernel.arrays:
                self.users.setdefault(self.root(array), set()).add(n)
            for array in step.kernel.writes:
                self.writers.setdefault(self.root(array), set()).add(n)
        self.samples = Samples([step.kernel for step in steps], self.root)

    def root(self, name: str) -> str:
        return root_of(self.buffers, name)

    def run(self) -> tuple[list[Step], dict[str, Buffer]]:
        for n, step in enumerate(self.steps):
            kernel = step.kernel
            loops = {frozenset(q.free) for q in kernel.equations if q.kind == STORE}  # over which it goes: several times, it may read again
            if not kernel.in_place and len(loops) == 1 and not {REDUCE, ACCUMULATE, INDEX} & set(kernel.sorts):
                self.place(n, kernel)
        return self.steps, self.buffers

    def place(self, n: int, kernel: Kernel) -> None:
        """One of the results of a kernel in place of one of its operands, where that can be."""
        for value in kernel.writes:
            buffer = self.buffers[value]
            if buffer.kind != "temp" or buffer.of or is_static(buffer.type.size) or self.writers[value] != {n} or self.private(value):
                continue
            found = [a for a in kernel.reads if self.gives_way(n, kernel, a, value)]
            for old in sorted(found, key=lambda a: -max(self.writers[self.root(a)])):  # what was written last is near
                changed = arranged(kernel, {value: old})
                if changed is not None:
                    self.steps[n] = replace(self.steps[n], kernel=replace(changed, in_place={value: old}))
                    self.buffers[value] = replace(buffer, of=old, why="in place of an operand that nobody reads afterwards")
                    self.users[self.root(value)] |= self.users.pop(value)
                    self.writers[self.root(value)].add(n)
                    return

    def private(self, root: str) -> bool:
        """Whether the array is used between two barriers alone."""
        return len({self.phase[n] for n in self.users[root]}) == 1

    def gives_way(self, n: int, kernel: Kernel, old: str, value: str) -> bool:
        """Whether the step is the last one to use the old array's memory, and reads nothing of it but the element that it stores."""
        buffer, root = self.buffers[old], self.root(old)
        if buffer.kind != "temp" or buffer.type != self.buffers[value].type or not self.writers.get(root) or self.private(root):
            return False
        for m in self.users[root] - {n}:
            if m > n or (self.phase[m] == self.phase[n] and not (
                    self.steps[m].along and self.steps[n].along and root in self.samples.apart[m] & self.samples.apart[n])):
                return False
        return not any(self.root(a) == root for a in kernel.reads if a != old) and elementwise_on(kernel, old, value)


def elementwise_on(kernel: Kernel, state: str, target: str) -> bool:
    """Whether the kernel reads `state` only at the element that it stores to `target`, outside every reduction."""
    stores = [q for q in kernel.equations if q.kind in (STORE, ACCUMULATE) and q.name == target]
    if len(stores) != 1 or stores[0].kind != STORE or plain_axes(stores[0].index) is None:
        return False
    for q in kernel.equations:
        loads = [e for e in q.loads if e.array == state]
        if loads and (q.kind == REDUCE or any(e.index != stores[0].index or e.guards for e in loads)):
            return False
        if loads and _feeds_reduction(kernel, q):
            return False
    return True


def _feeds_reduction(kernel: Kernel, q: Eq) -> bool:
    tainted = {q.name} if q.kind == LET else set()
    for other in kernel.equations:
        if other.refs & tainted:
            if other.kind == REDUCE:
                return True
            if other.kind == LET:
                tainted.add(other.name)
    return False


def _read_before_written(kernel: Kernel, pairs: Mapping[str, str]) -> bool:
    """Whether nothing after the store to a target may see the state of the same storage (`pairs`: target -> state).

    A `let` that reads the state is safe after the store if the store needs it too: then it has been evaluated.
    """
    equations = kernel.equations
    used: list[frozenset[str]] = []
    for target, state in pairs.items():
        at = next((n for n, q in enumerate(equations) if q.kind == STORE and q.name == target), len(equations))
        if at + 1 >= len(equations) or state not in kernel.loads:
            continue  # nothing comes after it, or reads the state
        used = used or _needs(kernel)
        reading = {q.name for q in equations if q.kind == LET and any(e.array == state for e in q.loads)}
        late = reading - used[at]  # after the store: lets that it has not evaluated
        for q, names in zip(equations[at + 1:], used[at + 1:], strict=True):
            if names & late or any(e.array == state for e in q.loads):
                return False
            if q.kind == STORE and q.name == target:
                late = reading - names
    return True


def _needs(kernel: Kernel) -> list[frozenset[str]]:
    """The lets and reductions that each equation needs, through others too."""
    needs: dict[str, frozenset[str]] = {}
    used: list[frozenset[str]] = []
    for q in kernel.equations:
        used.append(q.refs.union(*(needs.get(r, frozenset()) for r in q.refs)))
        if q.kind in (LET, REDUCE):
            needs[q.name] = used[-1]
    return used


def arranged(kernel: Kernel, pairs: Mapping[str, str]) -> Kernel | None:
    """The kernel with its equations in an order that allows `pairs` (target -> state) to share storage; None if there is none.

    Stores are read by no equation, so the stores in place may all come last.
    """
    if _read_before_written(kernel, pairs):
        return kernel
    stores = [q for q in kernel.equations if q.kind == STORE and q.name in pairs]
    others = [q for q in kernel.equations if q not in stores]
    for order in (stores, stores[::-1]):
        moved = replace(kernel, equations=(*others, *order))
        if _read_before_written(moved, pairs):
            return moved
    return None
