"""Program -> program with fewer kernels: the fusion table applied to every edge, in order, without making a cycle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable

from kcompile.common.struct import replace

from ..forms import Forms, Label, Placed, written
from ..fusion_table import APART, COMPANY, EARLY, INLINE, MAPS, PASSED_ON, REDUCTIONS, SOLE, Row, may_join
from ..kernel import Kernel
from ..program import Program, Step, Verdict, Verdicts

_NOBODY: frozenset[int] = frozenset()
_NOTHING: frozenset[str] = frozenset()
AFTER = 2.0 ** -16  # of a rank: so much after a kernel, what has to come later is before most others
_LIGHT = frozenset(MAPS + REDUCTIONS)
SUMS = frozenset(("contract", "window"))


class _Fuser:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.roots = {name: program.root(name) for name in program.buffers}
        self.forms = Forms()
        self.kernels: dict[int, Placed] = dict(enumerate(program.placed))
        self.sources: dict[int, set[str]] = {}  # what each kernel reads, and the memory it lies in
        self.ranks: dict[int, float] = {}  # larger than those of all predecessors
        self.heavy: Counter[str] = Counter()  # how many read an array that are neither maps nor reductions
        self.users: dict[str, set[int]] = {}  # the kernels that have an array among their sources
        self.before: dict[int, set[int]] = {}  # the predecessors of a kernel, as far as they have been asked for
        self.writers: dict[str, set[int]] = {}
        self.readers: dict[str, set[int]] = {}
        for n, kernel in self.kernels.items():
            self.ranks[n] = n
            self.enter(n, kernel)
        self.kept = {*program.outputs.values(), *program.updates.values()}
        self.viewed = {b.of for b in program.buffers.values() if b.of}
        self.kept |= self.viewed  # read through a view: the memory must exist
        self.fused: list[tuple[Label, Label, str, Row]] = []
        self.companies: dict[str, frozenset[str]] = {}

    def enter(self, n: int, kernel: Placed) -> None:
        self.kernels[n] = kernel
        self.sources[n] = {*kernel.reads, *[self.roots[a] for a in kernel.reads]}
        for array in kernel.writes:
            self.writers.setdefault(array, set()).add(n)
        for array in kernel.reads:
            self.readers.setdefault(array, set()).add(n)
        if kernel.form.kind not in _LIGHT:
            self.heavy.update(kernel.reads)
        for array in self.sources[n]:
            self.users.setdefault(array, set()).add(n)
        self.forget(n)

    def leave(self, n: int) -> Placed:
        self.forget(n)
        kernel = self.kernels.pop(n)
        for array in kernel.writes:
            self.writers[array].discard(n)
        for array in kernel.reads:
            self.readers[array].discard(n)
        if kernel.form.kind not in _LIGHT:
            self.heavy.subtract(kernel.reads)
        for array in self.sources[n]:
            self.users[array].discard(n)
        return kernel

    def exchange(self, n: int, kernel: Placed) -> None:
        """Another kernel takes the place of one, of which it has most arrays: the others come or go."""
        old, sources = self.kernels[n], self.sources[n]
        self.kernels[n] = kernel
        if kernel.writes != old.writes:
            gone, new = set(old.writes).difference(kernel.writes), set(kernel.writes).difference(old.writes)
            for array in gone:
                self.writers[array].discard(n)
            for array in new:
                self.writers.setdefault(array, set()).add(n)
            for array in gone | new:
                for user in self.users.get(array, _NOBODY):
                    self.before.pop(user, None)
        if kernel.reads != old.reads:
            before, now = set(old.reads), set(kernel.reads)
            for array in before - now:
                self.readers[array].discard(n)
            for array in now - before:
                self.readers.setdefault(array, set()).add(n)
            self.sources[n] = found = {*now, *[self.roots[a] for a in now]}
            for array in sources - found:
                self.users[array].discard(n)
            for array in found - sources:
                self.users.setdefault(array, set()).add(n)
            self.before.pop(n, None)
        if old.form.kind not in _LIGHT:
            self.heavy.subtract(old.reads)
        if kernel.form.kind not in _LIGHT:
            self.heavy.update(kernel.reads)

    def forget(self, n: int) -> None:
        """What is known about the order around a kernel that comes or goes."""
        self.before.pop(n, None)
        for array in self.kernels[n].writes:
            for user in self.users.get(array, _NOBODY):
                self.before.pop(user, None)

    def writer(self, array: str) -> int | None:
        """The kernel that writes all of `array`; None for an input or an array that several kernels write parts of."""
        writers = self.writers.get(array, _NOBODY)
        return next(iter(writers)) if len(writers) == 1 else None

    def predecessors(self, n: int) -> set[int]:
        found = self.before.get(n)
        if found is None:
            found = set().union(*[self.writers.get(array, _NOBODY) for array in self.sources[n]])
            found.discard(n)  # parts of one array are disjoint: no order among them
            self.before[n] = found
        return found

    def makes_cycle(self, p: int, c: int) -> bool:
        """Whether a path leads from p to c through a third kernel, or through a view: that memory must be complete first."""
        writes = self.kernels[p].writes
        if all(self.readers.get(a, _NOBODY) <= {c} and a not in self.viewed for a in writes):
            return False  # nothing else reads what p writes
        if any(self.roots[a] in writes for a in self.kernels[c].reads if a not in writes):
            return True
        ranks, known = self.ranks, self.before
        first = ranks[p]
        stack = [n for n in self.predecessors(c) if ranks[n] > first]  # no path from p leads through others
        seen = set(stack)
        while stack:
            n = stack.pop()
            more = known.get(n)
            if more is None:
                more = self.predecessors(n)
            if p in more:
                return True
            for m in more:
                if m not in seen and ranks[m] > first:
                    seen.add(m)
                    stack.append(m)
        return False

    def rank(self, n: int) -> None:
        """A kernel has new successors, whose ranks must be larger than its own: it comes as early as it may, and where that is not
        enough, they later."""
        ranks = self.ranks
        if all(ranks[s] > ranks[n] for s in self.successors(n)):
            return
        ranks[n] = max((ranks[m] for m in self.predecessors(n)), default=-1.0) + AFTER
        waiting = [n]
        while waiting:
            one = waiting.pop()
            least = ranks[one]
            for user in self.successors(one):
                if ranks[user] <= least:
                    ranks[user] = least + AFTER
                    waiting.append(user)

    def successors(self, n: int) -> set[int]:
        found = set().union(*[self.users.get(array, _NOBODY) for array in self.kernels[n].writes])
        found.discard(n)
        return found

    def run(self, announce: Callable[[Kernel], None] | None) -> Program:
        self.drop_unread()
        self.sweep(first_inlining=True)  # literals and cheap maps go to their readers before those join heavier kernels
        if announce is not None:
            for placed in self.settled():
                announce(placed.kernel("announced"))
        while self.sweep(first_inlining=False):
            pass
        steps = tuple(Step(k.kernel(f"k{n}")) for n, k in enumerate(self.ordered()))
        used = {a for s in steps for a in s.kernel.arrays}
        keep = used | self.kept | {b for b, v in self.program.buffers.items() if v.kind in ("param", "state")}
        buffers = {}
        for name, buffer in self.program.buffers.items():
            if name in keep:
                buffers[name] = buffer
        return replace(self.program, steps=steps, buffers=buffers, verdicts=Verdicts(self.verdicts))

    def settled(self) -> list[Placed]:
        """One of each heavy kernel, and of each map that makes something for such kernels alone, that joins no other as things are now.
        Most of them stay what they are."""
        heavy: set[int] = set()
        for n in sorted(self.kernels, reverse=True):
            kernel = self.kernels[n]
            readers = set().union(*[self.readers.get(array, _NOBODY) for array in kernel.writes])
            if kernel.form.kind in SUMS or (kernel.form.kind in MAPS and readers and readers <= heavy):
                heavy.add(n)
        found: dict[Hashable, Placed] = {}
        for n in sorted(heavy):
            key = self.kernels[n].form, self.kernels[n].extents
            if key not in found and not self.joins(n):
                found[key] = self.kernels[n]
        return list(found.values())

    def joins(self, n: int) -> bool:
        """Whether a kernel would become one with another, if it were asked now."""
        kernel = self.kernels[n]
        into = [(self.writer(array), n, array) for array in kernel.reads]
        out = [(self.writer(array), reader, array) for array in kernel.writes for reader in self.readers.get(array, _NOBODY)]
        return any(p is not None and p != c and self.fuses(p, c, array) for p, c, array in into + out)

    def fuses(self, p: int, c: int, array: str) -> bool:
        if not may_join(self.kernels[p].form.kind, self.kernels[c].form.kind, False):
            return False
        row = self.decision(p, c, array)
        return row.action == INLINE or (row.action != APART and not self.makes_cycle(p, c))

    def sweep(self, first_inlining: bool) -> bool:
        """One pass over all kernels in order; whether anything was fused."""
        changed = False
        for c in sorted(self.kernels):
            while c in self.kernels and self.fuse_one(c, first_inlining):
                changed = True
        return changed

    def fuse_one(self, c: int, only_inline: bool) -> bool:
        consumer = self.kernels[c]
        kind = consumer.form.kind
        for array in consumer.reads:
            writers = self.writers.get(array, _NOBODY)
            if len(writers) != 1 or c in writers:
                continue
            p, = writers
            producer = self.kernels[p]
            if not may_join(producer.form.kind, kind, only_inline):
                continue
            row = self.decision(p, c, array)
            done = row.action == INLINE or row.name in EARLY if only_inline else row.action != APART
            if done and row.action != INLINE and (self.makes_cycle(p, c) or self.passes_on(c)):
                done = False
            if done:
                if row.name == PASSED_ON:
                    self.companies[array] = self.company(array)
                self.fused.append((producer.label, consumer.label, array, row))
                self.apply(row, p, c, array)
                return True
        return False

    def decision(self, p: int, c: int, array: str, read: str = "") -> Row:
        """The row of the table for an edge. `read`: the view of the array that the consumer reads."""
        def around(question: str) -> bool | frozenset[str]:
            if question == SOLE:
                return self.is_sole(read or array, c)
            return self.company(array) if question == COMPANY else array not in self.kept and not self.heavy.get(array)
        return self.forms.decide(self.kernels[p], self.kernels[c], array, around)

    def company(self, array: str) -> frozenset[str]:
        """What else is read by those who read an array. Where that is one map, which has one result, by those who read that one.

        Once some of them compute the array themselves, as it was then: one after the other, they take over what makes the array."""
        if array in self.companies:
            return self.companies[array]
        readers = self.readers.get(array, _NOBODY)
        while len(readers) == 1:
            only = self.kernels[next(iter(readers))]
            following = self.readers.get(only.writes[0], _NOBODY)
            if only.form.kind != "map" or len(only.writes) != 1 or not following:
                break
            readers = following
        return _NOTHING.union(*[self.kernels[n].reads for n in readers])

    def passes_on(self, n: int) -> bool:
        """Whether all who read what a map makes will compute it themselves: then it joins nothing else."""
        kernel = self.kernels[n]
        readers = self.readers.get(kernel.writes[0], _NOBODY)
        return kernel.form.kind == "map" and len(kernel.writes) == 1 and bool(readers) and all(
            self.decision(n, reader, kernel.writes[0]).name == PASSED_ON for reader in readers)

    def verdicts(self) -> list[Verdict]:
        """What was fused, in order, and what was not."""
        fused = [Verdict(written(p), written(c), array, True, row.name, row.reason) for p, c, array, row in self.fused]
        return [*fused, *self.left_apart()]

    def left_apart(self) -> list[Verdict]:
        """Why the edges that remain were not fused."""
        found = []
        for c, consumer in sorted(self.kernels.items()):
            for array in consumer.reads:
                root = self.roots[array]
                writers = self.writers.get(root, set()) - {c}
                if not writers or root in consumer.writes:
                    continue
                p = max(writers)  # of several, the one that completes the array
                producer = self.kernels[p]
                row = self.decision(p, c, root, array)
                reason = row.reason if row.action == APART else \
                    "another kernel lies between them" if len(writers) == 1 else "several kernels write parts of it"
                found.append(Verdict(written(producer.label), written(consumer.label), array, False, row.name, reason))
        return found

    def is_sole(self, array: str, c: int) -> bool:
        return self.readers[array] == {c} and array not in self.kept

    def apply(self, row: Row, p: int, c: int, array: str) -> None:
        producer, consumer = self.kernels[p], self.kernels[c]
        if row.action == INLINE:
            self.exchange(c, self.forms.inline(producer, consumer, array))
            if not self.readers[array] and array not in self.kept:
                self.drop_store(p, array)
            return
        self.leave(p)
        read = {*producer.reads, *consumer.reads}.difference(producer.writes)  # what is left to read
        dead = {a for a in producer.writes + consumer.writes
                if a not in self.kept and a not in read and self.readers.get(a, _NOBODY) <= {c}}
        self.exchange(c, self.forms.merge(producer, consumer, row, dead))
        self.rank(c)
        self.abandon({*producer.reads, *consumer.reads})

    def drop_unread(self) -> None:
        """Take away what is computed for nothing: an op may need nothing of an operand (a cumulative sum without its own term, of one)."""
        for n in sorted(self.kernels, reverse=True):
            if not any(self.readers.get(a) or a in self.kept for a in self.kernels[n].writes):
                self.leave(n)

    def drop_store(self, p: int, array: str) -> None:
        """Nothing reads `array` any more: take its store out of its kernel, and the kernel away when it was the last."""
        kernel = self.kernels[p]
        slim = self.forms.without(kernel, (array,))
        if slim.writes:
            self.exchange(p, slim)
        else:
            self.leave(p)
        self.abandon(kernel.reads)

    def abandon(self, arrays: Iterable[str]) -> None:
        """A kernel does not read these any more: whatever nobody reads now need not be stored."""
        for read in arrays:
            writer = self.writer(read)
            if writer is not None and not self.readers[read] and read not in self.kept and self.kernels[writer].stores(read):
                self.drop_store(writer, read)

    def ordered(self) -> list[Placed]:
        """Topological order, earliest kernel first."""
        order: list[Placed] = []
        done: set[int] = set()
        visiting: set[int] = set()

        def visit(n: int) -> None:
            stack = [(n, iter(sorted(self.predecessors(n))))]
            visiting.add(n)
            while stack:
                node, rest = stack[-1]
                for q in rest:
                    if q not in done and q not in visiting:
                        visiting.add(q)
                        stack.append((q, iter(sorted(self.predecessors(q)))))
                        break
                else:
                    stack.pop()
                    done.add(node)
                    order.append(self.kernels[node])
        for n in sorted(self.kernels):
            if n not in done:
                visit(n)
        return order


def fuse(program: Program, announce: Callable[[Kernel], None] | None = None) -> Program:
    """Merge and inline kernels where fusion_table says that it pays; every verdict is kept with its reason. `announce` is told early on of
    kernels that will most likely be left as they are."""
    return _Fuser(program).run(announce)
