"""`explain`: why two ops became one kernel or did not, where each buffer lies and why, why a kernel's loops are as they are."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..ir.program import Program, Verdict
from .report import Report, TargetError, size_text
from .subject import DEFAULT_BATCH, Subject, label_matches, label_paths, no_match

if TYPE_CHECKING:
    from ..codegen.target import Target

TOPICS = ("fusion", "memory", "schedule", "layout")


def explain(subject: Subject, topic: str, names: Sequence[str] = (), batch: int = DEFAULT_BATCH, target: Target | None = None) -> Report:
    """The answer as text and data. `names`: for fusion none, one or two layers or ops; for the others one. Raises TargetError."""
    if topic == "fusion":
        return explain_fusion(subject, names)
    if topic not in TOPICS:
        raise TargetError(f"cannot explain {topic!r}; expected one of {', '.join(TOPICS)}")
    if len(names) > 1:
        raise TargetError(f"explain {topic} takes one layer, op or {'buffer' if topic == 'memory' else 'kernel'}, not {len(names)}")
    name = names[0] if names else None
    if topic == "memory":
        return explain_memory(subject, name, batch)
    if topic == "layout":
        from .layout import explain_layout
        return explain_layout(subject, name, target)
    return explain_schedule(subject, name, target)


# -- fusion -------------------------------------------------------------------------------------------------------
def explain_fusion(subject: Subject, names: Sequence[str] = ()) -> Report:
    if len(names) > 2:
        raise TargetError(f"explain fusion takes two layers or ops, not {len(names)}")
    program: Program = subject.at("fused")
    described = _ops_before(subject)
    for name in names:
        if not any(label_matches(name, label) for label in described):
            raise _gone(subject, name, described)
    verdicts = [v for v in program.verdicts if _concerns(v, names)]
    lines: list[str] = []
    if len(names) == 2 and not verdicts:
        lines += _indirect(subject, program, names[0], names[1])
    elif not names:
        lines.append(f"{program.name}: {len(described)} kernels before fusion, {len(program.steps)} after; "
                     f"{sum(v.fused for v in verdicts)} verdicts fused, {sum(not v.fused for v in verdicts)} left apart. "
                     "Name two layers or ops (dense, add, dense/add) to ask about them alone")
        verdicts = sorted(verdicts, key=lambda v: v.fused)  # first what one asks about
    if len(names) == 2 and verdicts:
        lines.append(_summary(program, names[0], names[1]))
    for verdict in verdicts:
        lines += _verdict_lines(program, verdict)
    if not lines:
        lines.append(f"{names[0]} reads and writes nothing that another kernel of this step touches")
    data = {"kernels": [{"name": s.kernel.name, "label": s.kernel.label} for s in program.steps],
            "verdicts": [vars(v) for v in verdicts]}
    return Report("\n".join(lines), data)


def _ops_before(subject: Subject) -> list[str]:
    from ..compiler import stage_index
    if stage_index(subject.start) > stage_index("described"):
        return [step.kernel.label for step in subject.at(subject.start).steps]
    return [step.kernel.label for step in subject.at("described").steps]


def _gone(subject: Subject, name: str, labels: list[str]) -> TargetError:
    """A name no kernel has: perhaps the rules removed it."""
    from ..ir.graph import Graph
    from .subject import matches
    if isinstance(subject.item, Graph):
        for stage, what in (("traced", "traced"), ("differentiated", "differentiated")):
            if subject.start == "differentiated" and stage == "traced":
                continue
            for node in subject.at(stage).nodes():
                path = f"{node.path}/{node.op.name}" if node.path else node.op.name
                if matches(name, path):
                    return TargetError(f"{name!r} is in the {what} graph but has no kernel: it was rewritten, merged with an equal op, "
                                       f"found dead, or is a view (`kcompile trace` lists the rules)")
    return no_match(name, [path for label in labels for path in label_paths(label)], "layer or op")


def _concerns(verdict: Verdict, names: Sequence[str]) -> bool:
    if len(names) == 2:
        return any(label_matches(a, verdict.producer) and label_matches(b, verdict.consumer) for a, b in (names, names[::-1]))
    return all(label_matches(name, verdict.producer) or label_matches(name, verdict.consumer) for name in names)


def _verdict_lines(program: Program, verdict: Verdict) -> list[str]:
    what = "fused" if verdict.fused else "apart"
    buffer = program.buffers.get(verdict.array)
    through = f"{verdict.array}: {buffer.type}" if buffer else verdict.array
    return [f"{what}: {verdict.producer}  ->  {verdict.consumer}",
            f"       through {through}; row {verdict.row!r}: {verdict.reason}"]


def _together(program: Program, a: str, b: str) -> list[str]:
    return [s.kernel.name for s in program.steps if label_matches(a, s.kernel.label) and label_matches(b, s.kernel.label)]


def _summary(program: Program, a: str, b: str) -> str:
    kernels = _together(program, a, b)
    return f"{a} and {b}: " + (f"together in {', '.join(kernels)}" if kernels else "in no kernel together")


def _indirect(subject: Subject, program: Program, a: str, b: str) -> list[str]:
    """Two names between which no array passes: the shortest way from one to the other, or none."""
    kernels = _together(program, a, b)
    if kernels:
        return [f"{a} and {b}: together in {', '.join(kernels)}, each fused with what lies between them"]
    from ..compiler import stage_index
    if stage_index(subject.start) <= stage_index("described"):
        before: Program = subject.at("described")
        for first, second in ((a, b), (b, a)):
            way = _shortest(before, first, second)
            if way:
                lines = [f"{first} and {second}: in no kernel together; nothing goes from one straight to the other. Between them:"]
                for array, producer, consumer in way:
                    lines += _edge_lines(program, array, producer, consumer)
                return lines
    return [f"{a} and {b}: in no kernel together, and nothing flows from one to the other"]


def _shortest(program: Program, a: str, b: str) -> list[tuple[str, str, str]]:
    """The fewest arrays that lead from a kernel named `a` to one named `b`: (array, label that writes it, label that reads it)."""
    kernels = [step.kernel for step in program.steps]
    readers: dict[str, list[int]] = {}
    for n, kernel in enumerate(kernels):
        for array in kernel.reads:
            readers.setdefault(program.root(array), []).append(n)
    seen = {n for n, kernel in enumerate(kernels) if label_matches(a, kernel.label)}
    waiting: deque[tuple[int, list[tuple[str, str, str]]]] = deque((n, []) for n in sorted(seen))
    while waiting:
        n, way = waiting.popleft()
        if way and label_matches(b, kernels[n].label):
            return way
        for array in kernels[n].writes:
            for m in readers.get(array, []):
                if m not in seen:
                    seen.add(m)
                    waiting.append((m, [*way, (array, kernels[n].label, kernels[m].label)]))
    return []


def _edge_lines(program: Program, array: str, producer: str, consumer: str) -> list[str]:
    """What was decided about one array between two ops; the last verdict is the one that holds."""
    names = {array, *(b.name for b in program.buffers.values() if b.of == array)}
    found = [v for v in program.verdicts if v.array in names
             and producer in label_paths(v.producer) and consumer in label_paths(v.consumer)]
    if found:
        return _verdict_lines(program, found[-1])
    return [f"fused: {producer}  ->  {consumer}", f"       through {array}, with what was fused before it"]


# -- memory -------------------------------------------------------------------------------------------------------
def explain_memory(subject: Subject, name: str | None, batch: int) -> Report:
    from .memory import plan_memory
    program: Program = subject.at("planned")
    plan = plan_memory(program, batch)
    lines = [f"{program.name} at batch {batch}: arena {size_text(plan.arena)}, peak {size_text(plan.peak)}"]
    found = []
    for row in plan.rows:
        if name is not None and name != row.name and not label_matches(name, row.blame):
            continue
        found.append(row)
        lines.append(f"{row.name}: {row.type}, {size_text(row.bytes)}: {row.where}")
        if row.blame:
            lines.append(f"    made by {row.blame}")
        lines.append(f"    {row.why}")
    if not found:
        assert name is not None
        raise no_match(name, [path for row in plan.rows for path in (row.name, *label_paths(row.blame))], "layer, op or buffer")
    return Report("\n".join(lines), [row.data() for row in found])


# -- schedule -----------------------------------------------------------------------------------------------------
def explain_schedule(subject: Subject, name: str | None, target: Target | None) -> Report:
    nests = subject.at("scheduled", target)
    if subject.start in ("loops", "scheduled"):  # a text of nests
        kernels = [(nest.name, nest.label, "") for nest in nests]
    else:
        kernels = [(step.kernel.name, step.kernel.label, step.kernel.source) for step in subject.at("planned").steps]
    lines: list[str] = []
    data: list[dict[str, Any]] = []
    for (kernel, label, source), nest in zip(kernels, nests, strict=True):
        if name is not None and name != kernel and not label_matches(name, label):
            continue
        lines.append(f"{kernel} {label}" + (f"  ({source})" if source else ""))
        lines += [f"    {note}" for note in nest.notes]
        lines.append(f"    trips to share: {nest.trips}")
        lines += [f"    step: {one}" for one in nest.steps]
        data.append({"kernel": kernel, "label": label, "source": source,
                     "reasons": list(nest.notes), "trips": str(nest.trips), "steps": [str(one) for one in nest.steps]})
    if not data:
        assert name is not None
        raise no_match(name, [p for kernel, label, _ in kernels for p in (kernel, *label_paths(label))], "layer, op or kernel")
    return Report("\n".join(lines), data)

