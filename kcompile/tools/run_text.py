"""`run file.kir --passes a,b,c`: passes on a text, one after the other; the text that comes out."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from ..compiler import STAGES
from ..ir.graph import Graph, GraphError
from ..ir.passes import PASSES
from ..ir.passes.describe import DescribeError, describe
from ..ir.passes.fuse import fuse
from ..ir.passes.plan import plan
from ..ir.passes.split import split
from ..ir.program import Program
from ..ir.text import print_text
from .report import Report, TargetError
from .subject import load_subject, target_named

PROGRAM_PASSES: dict[str, Callable[[Program], Program]] = {"fuse": fuse, "split": split, "plan": plan}
BACK = ("loops", "scheduled", "llvm", "assembly")  # stages that a planned program can be taken to


def pass_names() -> list[str]:
    return [*PASSES, "describe", *PROGRAM_PASSES, *BACK]


def run_text(path: str, passes: str, cpu: str | None = None) -> Report:
    """Raises TargetError for a text, a pass or an order of passes that cannot be."""
    subject = load_subject(path)
    names = [name.strip() for name in passes.split(",") if name.strip()]
    for name in names:
        if name not in pass_names():
            near = get_close_matches(name, pass_names(), n=1)
            raise TargetError(f"no pass is named {name!r}; {f'did you mean {near[0]!r}? ' if near else ''}the passes are: "
                              f"{', '.join(pass_names())}")
    item: Any = subject.item
    stage = subject.start
    for name in names:
        try:
            item, stage = _one(name, item, stage, cpu)
        except (GraphError, DescribeError) as error:
            raise TargetError(f"{path}: pass {name}: {error}") from None
    text = print_text(item) if isinstance(item, (Graph, Program)) else next(s for s in STAGES if s.name == stage).text(item)
    return Report(text.rstrip("\n"), {"target": path, "passes": names, "text": text.rstrip("\n")})


def _one(name: str, item: Any, stage: str, cpu: str | None) -> tuple[Any, str]:
    wanted: type[Any] = Graph if name in PASSES or name == "describe" else Program
    if name in BACK:
        before = BACK.index(name)
        if before and stage != BACK[before - 1]:
            raise TargetError(f"pass {name} works on {BACK[before - 1]!r}: name {BACK[before - 1]} before it")
        if before == 0 and not isinstance(item, Program):
            raise TargetError("pass loops works on programs: name describe before it")
        try:
            return next(s for s in STAGES if s.name == name).run(item, target_named(cpu)), name
        except ValueError as error:  # a target that cannot be compiled for here
            raise TargetError(f"pass {name}: {error}") from None
    if not isinstance(item, wanted):
        given = {Graph: "a graph", Program: "a program"}.get(type(item), f"the stage {stage!r}")
        raise TargetError(f"pass {name} works on {'graphs' if wanted is Graph else 'programs'}; what it was given is {given}")
    if name in PASSES:
        return PASSES[name].function(item), ""
    return (describe(item) if name == "describe" else PROGRAM_PASSES[name](item)), ""
