"""Colour for a terminal: words of the text forms by what they are. The text itself is the same, and plain everywhere else."""

from __future__ import annotations

import os
import re
from typing import TextIO

DIM, RED, GREEN, YELLOW, BLUE, CYAN = "2", "31", "32", "33", "34;1", "36"
_WORDS = ("graph|program|kernel|nest|param|state|temp|view|output|step|barrier|axes|read|write|reduce|store|let|index|accumulate|out|"
          "update|verdict|arrays|scratch|steps|note|body|parallel|for|each|acc|fold|define|declare|ret|br")
_TOKEN = re.compile(rf"""
    (?P<string>"(?:[^"\\\n]|\\.)*")
  | (?P<remark>(?:\#|;)\ [^\n]*)
  | (?P<value>%(?:"[^"\n]*"|[\w./'-]+))
  | (?P<type>\b(?:f16|bf16|f32|f64|[iu](?:8|16|32|64)|bool)(?:\[[^\]\n]*\])?)
  | (?P<good>^\s*(?:fused:|ok\b)|\bpassed\b)
  | (?P<bad>^\s*(?:apart:|FAILED)|\bFAILED\b)
  | (?P<word>^\s*(?:{_WORDS})\b)
""", re.VERBOSE | re.MULTILINE)
_STYLES = {"string": YELLOW, "remark": DIM, "value": CYAN, "type": GREEN, "good": GREEN, "bad": RED, "word": BLUE}


def wanted(stream: TextIO) -> bool:
    """On a terminal, where NO_COLOR is not set and the terminal is not dumb."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") != "dumb"


def coloured(text: str) -> str:
    """The text with colours; lines that a diff took out are red, those it put in green."""
    return "\n".join(_line(line) for line in text.split("\n"))


def _line(line: str) -> str:
    if line.startswith(("- ", "+ ")):
        return _in(RED if line[0] == "-" else GREEN, line)
    return _TOKEN.sub(lambda found: _in(_STYLES[str(found.lastgroup)], found[0]), line)


def _in(style: str, text: str) -> str:
    blank = len(text) - len(text.lstrip(" "))
    return f"{text[:blank]}\x1b[{style}m{text[blank:]}\x1b[0m"
