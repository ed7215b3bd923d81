"""Statements of a nest as one LLVM function, in final SSA form.

A run-time loop carries one phi for each accumulator that it updates and does not declare; nothing else lives in memory
but arrays and row buffers. Unrolled loops are written out, a vector loop is one set of lanes.
"""

from __future__ import annotations

from collections.abc import Callable

from kcompile.common.struct import replace

from ...ir.scalar import Aff, Guard, Load
from ...ir.types import Dim, DimLike
from .. import scalar_code
from ..claimed import claimed_inside, each_pass
from ..nest import (
    FOR,
    UNROLL,
    VECTOR,
    Acc,
    Accum,
    Clip,
    Errand,
    Fold,
    Let,
    Loop,
    Nest,
    Prefetch,
    Stmt,
    Store,
    Transpose,
    all_stores,
    map_body,
    statements,
)
from ..target import Target
from .abreast import lanes_of
from .claims import asks_with, pieces, where_sums_wait
from .errands import ROOM, ask, claim, find_errands
from .indices import Index, Lanes, Operand, Sums
from .statements import Key, Statements
from .transpose import write_transposed
from .values import within


def emit(nest: Nest, target: Target, name: str) -> str:
    """LLVM text of `define void @name(ptr %args, ptr %dims, i64 %lo, i64 %hi)` with the declarations it needs.

    args: one pointer for each of nest.arguments, behind the words that runtime/layout.py tells of; dims: one i64 for each of
    nest.symbols; [lo, hi): the share of nest.trips to do. A nest without a parallel loop does everything when lo < hi.
    """
    return _Function(nest, target).text(name)


