"""`show`: the text of any stage, whole, of one layer or of one kernel; graphs also as DOT for a drawing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..compiler import STAGES, stage_index
from ..ir.graph import Graph
from ..ir.program import Program
from ..ir.text import node_text, value_names
from ..ir.text.graphs import SOURCES
from .report import Report, TargetError
from .subject import Subject, label_matches, label_paths, matches, no_match

if TYPE_CHECKING:
    from ..codegen.target import Target


def show_report(subject: Subject, stage: str | None = None, **options: Any) -> Report:
    """As `show_stage`; the data holds the same text line by line."""
    text = show_stage(subject, stage, **options)
    shown = stage or (subject.start if subject.model is None else "simplified")
    return Report(text, {"target": subject.name, "stage": shown, "lines": text.split("\n")})


def show_stage(subject: Subject, stage: str | None = None, *, layer: str | None = None, kernel: str | None = None,
               target: Target | None = None, names: bool = True, locations: bool = False, dot: str | None = None) -> str:
    """The text of a stage (None: a text's own stage, else simplified). Raises TargetError for names that nothing has."""
    if stage is None:
        stage = subject.start if subject.model is None else "simplified"
    item = subject.at(stage, target)
    if not isinstance(item, Graph) and (locations or not names):
        raise TargetError(f"stage {stage!r} is no graph: {'--locations' if locations else '--no-names'} goes up to 'simplified'")
    if dot is not None:
        _write_dot(item, stage, dot)
    if isinstance(item, Graph):
        if kernel is not None:
            raise TargetError(f"stage {stage!r} has no kernels yet; they are there from 'described' on")
        if layer is not None:
            return _layer_of_graph(item, layer, locations)
        return STAGES[stage_index(stage)].text(item, names=names, locations=locations).rstrip("\n")  # type: ignore[call-arg]
    kept = _kernels(subject, item, stage, layer, kernel, target)
    if isinstance(item, Program):
        text = STAGES[stage_index(stage)].text
        return (text(item) if kept is None else _part_of_program(item, kept)).rstrip("\n")
    chosen = item if kept is None else [item[n] for n in kept]
    return STAGES[stage_index(stage)].text(chosen).rstrip("\n")


def _layer_of_graph(graph: Graph, layer: str, locations: bool) -> str:
    written = value_names(graph)
    lines, paths = [], []
    for node in graph.nodes():
        path = f"{node.path}/{node.op.name}" if node.path else node.op.name
        paths.append(path)
        if matches(layer, path):
            place = f"  # {node.path or '-'} {node.source}".rstrip() if locations else ""
            text = f"{written[node.output]}: {node.types[0]}" if node.op.name in SOURCES else node_text(node, written)
            lines.append(f"  {node.op.name + ' ' if node.op.name in SOURCES else ''}{text}{place}")
    if not lines:
        raise no_match(layer, paths, "layer or op")
    return "\n".join([f"graph {graph.name}: {len(lines)} of {len(paths)} nodes", *lines])


def kernel_names(subject: Subject, item: Any, target: Target | None) -> list[tuple[str, str]]:
    """(name, label) of each kernel of a stage. The label is "" where a text does not say it, as LLVM's."""
    if isinstance(item, Program):
        return [(step.kernel.name, step.kernel.label) for step in item.steps]
    if isinstance(subject.item, (Graph, Program)):
        return kernel_names(subject, subject.at("planned", target), target)
    if subject.start in ("loops", "scheduled"):
        return [(nest.name, nest.label) for nest in subject.item]
    return [(", ".join(re.findall(r"^define void @([\w.]+)", text, re.M)), "") for text in subject.item]


def _kernels(subject: Subject, item: Any, stage: str, layer: str | None, kernel: str | None,
             target: Target | None) -> list[int] | None:
    """Positions of the kernels that were asked for; None for all."""
    if layer is None and kernel is None:
        return None
    named = kernel_names(subject, item, target)
    kept = list(range(len(named)))
    if kernel is not None:
        kept = [n for n in kept if named[n][0] == kernel]
        if not kept:
            known = [name for name, _ in named if name]
            raise TargetError(f"no kernel is named {kernel!r}; stage {stage!r} " + (f"has {known[0]} to {known[-1]}" if known else
                              f"of {subject.name} names none"))
    if layer is not None:
        if not any(label for _, label in named):
            raise TargetError(f"{subject.name} names no layers; --kernel chooses by name")
        kept = [n for n in kept if label_matches(layer, named[n][1])]
        if not kept:
            raise no_match(layer, [path for _, label in named for path in label_paths(label)], "layer or op of these kernels")
    return kept


def _part_of_program(program: Program, kept: list[int]) -> str:
    from ..ir.text import print_kernel
    from ..ir.text.programs import buffer_text
    arrays = dict.fromkeys(a for n in kept for a in program.steps[n].kernel.arrays)
    lines = [f"program {program.name}: {len(kept)} of {len(program.steps)} kernels"]
    lines += [f"  {buffer_text(program.buffers[a], program.lifetimes.get(a))}" for a in arrays]
    for n in kept:
        lines.append(f"  step {n}{program.steps[n].marks}")
        lines.append(print_kernel(program.steps[n].kernel, "    ").rstrip("\n"))
    return "\n".join(lines)


# -- DOT ----------------------------------------------------------------------------------------------------------
def _write_dot(item: Any, stage: str, path: str) -> None:
    if not isinstance(item, (Graph, Program)):
        raise TargetError(f"stage {stage!r} cannot be drawn; graphs and programs (up to 'planned') can")
    try:
        Path(path).write_text(dot_text(item))
    except OSError as error:
        raise TargetError(f"cannot write {path}: {error.strerror}") from None


def dot_text(item: Graph | Program) -> str:
    """Graphviz text: a node for each op, or for each kernel with its buffers on the edges."""
    return _graph_dot(item) if isinstance(item, Graph) else _program_dot(item)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _graph_dot(graph: Graph) -> str:
    lines = [f"digraph {_quoted(graph.name)} {{", "  node [shape=box];"]
    numbers = {node: n for n, node in enumerate(graph.nodes())}
    for node, n in numbers.items():
        name = node.attrs.get("name") or node.attrs.get("path") or node.op.name
        lines.append(f"  n{n} [label={_quoted(f'{name}: {node.types[0]}')}, tooltip={_quoted(f'{node.path} {node.source}'.strip())}];")
        lines += [f"  n{numbers[value.node]} -> n{n};" for value in node.inputs]
    for kind, table in (("out", graph.outputs), ("update", graph.updates)):
        for m, (name, value) in enumerate(table.items()):
            lines.append(f"  {kind}{m} [shape=ellipse, label={_quoted(f'{kind} {name}')}]; n{numbers[value.node]} -> {kind}{m};")
    return "\n".join([*lines, "}"]) + "\n"


def _program_dot(program: Program) -> str:
    lines = [f"digraph {_quoted(program.name)} {{", "  node [shape=box];"]
    writer: dict[str, int] = {}
    for n, step in enumerate(program.steps):
        lines.append(f"  k{n} [label={_quoted(f'k{n} {step.kernel.label}')}];")
        for array in step.kernel.reads:
            root = program.root(array)
            if root in writer and writer[root] != n:
                lines.append(f"  k{writer[root]} -> k{n} [label={_quoted(str(program.buffers[array].type))}];")
        for array in step.kernel.writes:
            writer[program.root(array)] = n
    return "\n".join([*lines, "}"]) + "\n"
