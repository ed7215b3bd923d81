"""The pipeline, written once: a tuple of named stages from the traced graph to assembly.

    traced -> differentiated -> simplified -> filtered -> described -> fused -> planned -> loops -> scheduled -> llvm -> assembly

Graphs up to `filtered`, programs up to `planned`, loop nests up to `scheduled`, text after that. `compile_graph` runs it to the
end; `lower_to` stops where one wants to look.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from .common.struct import struct
from .ir.fingerprint import fingerprint
from .ir.graph import Graph
from .ir.program import LEARNED, Program
from .options import option

# Passes and code generation are imported where they run: a step that the cache has needs neither.
if TYPE_CHECKING:
    from .codegen.executable import Executable
    from .codegen.step_cache import Announce
    from .codegen.target import Target


@struct(frozen=True)
class Stage:
    """One stage: `run` makes it from the one before (`target` matters from `filtered` on)."""

    name: str
    doc: str
    run: Callable[[Any, Any], Any]
    text: Callable[[Any], str]


def _graph_text(graph: Graph, **options: Any) -> str:
    from .ir.text import print_graph
    return print_graph(graph, **options)


def _program_text(program: Program, **options: Any) -> str:
    from .ir.text import print_program
    return print_program(program, **options)


def _texts(texts: Any, **options: Any) -> str:
    return "\n".join(texts)


def _loops(program: Program, target: Target) -> list[Any]:
    from .codegen.lower import lower
    return [lower(step.kernel, step.along) for step in program.steps]


def _schedule(nests: list[Any], target: Target) -> list[Any]:
    from .codegen.strategy import plan as schedule
    return [schedule(nest, target) for nest in nests]


def _nest_texts(nests: list[Any], **options: Any) -> str:
    from .codegen.nest_text import print_nest
    return "\n".join(print_nest(nest) for nest in nests)


def _llvm(nests: list[Any], target: Target) -> list[str]:
    from .codegen.emit import emit
    return [emit(nest, target, nest.name) for nest in nests]


def _assembly(functions: list[str], target: Target) -> list[str]:
    from .codegen.assembly import Assembler
    return Assembler(target).run(functions)


def _assembled(loops: Callable[[], list[Any]], target: Any) -> list[str]:
    """Assembly kernel by kernel: a helper process, which starts before the passes run, is at the first while the last are scheduled."""
    from .codegen.assembly import Assembler
    assembler = Assembler(target)
    assembler.start()
    try:
        return assembler.run(text for nest in loops() for text in _llvm(_schedule([nest], target), target))
    finally:
        assembler.close()


def _differentiated(graph: Graph, target: Target) -> Graph:
    from .ir.passes.differentiate import differentiate
    return differentiate(graph)


def _simplified(graph: Graph, target: Target) -> Graph:
    from .ir.passes.simplify import simplify
    return simplify(graph)


def _filtered(graph: Graph, target: Target) -> Graph:
    from .ir.passes.winograd import winograd
    return winograd(graph, target.filtered_lanes) if option("KCOMPILE_WINOGRAD") else graph


def _described(graph: Graph, target: Target) -> Program:
    from .ir.passes.describe import describe
    return describe(graph)


def _fused(program: Program, target: Target, announce: Announce = None) -> Program:
    from .ir.passes.again import again
    from .ir.passes.borders import borders
    from .ir.passes.centre import centre
    from .ir.passes.fuse import fuse
    from .ir.passes.split import split
    return again(centre(split(fuse(borders(program), announce))))


def _planned(program: Program, target: Target) -> Program:
    from .ir.passes.plan import plan
    return plan(program, target.panel_columns, target.near_sample)


STAGES: tuple[Stage, ...] = (
    Stage("traced", "what the model's code did, with explicit state and a symbolic batch", lambda g, t: g, _graph_text),
    Stage("differentiated", "gradients expanded by reverse mode", _differentiated, _graph_text),
    Stage("simplified", "rules applied, common subexpressions and dead code gone", _simplified, _graph_text),
    Stage("filtered", "convolutions by 3x3 filters made products of transformed tiles", _filtered, _graph_text),
    Stage("described", "one kernel a node", _described, _program_text),
    Stage("fused", "kernels merged by the fusion table, with each verdict; long reductions cut", _fused,
          partial(_program_text, verdicts=True)),
    Stage("planned", "execution order, barriers, updates in place, lifetimes", _planned, _program_text),
    Stage("loops", "explicit loop nests", _loops, _nest_texts),
    Stage("scheduled", "tiled, vectorized, unrolled and parallel nests for the target", _schedule, _nest_texts),
    Stage("llvm", "LLVM IR before any pass of LLVM", _llvm, _texts),
    Stage("assembly", "what the target executes", _assembly, _texts),
)
STAGE_NAMES = tuple(stage.name for stage in STAGES)


class UnknownStageError(ValueError):
    """A stage name that does not exist."""


def stage_index(name: str) -> int:
    """The place of a stage in the order of lowering. Raises UnknownStageError."""
    if name not in STAGE_NAMES:
        raise UnknownStageError(f"unknown stage {name!r}; the stages are: {', '.join(STAGE_NAMES)}")
    return STAGE_NAMES.index(name)


def lower_to(graph: Graph | Program, stage: str, target: Target | None = None, start: str = "traced") -> Any:
    """The object of `stage`, made from `graph` (the object of stage `start`)."""
    last, first = stage_index(stage), stage_index(start)
    if last >= stage_index("filtered") and target is None:
        target = current_target()
    if stage == "assembly" and first <= stage_index("loops"):
        return _assembled(partial(lower_to, graph, "loops", target, start), target)
    item: Any = graph
    for step in STAGES[first + 1 : last + 1]:
        before, item = item, step.run(item, target)
        if isinstance(before, Graph) and before is not graph and before is not item:
            before.dissolve()
    return item


def stage_text(graph: Graph, stage: str, target: Target | None = None, **options: Any) -> str:
    """The text of any stage of a traced graph. `names=False` leaves layer names and source lines out (graph stages)."""
    return STAGES[stage_index(stage)].text(lower_to(graph, stage, target), **options)


def current_target() -> Target:
    """The target that KCOMPILE_TARGET names; this machine by default."""
    from .codegen.target import Target
    return Target.named(option("KCOMPILE_TARGET"), codegen_options())


def to_program(graph: Graph, target: Target | None = None, announce: Announce = None) -> Program:
    """The planned program of a traced graph. With KCOMPILE_CHECK=1 every pass is verified and evaluated before and after. `announce` is
    told of kernels that the program of a step that trains will most likely have, long before it is planned."""
    target = target or current_target()
    if option("KCOMPILE_CHECK"):
        from .ir.passes.checked import run_checked
        return run_checked(graph, [(s.name, s.run) for s in STAGES[1 : stage_index("planned") + 1]], target)
    if announce is not None and any(graph.role(path) in LEARNED for path in graph.updates):
        program: Program = _fused(lower_to(graph, "described", target), target, announce)
        program = lower_to(program, "planned", target, start="fused")
    else:
        program = lower_to(graph, "planned", target)
    return program


def codegen_options() -> Any:
    """What the environment says to the code generator: KCOMPILE_THREADS, KCOMPILE_CACHE and so on. Raises OptionError."""
    from .codegen.options import CodegenOptions
    return CodegenOptions(threads=option("KCOMPILE_THREADS"), cache_dir=option("KCOMPILE_CACHE"),
                          cache_log=option("KCOMPILE_CACHE_LOG"), tune=option("KCOMPILE_TUNE"),
                          winograd=option("KCOMPILE_WINOGRAD"))


def compile_graph(graph: Graph, name: str = "", meanwhile: Callable[[], None] = lambda: None) -> Executable:
    """Native code for a traced graph. `meanwhile` may be called while another process compiles: what the caller would do next. Raises
    DescribeError, naming the layer, for what has no native kernel."""
    from .codegen.executable import compile_text
    target, options = current_target(), codegen_options()
    folder = option("KCOMPILE_DUMP")
    if folder is not None:
        from .tools.dump import dump
        dump(graph, target, folder)
    if option("KCOMPILE_CHECK"):
        from .codegen.executable import compile_program
        executable = compile_program(to_program(graph, target), target, options)  # the passes run, whatever the cache has
    else:
        executable = compile_text(fingerprint(graph), lambda announce: to_program(graph, target, announce), target, options, meanwhile)
    for listener in LISTENERS:
        listener(name or graph.name, graph, executable)
    return executable


LISTENERS: list[Callable[[str, Graph, Any], None]] = []  # called with (name, graph, executable) after each compilation
TIMES: dict[str, float] = {}  # seconds spent since the process began, by part; for `trace` and the tests of start-up
