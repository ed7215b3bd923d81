"""Text forms of graphs, kernels and programs: `print_text(parse(text)) == text`, to the byte.

Parse errors are one line: file:line:column, what was expected, what was found.
"""

from __future__ import annotations

from typing import Union

from ..graph import Graph
from ..kernel import Kernel
from ..program import Program
from .graphs import node_text, parse_graph, print_graph, value_names
from .kernels import equation_text, parse_kernel, print_kernel
from .programs import parse_program, print_program
from .scalars import aff_text, expr_text
from .tokens import Cursor, ParseError

Described = Union[Graph, Kernel, Program]

__all__ = ["Cursor", "Described", "ParseError", "aff_text", "equation_text", "expr_text", "node_text", "parse", "parse_graph",
           "parse_kernel", "parse_program", "print_graph", "print_kernel", "print_program", "print_text", "value_names"]


def print_text(thing: Described) -> str:
    """The text of a graph, a kernel or a program."""
    if isinstance(thing, Graph):
        return print_graph(thing)
    return print_kernel(thing) if isinstance(thing, Kernel) else print_program(thing)


def parse(text: str, file: str = "<text>", first_line: int = 1) -> Described:
    """The graph, kernel or program of a text, whichever its first word says. Raises ParseError."""
    cursor = Cursor(text, file, first_line)
    cursor.skip_lines()
    word = cursor.token.text
    if word == "graph":
        return parse_graph(text, file, first_line)
    if word == "kernel":
        return parse_kernel(text, file, first_line)
    if word == "program":
        return parse_program(text, file, first_line)
    raise cursor.error("graph, kernel or program")
