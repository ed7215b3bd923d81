"""The steps of codegen/: lower a kernel, apply scheduling steps, plan for a target, emit LLVM text.

    // run: lower,apply  do: tile(j,32);vectorize(j.i,16)
    // run: lower,schedule,llvm  target: avx512
    // run: lower,schedule,facts  target: avx2      what a reader of the code would count, one fact a line, for `// check:`
"""

from __future__ import annotations

import re

from file_tests import Options, register

from kcompile.codegen.emit import emit
from kcompile.codegen.lower import lower
from kcompile.codegen.nest_text import parse_nest, print_nest
from kcompile.codegen.schedule import apply
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.text.kernels import parse_kernel
from kcompile.tools.snapshot import facts_of


def _lower(text: str, options: Options) -> str:
    return print_nest(lower(parse_kernel(text, options.file, options.line)))


def _apply(text: str, options: Options) -> str:
    nest = parse_nest(text)
    for step in options.values["do"].split(";"):
        nest = apply(nest, step)
    return print_nest(nest)


def _schedule(text: str, options: Options) -> str:
    return print_nest(plan(parse_nest(text), Target.named(options.values["target"])))


def _llvm(text: str, options: Options) -> str:
    nest = parse_nest(text)
    return emit(nest, Target.named(options.values["target"]), nest.name)


def _facts(text: str, options: Options) -> str:
    """Vector width, fma and so on of the LLVM text; calls and allocations inside its loops; spills and instructions of the
    assembly, for x86."""
    nest, target = parse_nest(text), Target.named(options.values["target"])
    function = emit(nest, target, nest.name)
    facts = {**facts_of(function, target), "calls in loops": in_loops(function, r"call .*@(?!llvm\.)"),
             "allocations in loops": in_loops(function, r"= alloca ")}
    return "".join(f"{name} {number}\n" for name, number in facts.items())


def in_loops(function: str, pattern: str) -> int:
    """Lines of a function that match and stand between a block's label and a branch back to it."""
    lines = function.splitlines()
    labels = {line[:-1]: n for n, line in enumerate(lines) if re.fullmatch(r"[\w.]+:", line)}
    inside = [False] * len(lines)
    for n, line in enumerate(lines):
        for label in re.findall(r"label %([\w.]+)", line):
            if labels.get(label, n + 1) <= n:
                inside[labels[label]:n + 1] = [True] * (n + 1 - labels[label])
    return sum(bool(re.search(pattern, line)) for line, looped in zip(lines, inside, strict=True) if looped)


register("lower", _lower)
register("apply", _apply)
register("schedule", _schedule)
register("llvm", _llvm)
register("facts", _facts)
