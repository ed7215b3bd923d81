"""`trace`: what each pass and each rule did to a step, and how long every part of the way to machine code took."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from ..compiler import STAGES, stage_index
from ..ir.graph import Graph
from ..ir.passes.simplify import simplify_with_log
from ..ir.program import Program
from .report import Report, table, time_text
from .subject import Subject, target_named

if TYPE_CHECKING:
    from ..codegen.target import Target

PLACES = 3  # places of a rule that are shown; --json has all


def _count(item: Any) -> str:
    if isinstance(item, Graph):
        return f"{len(item)} nodes"
    if isinstance(item, Program):
        return f"{len(item.steps)} kernels"
    if isinstance(item[0] if item else "", str):
        return f"{sum(text.count(chr(10)) for text in item)} lines"
    return f"{len(item)} nests"


def trace(subject: Subject, target: Target | None = None) -> Report:
    """Runs the pipeline to object code, outside every cache. Raises TargetError and what the passes raise."""
    from ..codegen.module import object_code
    from ..codegen.step_text import step_code
    target = target or target_named(None)
    rows = [("stage", "before", "after", "time", "")]
    data: dict[str, Any] = {"stages": [], "rules": []}
    item: Any = subject.item
    program: Program | None = item if isinstance(item, Program) else None
    rules: list[dict[str, Any]] = []
    for stage in STAGES[stage_index(subject.start) + 1:stage_index("llvm") + 1]:
        before = _count(item)
        started = time.perf_counter()
        if stage.name == "simplified":
            item, log = simplify_with_log(item)
            rules = [{"rule": a.rule, "op": a.op, "path": a.path, "source": a.source} for a in log]
        else:
            item = stage.run(item, target)
        seconds = time.perf_counter() - started
        program = item if isinstance(item, Program) else program
        note = ""
        if stage.name == "simplified":
            note = f"{len(rules)} rules applied"
        elif stage.name == "fused":
            note = f"{sum(v.fused for v in item.verdicts)} fused, {sum(not v.fused for v in item.verdicts)} left apart"
        elif stage.name == "planned":
            note = f"{sum(s.barrier for s in item.steps)} barriers, {len(item.lifetimes)} temps"
        rows.append((stage.name, before, _count(item), time_text(seconds), note))
        data["stages"].append({"stage": stage.name, "before": before, "after": _count(item), "seconds": seconds, "note": note})
    if program is not None and target.is_x86:
        modules = step_code(program, target).modules
        started = time.perf_counter()
        size = sum(len(object_code(text, target)) for text in modules)
        seconds = time.perf_counter() - started
        note = "LLVM: parse, verify, generate code (no cache)"
        rows.append(("object code", f"{len(modules)} modules", f"{size} bytes", time_text(seconds), note))
        data["stages"].append({"stage": "object code", "before": f"{len(modules)} modules", "after": f"{size} bytes",
                               "seconds": seconds, "note": note})
    data["rules"] = rules
    return Report("\n".join([subject.name, *table(rows, right=(3,), indent="  "), *_rule_lines(rules)]), data)


def _rule_lines(rules: list[dict[str, Any]]) -> list[str]:
    if not rules:
        return []
    counts = Counter(entry["rule"] for entry in rules)
    rows = [("times", "rule", "where")]
    for rule, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        places = list(dict.fromkeys(f"{e['path'] or '(top)'}/{e['op']}" + (f" {e['source']}" if e["source"] else "")
                                    for e in rules if e["rule"] == rule))
        more = f" and {len(places) - PLACES} more" if len(places) > PLACES else ""
        rows.append((str(count), rule, ", ".join(places[:PLACES]) + more))
    return ["rules", *table(rows, right=(0,), indent="  ")]
