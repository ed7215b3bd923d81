"""The memory of a step, exact and before anything runs: params, states, outputs, and the arena buffer by buffer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..ir.arena import ALIGNMENT, layout_arena
from ..ir.program import Program
from ..ir.types import TensorType, evaluate_dim
from .report import Report, TargetError, size_text, table
from .subject import DEFAULT_BATCH, Subject, layers_of, of_model

ADDRESS = 8  # bytes
KINDS = ("param", "state", "output", "temp", "kept")


@dataclass(frozen=True)
class Row:
    """One buffer that owns storage. `offset`, `first` and `last` (steps) are those of the arena; -1 for the caller's arrays.
    `blame`: label of the kernel that writes it first; `source`: the user's line of that kernel."""

    name: str
    kind: str
    type: str
    bytes: int
    where: str
    why: str
    role: str = ""
    offset: int = -1
    first: int = -1
    last: int = -1
    blame: str = ""
    source: str = ""

    def data(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class MemoryPlan:
    """`arena` is to the byte what the executable allocates for this batch; `peak` adds the caller's arrays of one step.

    `staging`: what `fit` allocates beside it when rows are shuffled or cast on the way in (two batches of each param;
    of one whose rows are read where they lie two tables of their addresses). `casting`: two batches of those, too, where they are cast.
    """

    name: str
    batch: int
    rows: tuple[Row, ...]
    arena: int
    staging: int
    casting: int
    steps: int

    def total(self, kind: str) -> int:
        return self.arena if kind == "temp" else sum(row.bytes for row in self.rows if row.kind == kind)

    @property
    def peak(self) -> int:
        return sum(self.total(kind) for kind in KINDS)

    @property
    def fullest_step(self) -> int:
        """The step in which most bytes of the arena are in use."""
        live = [sum(r.bytes for r in self.rows if r.kind == "temp" and r.first <= n <= r.last) for n in range(self.steps)]
        return max(range(self.steps), key=lambda n: (live[n], -n), default=0)

    def data(self) -> dict[str, Any]:
        return {"name": self.name, "batch": self.batch, "peak": self.peak, "arena": self.arena, "staging": self.staging,
                "casting": self.casting, "params": self.total("param"), "states": self.total("state"), "outputs": self.total("output"),
                "kept": self.total("kept"), "fullest_step": self.fullest_step, "buffers": [row.data() for row in self.rows]}

    def __str__(self) -> str:
        roles: dict[str, int] = {}
        for row in self.rows:
            if row.kind == "state":
                roles[row.role] = roles.get(row.role, 0) + row.bytes
        by_role = ", ".join(f"{role} {size_text(size)}" for role, size in roles.items())
        head = [("params", self.total("param"), "the arrays of one batch"), ("states", self.total("state"), by_role),
                ("outputs", self.total("output"), "given back to the caller"),
                *([("kept", self.total("kept"), "made of weights, when these have changed")] if self.total("kept") else []),
                ("arena", self.arena, f"{sum(r.kind == 'temp' for r in self.rows)} buffers that share memory over {self.steps} kernels"),
                ("peak", self.peak, "of one step"),
                ("staging", self.staging, "on top, where fit shuffles or casts rows: two batches, or addresses of rows"),
                *([("casting", self.casting, "on top of that, where such rows are cast: two batches of them")] if self.casting else [])]
        lines = [f"{self.name} at batch {self.batch}"]
        lines += table([(title, str(size), size_text(size), note) for title, size, note in head], right=(1, 2), indent="  ")
        n = self.fullest_step
        temps = sorted((r for r in self.rows if r.kind == "temp"), key=lambda r: (-r.bytes, r.first, r.name))
        if temps:
            lines.append(f"arena, largest first; * marks what lives in the fullest step, k{n}")
            lines += table([("bytes", "offset", "kernels", "type", "layer")] + [
                (str(r.bytes), str(r.offset), f"{'*' if r.first <= n <= r.last else ' '}{r.first}..{r.last}", r.type,
                 layers_of(r.blame) + (f"  {r.source}" if r.source else "")) for r in temps], right=(0, 1), indent="  ")
        return "\n".join(lines)


def _bytes(type_: TensorType, symbols: dict[str, int]) -> int:
    count = type_.dtype.size
    for dim in type_.shape:
        count *= evaluate_dim(dim, symbols)
    return count


def _two(size: int) -> int:
    """Bytes of two aligned pieces of memory."""
    return 2 * (-(-size // ALIGNMENT) * ALIGNMENT)


def plan_memory(program: Program, batch: int) -> MemoryPlan:
    """The plan of a planned program. Raises TargetError for a batch below 1 or sizes that the batch does not tell."""
    if batch < 1:
        raise TargetError(f"the batch must be at least 1, not {batch}")
    symbols = {"B": batch}
    unknown = sorted({s for b in program.buffers.values() for s in b.type.symbols} - {"B"})
    if unknown:
        raise TargetError(f"{program.name} has other sizes than the batch that are unknown: {', '.join(unknown)}")
    offsets, arena = layout_arena(program.buffers, program.lifetimes, symbols)
    blame: dict[str, tuple[str, str]] = {}
    for step in program.steps:
        for array in step.kernel.writes:
            blame.setdefault(program.root(array), (step.kernel.label, step.kernel.source))
    by_row = {program.root(array) for step in program.steps for array in step.kernel.by_row}
    rows, staging, casting = [], 0, 0
    for buffer in program.buffers.values():
        if buffer.of or (buffer.kind == "temp" and buffer.name not in offsets):
            continue
        size = _bytes(buffer.type, symbols)
        if buffer.kind == "param" and buffer.type.symbols:
            staging += _two(ADDRESS * batch if buffer.name in by_row else size)
            casting += _two(size) if buffer.name in by_row else 0
        label, source = blame.get(buffer.name, ("", ""))
        if buffer.kind == "temp":
            life = program.lifetimes[buffer.name]
            why = f"in use from kernel {life.first} to {life.last}, widened to the barriers around; first fit, largest first"
            rows.append(Row(buffer.name, "temp", str(buffer.type), size, f"arena, byte {offsets[buffer.name]}",
                            f"{why}; {buffer.why}" if buffer.why else why, "", offsets[buffer.name], life.first, life.last, label, source))
            continue
        where = {"param": "the caller's array", "state": "the variable's own array", "output": "the caller's array",
                 "kept": "the step's own memory"}[buffer.kind]
        written = buffer.name in {program.root(a) for s in program.steps for a in s.kernel.writes}
        why = buffer.why or ("written in place" if written and buffer.kind == "state" else "only read" if not written else "written once")
        rows.append(Row(buffer.name, buffer.kind, str(buffer.type), size, where, why, buffer.role, blame=label, source=source))
    return MemoryPlan(program.name, batch, tuple(rows), arena, staging, casting, len(program.steps))


def memory_plan(model: Any, batch: int = DEFAULT_BATCH, step: str | None = None) -> MemoryPlan:
    """What `model.memory_plan` returns. Raises TargetError (a ValueError) for a model that is not ready."""
    program: Program = of_model(model, step).at("planned")
    return plan_memory(program, batch)


def memory_report(subject: Subject, batch: int) -> Report:
    plan = plan_memory(subject.at("planned"), batch)
    return Report(str(plan), plan.data())
