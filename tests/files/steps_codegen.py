"""The steps of codegen/: lower a kernel, apply scheduling steps, plan for a target, emit LLVM text.

    // run: lower,apply  do: tile(j,32);vectorize(j.i,16)
    // run: lower,schedule,llvm  target: avx512
"""

from __future__ import annotations

from file_tests import Options, register

from kcompile.codegen.emit import emit
from kcompile.codegen.lower import lower
from kcompile.codegen.nest_text import parse_nest, print_nest
from kcompile.codegen.schedule import apply
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.text.kernels import parse_kernel


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


register("lower", _lower)
register("apply", _apply)
register("schedule", _schedule)
register("llvm", _llvm)
