"""File tests: a text, the steps to run on it, and the exact text that must come out.

    // run: differentiate,simplify  target: avx512 threads=4
    // what the test shows
    graph g {
      ...
    }
    ----
    graph g {
      ...
    }

A step is a function (text, options) -> text. Passes on graphs and programs are steps already; another room adds its own
in a module `steps_<room>.py` beside this one, with `register`. `pytest --bless` rewrites what follows the line of dashes.
Where that part consists of `// check:` lines, each must be found in the output, in order; `// check-not:` must not be found.
`// check: spills <= 2` (also >= and ==) looks for a line `spills N` and compares the number.
A step that raises one of the compiler's errors gives `error: <message>`: so messages are tested too.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent
SEPARATOR = "----\n"
OPTION = re.compile(r"(\w+)[:=]\s*(\S+)")
BOUND = re.compile(r"([a-z ]+) (<=|>=|==) (\d+)")
COMPARE: dict[str, Callable[[int, int], bool]] = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}


@dataclass(frozen=True)
class Options:
    """`values`: every `name: value` and `name=value` of the header's first line but `run`; `file` and `line` say where the text
    begins, for messages."""

    file: str
    line: int
    values: dict[str, str] = field(default_factory=dict)


Step = Callable[[str, Options], str]
STEPS: dict[str, Step] = {}


def register(name: str, step: Step) -> None:
    """Add a step. Raises ValueError for a name that is taken."""
    if name in STEPS:
        raise ValueError(f"step {name} is registered twice")
    STEPS[name] = step


@dataclass(frozen=True)
class FileTest:
    path: Path
    steps: tuple[str, ...]
    options: Options
    head: str  # header and input, as they stand
    text: str
    expected: str

    def run(self) -> str:
        text = self.text
        for name in self.steps:
            if name not in STEPS:
                raise ValueError(f"{self.options.file}: no step is named {name!r}; there are {', '.join(sorted(STEPS))}")
            try:
                text = STEPS[name](text, self.options)
            except (ValueError, TypeError) as error:  # ParseError, GraphError, VerifyError and the ops' own
                return f"error: {error}\n"
        return text

    def compare(self, output: str) -> None:
        """Raises AssertionError."""
        checks = self.expected.splitlines()
        if not checks or not all(line.startswith("// check") for line in checks):
            assert output == self.expected, f"{self.path} (pytest --bless rewrites it)"
            return
        position = 0
        for line in checks:
            kind, _, fact = line.partition(": ")
            bound = BOUND.fullmatch(fact)
            if bound and kind == "// check":
                number = re.search(rf"^{re.escape(bound[1])} (\d+)$", output, re.M)
                assert number, f"{self.path}: the output has no line '{bound[1]} N'\n{output}"
                assert COMPARE[bound[2]](int(number[1]), int(bound[3])), f"{self.path}: {number[0]!r} is not {bound[2]} {bound[3]}"
            elif kind == "// check-not":
                assert fact not in output, f"{self.path}: found {fact!r}"
            else:
                found = output.find(fact, position)
                assert found >= 0, f"{self.path}: {fact!r} is not in the output (or not in this order)\n{output}"
                position = found + len(fact)

    def bless(self, output: str) -> None:
        if not self.expected.startswith("// check"):
            self.path.write_text(self.head + SEPARATOR + output)


def read(path: Path) -> FileTest:
    """Raises ValueError for a file without a run line."""
    whole = path.read_text()
    head, _, expected = whole.partition(SEPARATOR)
    lines = head.splitlines(keepends=True)
    count = next((n for n, line in enumerate(lines) if not line.startswith("//")), len(lines))
    header = lines[0] if lines else ""
    match = re.match(r"// run:\s*([\w,]+)(.*)", header)
    if not match:
        raise ValueError(f"{path}: the first line must be '// run: step,step  option: value'")
    options = Options(path.name, count + 1, dict(OPTION.findall(match[2])))
    return FileTest(path, tuple(match[1].split(",")), options, head, "".join(lines[count:]), expected)
