"""`diff`: two stages of one target, or one stage of two. Only what changed is printed; of a graph, whole nodes.

A node is the same in both when its op, attributes, types, layer and the ops of its operands are: a change is not repeated by every
node after it. Of `simplified` each rewrite is listed with its rule and place.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from ..compiler import STAGES, stage_index
from ..inspection import check_names
from ..ir.graph import Graph, Node
from ..ir.passes.differentiate import differentiate
from ..ir.passes.simplify import simplify_with_log
from ..ir.program import Program
from ..ir.text import node_text, print_kernel, value_names
from ..ir.text.graphs import SOURCES
from .report import Report
from .subject import Subject

if TYPE_CHECKING:
    from ..codegen.target import Target

Lines = list[tuple[str, str]]  # (what is compared, what is printed)


def compare_stages(subject: Subject, a: str, b: str, target: Target | None = None) -> Report:
    """What lies between two stages of a subject. Raises TargetError."""
    check_names(a, None)
    check_names(b, None)
    changes = changed(lines_of(subject.at(a, target), a), lines_of(subject.at(b, target), b))
    rules, fusions = _rules(subject, a, b), _fusions(subject, a, b)
    lines = [f"{subject.name}: {a} -> {b}", *_listed(changes)]
    if rules:
        lines += [f"rules, {len(rules)} rewrites", *(f"  {text}" for text in rules)]
    if fusions:
        lines += [f"rows of the fusion table, {len(fusions)} fusions", *(f"  {text}" for text in fusions)]
    return Report("\n".join(lines), {"a": a, "b": b, "changes": changes, "rules": rules, "fusions": fusions})


def compare_subjects(first: Subject, second: Subject, stage: str, target: Target | None = None) -> Report:
    """What differs between one stage of two subjects: graphs without their names. Raises TargetError."""
    check_names(stage, None)
    changes = changed(*(lines_of(subject.at(stage, target), stage, names=False) for subject in (first, second)))
    return Report("\n".join([f"{first.name} -> {second.name}, {stage}", *_listed(changes)]),
                  {"a": first.name, "b": second.name, "stage": stage, "changes": changes})


def lines_of(item: Any, stage: str, names: bool = True) -> Lines:
    """A stage as lines to compare. Numbers of values and kernels are printed, but do not count."""
    if isinstance(item, Graph):
        return _graph_lines(item, names)
    if isinstance(item, Program):
        return _program_lines(item)
    text = STAGES[stage_index(stage)].text(item)
    return [(line, line) for line in text.splitlines()]


def _graph_lines(graph: Graph, names: bool) -> Lines:
    written = value_names(graph, names)
    lines: Lines = []
    for node in graph.nodes():
        if node.op.name in SOURCES:
            text = f"{node.op.name} {written[node.output]}: {node.types[0]}"
            lines.append((text, text))
            continue
        text = node_text(node, written)
        place = f"  # {node.path or '-'} {node.source}".rstrip() if names and (node.path or node.source) else ""
        lines.append((_key(node, written, names), text + place))
    for kind, table in (("out", graph.outputs), ("update", graph.updates)):
        for number, (name, value) in enumerate(table.items()):
            shown = name if names else str(number)
            lines.append((f"{kind} {shown} = {value.node.op.name}", f"{kind} {shown} = {written[value]}"))
    return lines


def _key(node: Node, written: Any, names: bool) -> str:
    """The node with its operands' ops in place of their numbers."""
    stand_ins = {v: written[v] if v.node.op.name in SOURCES else f"%{v.node.op.name}" for v in (*node.inputs, *node.outputs)}
    return f"{node_text(node, stand_ins)} {node.path if names else ''}"


def _program_lines(program: Program) -> Lines:
    lines: Lines = [(f"{b.kind} {b.type} of={bool(b.of)} {b.why}", f"{b.kind} {b.name}: {b.type}" + (f" of={b.of}" if b.of else ""))
                    for b in program.buffers.values() if b.kind != "temp"]
    for step in program.steps:
        name = f"kernel {step.kernel.name}"
        for number, line in enumerate(print_kernel(step.kernel).splitlines()):
            lines.append((f"kernel{line[len(name):]}", line) if number == 0 else (line, f"  {line.strip()}"))
    return lines


def changed(a: Lines, b: Lines) -> list[str]:
    """`- line` for what only the first has, `+ line` for what only the second has, in order."""
    changes = []
    matcher = difflib.SequenceMatcher(None, [key for key, _ in a], [key for key, _ in b], autojunk=False)
    for kind, a0, a1, b0, b1 in matcher.get_opcodes():
        if kind != "equal":
            changes += [f"- {text}" for _, text in a[a0:a1]] + [f"+ {text}" for _, text in b[b0:b1]]
    return changes


def _listed(changes: list[str]) -> list[str]:
    return changes or ["no difference"]


def _rules(subject: Subject, a: str, b: str) -> list[str]:
    """Each rewrite that lies between the two stages: rule, op, layer, the user's line."""
    low, high = sorted((stage_index(a), stage_index(b)))
    if not (low < stage_index("simplified") <= high) or not isinstance(subject.item, Graph):
        return []
    _, log = simplify_with_log(differentiate(subject.item))
    return [f"{x.rule}: {x.op} of {x.path or '(top)'}{f'  {x.source}' if x.source else ''}" for x in log]


def _fusions(subject: Subject, a: str, b: str) -> list[str]:
    """Each fusion that lies between the two stages: the table's row, what was fused into what, the user's line."""
    low, high = sorted((stage_index(a), stage_index(b)))
    if not low < stage_index("fused") <= high or not isinstance(subject.item, (Graph, Program)):
        return []
    program: Program = subject.at("fused")
    lines = {step.kernel.label: step.kernel.source for step in program.steps}
    if stage_index(subject.start) <= stage_index("described"):
        lines |= {step.kernel.label: step.kernel.source for step in subject.at("described").steps}

    def place(label: str) -> str:
        first = label.split(" + ")[0]
        return next((source for name in (label, first) if (source := lines.get(name, ""))), "")
    return [f"{v.row}: {v.producer} -> {v.consumer}" + (f"  {where}" if (where := place(v.consumer) or place(v.producer)) else "")
            for v in program.verdicts if v.fused]
