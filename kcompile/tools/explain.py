"""`explain`: why two ops became one kernel or did not, where each buffer lies and why, why a kernel's loops are as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..ir.program import Program
from .report import Report, TargetError, size_text
from .subject import DEFAULT_BATCH, Subject, label_matches, label_paths, no_match

if TYPE_CHECKING:
    from ..codegen.target import Target

TOPICS = ("fusion", "memory", "schedule", "layout")


def explain(subject: Subject, topic: str, names: Sequence[str] = (), batch: int = DEFAULT_BATCH, target: Target | None = None) -> Report:
    """The answer as text and data. `names`: for fusion none, one or two layers or ops; for the others one. Raises TargetError."""
    if topic == "fusion":
        from .fusion import explain_fusion
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