class _Function(Statements):
    def __init__(self, nest: Nest, target: Target) -> None:
        super().__init__(nest, target)
        self.passes = each_pass(nest)
        self.middles: dict[str, str] = {}  # of shared loops, what they are in the middle of the share
        self.lanes: dict[int, Lanes] = {}  # of vector loops: one for all iterations of what is unrolled around it

    # The function around the body

    def text(self, name: str) -> str:
        nest, w = self.nest, self.w
        for n, array in enumerate(nest.scratch):
            self.pointers[array] = where_sums_wait(self, f"%scratch{n}") if self.passes else f"%scratch{n}"
        for n, symbol in enumerate(nest.symbols):
            where = w.value(f"getelementptr i64, ptr %dims, i64 {n}")
            self.dims[symbol] = w.value(f"load i64, ptr {where}, align 8")
        for n, array in enumerate(nest.arguments):
            where = w.value(f"getelementptr ptr, ptr %args, i64 {n}")
            self.pointers[array] = w.value(f"load ptr, ptr {where}, align 8", "p")
        self.pointers |= {written: self.pointers[read] for written, read in nest.in_place.items()}
        if any(isinstance(s, Errand) for s in statements(nest.body)):
            self.errands = find_errands(self)
        self.body(nest.body)
        w.line("br label %done")
        head = [f"define void @{name}(ptr %args, ptr %dims, i64 %lo, i64 %hi) nounwind {{", "entry:"]
        for n, (dtype, size) in enumerate(nest.scratch.values()):
            room = size + self.target.vector_bytes // dtype.size  # dead lanes are read, not used
            head.append(f"  %scratch{n} = alloca [{room} x {scalar_code.memory_type(dtype, 1)}], align 64")
        if self.errands:
            head.append(ROOM)
        if self.needs_dump:
            head.append("  %dump = alloca [1024 x i8], align 64")
        head += ["  %any = icmp slt i64 %lo, %hi", "  br i1 %any, label %start, label %done", "start:"]
        tail = ["done:", "  ret void", "}"]
        return "\n".join([*w.declarations, *head, *self.scopes.stack[0].lines, *tail]) + "\n"

    def body(self, body: tuple[Stmt, ...]) -> None:
        waiting: list[Callable[[], None]] = []  # stores of one run of statements: after all its loads, which they would hold up
        for stmt in body:
            if not isinstance(stmt, (Let, Store)):
                _write_all(waiting)
            match stmt:
                case Loop():
                    self._loop(stmt)
                case Acc():
                    self.declare_accumulators(stmt)
                case Accum():
                    self.accumulate(stmt)
                case Fold():
                    self.fold(stmt)
                case Let():
                    self.let(stmt)
                case Store():
                    waiting.append(self.store(stmt))
                    if self.sums is not None:  # beside sums a value that waits takes a register from them
                        _write_all(waiting)
                case Prefetch():
                    self.prefetch(stmt)
                case Errand():
                    ask(self, stmt)
                case Transpose():
                    write_transposed(self, stmt)
                    self.written({stmt.array})
        _write_all(waiting)

    # Loops

    def _loop(self, loop: Loop) -> None:
        self.extents[loop.var] = loop.extent
        taken = self._taken_up(loop)
        if taken:
            self._where(*taken)
        elif loop.parallel:
            self._parallel(loop)
        elif loop.mode == UNROLL:
            for value in range(0, int(str(loop.extent)), loop.step):
                self._iteration(loop, value)
        elif loop.mode == VECTOR:
            before = self.vector
            lanes = self.lanes.get(id(loop))
            if lanes is None:
                lanes = self.lanes[id(loop)] = lanes_of(loop, before)
            self.vector = lanes
            self.body(loop.body)
            self.vector = before
        elif not loop.clip and not loop.where and isinstance(loop.extent, int) and loop.extent <= loop.step:
            if loop.extent > 0:
                self.indices[loop.var] = Index()
                self.body(loop.body)
        else:
            self._run_time(loop)

    def _taken_up(self, loop: Loop) -> tuple[Guard, tuple[Stmt, ...]] | None:
        """Of loops whose tile adds sums that have waited, if there are any yet: the guard, and the same without it. One branch takes the
        place of a choice of address for every vector, and of adding zeros."""
        body: tuple[Stmt, ...] = (loop,)
        group: set[str] = set()
        while len(body) == 1 and isinstance(body[0], Loop) and body[0].mode != FOR:
            group.add(body[0].var)
            body = body[0].body
        if len(group) < 2 or len(body) != 1 or not isinstance(body[0], Accum):
            return None
        name, load = body[0].name, body[0].expr
        if not isinstance(load, Load) or len(load.guards) != 1 or load.guards[0].index.variables & group \
                or load.array not in self.nest.scratch or self.accs[name].acc.op != "add":
            return None
        bare = (Accum(name, replace(load, guards=(), other=None)),)
        return load.guards[0], map_body((loop,), lambda s: bare if isinstance(s, Accum) else None)

    def _where(self, guard: Guard, body: tuple[Stmt, ...]) -> None:
        """Sums that are taken where the guard holds."""
        w, scopes = self.w, self.scopes
        index = self.integer(guard.index)[0]
        holds = within(w, index, self.dim(guard.lo), self.dim(guard.hi))  # here, not where it is known first: it lives in no register
        updated = dict.fromkeys(s.name for s in statements(body) if isinstance(s, Accum))
        entered = {(name, key): operand for name in updated for key, operand in self.accs[name].values.items()}
        inside, after = w.fresh_label("taken"), w.fresh_label("after")
        before, self.block = self.block, inside
        scopes.push()
        w.label(inside)
        self.body(body)
        w.line(f"br label %{after}")
        lines = scopes.pop()
        w.line(f"br i1 {holds}, label %{inside}, label %{after}")
        w.lines.extend(lines)
        w.label(after)
        for (name, key), old in entered.items():
            phi, new = w.fresh("c"), self.accs[name].values[key]
            kind = scalar_code.register_type(old.dtype, old.lanes)
            w.line(f"{phi} = phi {kind} [ {old.text}, %{before} ], [ {new.text}, %{self.block} ]")
            self.accs[name].values[key] = Operand(phi, old.dtype, old.lanes)
        self.block = after

    def _iteration(self, loop: Loop, value: int) -> None:
        """One iteration of an unrolled loop."""
        self.unrolled[loop.var] = value // loop.step
        self.indices[loop.var] = Index(const=value)
        if loop.back:
            self.indices[loop.back] = Index(const=min(value, loop.last_whole))
        if loop.clip and (value or not self.begins_live(loop.clip)):
            live = self._clamp(loop.var, value, loop.clip)
            self.live[loop.var] = live
            self.body(loop.body)
            del self.live[loop.var]
        else:
            self.body(loop.body)
        del self.unrolled[loop.var]

    def _clamp(self, var: str, value: int, clip: Clip) -> str:
        """Sets the variable to the last live value at most; returns whether `value` is live."""
        base, depth = self.integer(clip.base)
        extent = self.dim(clip.extent)
        key = ("clamp", base, extent, value)
        known = self.scopes.recall(key)
        if known is None:
            left = self.pure_at(depth, f"sub i64 {extent}, {base}")
            last = self.pure_at(depth, f"sub i64 {left}, 1")
            with self.scopes.at(depth) as w:
                at = w.call("i64", "llvm.smin.i64", ("i64", last), ("i64", str(value)))
                known = (at, w.value(f"icmp sgt i64 {left}, {value}"))
            self.scopes.remember(key, known, depth)
        assert isinstance(known, tuple)
        self.indices[var] = Index(text=known[0], depth=depth, unrolled=True)
        return str(known[1])

    def _run_time(self, loop: Loop) -> None:
        for stmt in loop.body:
            if isinstance(stmt, Errand):
                self.claimed = claim(self, loop, stmt)
        extent = self.dim(loop.extent)
        if loop.clip:
            left = self.integer(loop.clip.base * -1 + loop.clip.extent)[0]
            extent = self.w.call("i64", "llvm.smin.i64", ("i64", extent), ("i64", left))
        if loop.where:
            start, end = self._bounds(loop.var, loop.where, extent)
            self._counted(start, end, loop.step, False, loop.body, [(loop, lambda t: t)])
            return
        surely_once = not extent.startswith("%")
        if surely_once and int(extent) <= 0:
            return
        self._counted("0", extent, loop.step, surely_once, loop.body, [(loop, lambda t: t)])

    def _bounds(self, var: str, where: Guard, extent: str) -> tuple[str, str]:
        """The first trip below `extent` for which the guard holds, and one past the last."""
        moves = int(str(where.index.coefficient(var)))
        rest = where.index + Aff.of({var: -moves})

        def first_at_least(bound: DimLike) -> str:
            """The least trip whose index is not below the bound: 0, or (bound - rest) / moves, rounded up."""
            short, depth = self.integer(rest * -1 + (bound + (moves - 1)))
            with self.scopes.at(depth) as w:
                short = w.call("i64", "llvm.smax.i64", ("i64", short), ("i64", "0"))
                return short if moves == 1 else w.value(f"udiv i64 {short}, {moves}")

        end = self.w.call("i64", "llvm.smin.i64", ("i64", first_at_least(where.hi)), ("i64", extent))
        return first_at_least(where.lo), end

    def _parallel(self, loop: Loop) -> None:
        """The share [lo, hi) of the product of perfectly nested parallel loops."""
        chain = [loop]
        while len(chain[-1].body) == 1 and isinstance(chain[-1].body[0], Loop) and chain[-1].body[0].parallel:
            chain.append(chain[-1].body[0])
        self.extents.update({p.var: p.extent for p in chain})
        body = chain[-1].body
        if any(isinstance(s, Loop) and s.parallel for s in statements(body)):
            raise ValueError(f"nest {self.nest.name}: parallel loops are not perfectly nested")
        counts = [self._trip_count(p.extent, p.step) for p in chain]

        def variable(n: int, turned: str) -> Callable[[str], str]:
            def value(t: str) -> str:
                t = self.pure(f"sub i64 {turned}, {t}") if turned else t
                for count in reversed(counts[n + 1:]):
                    t = self.pure(f"udiv i64 {t}, {count}") if count != "1" else t
                if counts[n] == "1":
                    return "0"
                if any(count != "1" for count in counts[:n]):
                    t = self.pure(f"urem i64 {t}, {counts[n]}")
                return t if chain[n].step == 1 else self.pure(f"mul i64 {t}, {chain[n].step}")
            return value

        def share(lo: str, hi: str) -> None:
            turned = self.pure(f"add i64 {lo}, {hi}") if loop.backwards else ""
            turned = turned and self.pure(f"sub i64 {turned}, 1")  # the last trip and the first
            together = self._together(chain[-1], counts[-1], turned, hi) if chain[-1].takes else None
            each = [(p, variable(n, turned)) for n, p in enumerate(chain) if not p.takes]
            for p, value in each:
                if p.middle:
                    both = self.pure(f"sub i64 {self.pure(f'add i64 {lo}, {hi}')}, 1")
                    self.middles[p.var] = value(self.pure(f"lshr i64 {both}, 1"))
            self._counted(lo, hi, 1, True, body, each, together)

        if self.passes or claimed_inside(self.nest):
            self.written({s.array for s in all_stores(body)})
            with pieces(self, self.passes) as (lo, hi):
                share(lo, hi)
        else:
            share("%lo", "%hi")

    def _together(self, loop: Loop, count: str, turned: str, hi: str) -> Callable[[str, int], str]:
        """Of the innermost loop that is shared, where several trips are done at once: sets its variable, and the one that tells how far
        these reach, when the first of them is due; returns how many they are."""
        def take(t: str, depth: int) -> str:
            w = self.w
            at = w.value(f"urem i64 {self.pure(f'sub i64 {turned}, {t}') if turned else t}, {count}")
            there = w.value(f"add i64 {at}, 1" if turned else f"sub i64 {count}, {at}")
            left = w.call("i64", "llvm.smin.i64", ("i64", there), ("i64", w.value(f"sub i64 {hi}, {t}")))
            taken = w.call("i64", "llvm.smin.i64", ("i64", left), ("i64", str(loop.most // loop.step)))
            first = w.value(f"sub i64 {there}, {taken}") if turned else at
            self.indices[loop.var] = Index(text=w.value(f"mul i64 {first}, {loop.step}"), depth=depth)
            self.indices[loop.takes] = Index(text=w.value(f"mul i64 {taken}, {loop.step}"), depth=depth)
            return taken
        return take

    def _trip_count(self, extent: DimLike, step: int) -> str:
        if not isinstance(extent, Dim):
            return str(-(-extent // step))
        if step == 1:
            return self.dim(extent)
        with self.scopes.at(0) as w:
            return w.value(f"udiv i64 {self.dim(extent + (step - 1))}, {step}")

    def _counted(self, start: str, end: str, step: int, surely_once: bool, body: tuple[Stmt, ...],
                 variables: list[tuple[Loop, Callable[[str], str]]], together: Callable[[str, int], str] | None = None) -> None:
        """A run-time loop from `start` to `end`, with a phi for each accumulator that the body updates and does not declare.
        `variables`: loops, with what gives their variable's value for the counter's. `together`: see _together."""
        w, scopes = self.w, self.scopes
        declared = {s.name for s in statements(body) if isinstance(s, Acc)}
        updated = dict.fromkeys(s.name for s in statements(body) if isinstance(s, Accum) and s.name not in declared)
        stored = {s.array for s in all_stores(body)}
        self.written(stored)
        label, after = w.fresh_label("loop"), w.fresh_label("after")
        before, self.block = self.block, label
        scopes.push()
        w.label(label)
        counter = w.fresh("n")
        phis: list[tuple[int, str, str, str, str, Key]] = []  # line, name, type, first value, accumulator, instance
        counter_line = len(w.lines)
        w.line("")
        for name in updated:
            block = self.accs[name]
            for key, operand in block.values.items():
                kind = scalar_code.register_type(operand.dtype, operand.lanes)
                phi = w.fresh("c")
                phis.append((len(w.lines), phi, kind, operand.text, name, key))
                w.line("")
                block.values[key] = Operand(phi, operand.dtype, operand.lanes)
        entered = {}
        if not surely_once:
            entered = {(name, key): self.accs[name].values[key] for _, _, _, _, name, key in phis}
            inside = w.fresh_label("body")
            more = w.value(f"icmp slt i64 {counter}, {end}")
            w.line(f"br i1 {more}, label %{inside}, label %{after}")
            w.label(inside)
            self.block = inside
        depth = scopes.depth
        around, self.sums = self.sums, None
        if updated and not _has_loop(body) and all(loop.mode == FOR and not loop.parallel for loop, _ in variables):
            self.sums = Sums(depth, counter, bool(stored - set(self.nest.scratch)))  # a panel that is packed meanwhile is a copy of loads
        for loop, value in variables:
            text = value(counter)
            self.trip = text, loop.step
            self.indices[loop.var] = Index(text=text, depth=depth) if text != "0" else Index()
            if loop.middle:
                middle = self.middles[loop.var]
                if self.passes:  # where others help, a trip's next pass may be in another share, and has to go on in the same order
                    with scopes.at(0):
                        _, alone = asks_with(self)
                    middle = w.value(f"select i1 {alone}, i64 {middle}, i64 {text}")
                self.indices[loop.middle] = Index(text=middle, depth=depth)
            if loop.back:
                whole = w.call("i64", "llvm.smin.i64", ("i64", text), ("i64", str(loop.last_whole)))
                self.indices[loop.back] = Index(text=whole, depth=depth)
        taken = together(counter, depth) if together else str(step)
        self.body(body)
        moving, pointers = (self.sums.moving, self.sums.pointers) if self.sums is not None else ([], [])
        self.sums = around
        moved = [w.value(f"add i64 {name}, {factor * step}") for name, _, factor in moving]
        moved_on = [w.value(f"getelementptr {element}, ptr {name}, i64 {factor * step}") for name, _, element, factor in pointers]
        following = w.value(f"add i64 {counter}, {taken}")
        if surely_once:
            more = w.value(f"icmp slt i64 {following}, {end}")
            w.line(f"br i1 {more}, label %{label}, label %{after}")
        else:
            w.line(f"br label %{label}")
        head = [f"  {counter} = phi i64 [ {start}, %{before} ], [ {following}, %{self.block} ]"]
        for (name, beside, factor), second in zip(moving, moved, strict=True):
            first = start if start == "0" else self.pure_at(depth - 1, f"mul i64 {start}, {factor}")
            if beside:
                first = beside if first == "0" else self.pure_at(depth - 1, f"add i64 {beside}, {first}")
            head.append(f"  {name} = phi i64 [ {first}, %{before} ], [ {second}, %{self.block} ]")
        for (name, place, element, factor), second in zip(pointers, moved_on, strict=True):
            if start != "0":
                first = self.pure_at(depth - 1, f"mul i64 {start}, {factor}")
                place = self.pure_at(depth - 1, f"getelementptr {element}, ptr {place}, i64 {first}")
            head.append(f"  {name} = phi ptr [ {place}, %{before} ], [ {second}, %{self.block} ]")
        w.lines[counter_line] = "\n".join(head)
        for line, phi, kind, first, name, key in phis:
            last = self.accs[name].values[key].text
            w.lines[line] = f"  {phi} = phi {kind} [ {first}, %{before} ], [ {last}, %{self.block} ]"
        lines = scopes.pop()
        w.line(f"br label %{label}")
        w.lines.extend(lines)
        w.label(after)
        self.block = after
        for (name, key), operand in entered.items():
            self.accs[name].values[key] = operand
        self.written(stored)


def _has_loop(body: tuple[Stmt, ...]) -> bool:
    """Whether something in the body is a loop when it runs."""
    return any(isinstance(s, Loop) and s.mode not in (UNROLL, VECTOR) for s in statements(body))


def _write_all(waiting: list[Callable[[], None]]) -> None:
    for write in waiting:
        write()
    waiting.clear()
