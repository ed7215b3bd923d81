"""The steps of ir/: every pass on graphs, every pass on programs, printing and checking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from file_tests import Options, register

from kcompile.ir.fusion_table import kind
from kcompile.ir.graph import Graph
from kcompile.ir.passes import PASSES
from kcompile.ir.passes.again import again
from kcompile.ir.passes.borders import borders
from kcompile.ir.passes.centre import centre
from kcompile.ir.passes.describe import describe
from kcompile.ir.passes.fuse import fuse
from kcompile.ir.passes.plan import plan
from kcompile.ir.passes.simplify import simplify, simplify_with_log
from kcompile.ir.passes.split import split
from kcompile.ir.program import Program
from kcompile.ir.rewrite import RULES, Rewriter
from kcompile.ir.text import parse, parse_graph, parse_program, print_graph, print_program, print_text, value_names
from kcompile.ir.text.kernels import parse_kernel
from kcompile.ir.verify import verify_graph, verify_kernel, verify_program


def _graph_step(function: Callable[[Graph], Graph]) -> Callable[[str, Options], str]:
    def step(text: str, options: Options) -> str:
        graph = function(parse_graph(text, options.file, options.line))
        verify_graph(graph)
        return print_graph(graph, locations=options.values.get("locations") == "yes", names=options.values.get("names") != "no")
    return step


def _program_step(function: Callable[[Any], Program]) -> Callable[[str, Options], str]:
    def step(text: str, options: Options) -> str:
        program = function(parse_program(text, options.file, options.line))
        verify_program(program)
        return print_program(program, verdicts=options.values.get("verdicts") == "yes")
    return step


def _describe(text: str, options: Options) -> str:
    program = describe(parse_graph(text, options.file, options.line))
    verify_program(program)
    return print_program(program)


def _print(text: str, options: Options) -> str:
    thing = parse(text, options.file, options.line)
    if isinstance(thing, Graph):
        return print_graph(thing, locations=options.values.get("locations") == "yes", names=options.values.get("names") != "no")
    return print_text(thing)


def _verify(text: str, options: Options) -> str:
    thing = parse(text, options.file, options.line)
    check: Callable[[Any], None] = verify_graph if isinstance(thing, Graph) else \
        verify_program if isinstance(thing, Program) else verify_kernel
    check(thing)
    return "verified\n"


def _rules(text: str, options: Options) -> str:
    """What simplify did: rule, node, layer."""
    graph = parse_graph(text, options.file, options.line)
    names = {value.node.number: name for value, name in value_names(graph).items()}
    _, log = simplify_with_log(graph, tuple(options.values["inexact"].split(",")) if "inexact" in options.values else ())
    return "".join(f"{a.rule} at {names[a.node]} ({a.op}){' in ' + a.path if a.path else ''}\n" for a in log)


def _kind(text: str, options: Options) -> str:
    """The kind of a kernel, by which the fusion table and the strategy choose."""
    return f"{kind(parse_kernel(text, options.file, options.line))}\n"


def _simplify(text: str, options: Options) -> str:
    """The pass; with `only: a,b` these rules alone."""
    chosen = options.values.get("only")
    run = Rewriter([RULES[name] for name in chosen.split(",")]).run if chosen else simplify
    return _graph_step(run)(text, options)


for _name, _pass in PASSES.items():
    register(_name, _simplify if _name == "simplify" else _graph_step(_pass.function))
register("describe", _describe)
for _name, _function in (("fuse", fuse), ("borders", borders), ("split", split), ("centre", centre), ("again", again), ("plan", plan)):
    register(_name, _program_step(_function))
register("print", _print)
register("verify", _verify)
register("rules", _rules)
register("kind", _kind)
