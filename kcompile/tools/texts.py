"""Any text that a stage prints, read back: graphs, kernels and programs, loop nests, LLVM IR, assembly."""

from __future__ import annotations

import re
from typing import Any

from ..ir.graph import Graph
from ..ir.kernel import Kernel
from ..ir.ops.pseudo import PSEUDO_OPS
from ..ir.program import Buffer, Program, Step
from ..ir.text import ParseError, parse
from .report import TargetError

_LLVM = re.compile(r"(define|declare|source_filename|target|attributes|@|;)")


def read_text(text: str, path: str) -> tuple[Any, str]:
    """(the object, its stage). Raises TargetError: file:line:column, what was expected."""
    lines = text.splitlines()
    first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    try:
        if first.split(maxsplit=1)[:1] == ["nest"]:
            from ..codegen.nest_text import parse_nests
            nests = parse_nests(text, path)
            return nests, "scheduled" if any(nest.steps or nest.notes for nest in nests) else "loops"
        if _LLVM.match(first):
            return _functions(text, path), "llvm"
        if first.startswith(("\t.", "    .", ".text", ".file")):
            return [text.rstrip("\n") + "\n"], "assembly"
        from ..ir import build  # noqa: F401  (defines every op)
        item = parse(text, path)
    except ParseError as error:
        raise TargetError(str(error)) from None
    found = program_of(item) if isinstance(item, Kernel) else item
    return found, stage_of(found)


def _functions(text: str, path: str) -> list[str]:
    """The module of each kernel, as `llvm` prints them one after the other; each is parsed by LLVM."""
    from ..codegen.module import InvalidText
    from ..codegen.module import parse as parse_llvm
    modules = [f"{part}\n" for part in text.rstrip("\n").replace("}\n\n", "}\n\0").split("\n\0")]
    line = 0
    for module in modules:
        try:
            parse_llvm("\n" * line + module, path)  # so that LLVM counts lines as the file does
        except InvalidText as error:
            message = re.sub(r", line (\d+)", r":\1", str(error), count=1)
            raise TargetError(" ".join(message.split())) from None
        line += module.count("\n") + 1
    return modules


def program_of(kernel: Kernel) -> Program:
    """A planned program of one kernel: what it writes are outputs, what else it touches are params."""
    written = set(kernel.writes)
    buffers = {name: Buffer(name, type_, "output" if name in written else "param") for name, type_ in kernel.arrays.items()}
    return Program(kernel.name, buffers, (Step(kernel),), {name: name for name in kernel.writes})


def stage_of(item: Graph | Program) -> str:
    """The stage whose object a text is; a graph without gradients counts as differentiated."""
    if isinstance(item, Graph):
        pseudo = any(node.op.name in PSEUDO_OPS for node in item.links)
        return "traced" if pseudo else "differentiated"
    if not item.updates and (item.lifetimes or not any(b.kind == "temp" for b in item.buffers.values())):
        return "planned"
    return "fused" if item.verdicts else "described"
