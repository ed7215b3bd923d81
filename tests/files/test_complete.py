"""Nothing without a file test: the lists come from the code, and what has none is named.

Stages, passes on graphs, ops, rewrite rules, rows of the fusion table, steps of schedules, and, for each fixed target, kinds of
kernels, facts of their code, and tails.
"""

from __future__ import annotations

import importlib
from functools import cache

import pytest
from file_tests import FOLDER, STEPS, FileTest, read

import kcompile.ir.ops  # noqa: F401  registers them
from kcompile.codegen.nest import Loop, Nest, Transpose, statements
from kcompile.codegen.nest_text import parse_nest
from kcompile.codegen.schedule import STEPS as SCHEDULE_STEPS
from kcompile.codegen.target import NAMED
from kcompile.compiler import STAGES
from kcompile.ir.fusion_table import ANY, TABLE, kind
from kcompile.ir.op import OPS, OpaqueKernel
from kcompile.ir.passes import PASSES
from kcompile.ir.passes.simplify import simplify_with_log
from kcompile.ir.rewrite import RULES, Rewriter, all_rules
from kcompile.ir.text import parse_graph, parse_program
from kcompile.ir.text.kernels import parse_kernel
from kcompile.ir.types import is_static

for _module in sorted(FOLDER.glob("steps_*.py")):
    importlib.import_module(_module.stem)

# stage -> the step of file tests that makes it, where the names differ
STEP_OF_STAGE = {"traced": "print", "differentiated": "differentiate", "simplified": "simplify", "filtered": "winograd",
                 "described": "describe", "fused": "fuse", "planned": "plan", "loops": "lower", "scheduled": "schedule",
                 "assembly": "facts"}


@cache
def all_tests() -> tuple[FileTest, ...]:
    """Every file test that expects no error."""
    found = [read(path) for path in sorted(FOLDER.rglob("*.kir"))]
    return tuple(test for test in found if not test.expected.startswith("error:"))


def before(test: FileTest, step: str) -> str:
    """The text that a step of a test is given."""
    text = test.text
    for name in test.steps[:test.steps.index(step)]:
        text = STEPS[name](text, test.options)
    return text


def missing(wanted: object, found: object) -> list[str]:
    return sorted(set(wanted) - set(found))  # type: ignore[call-overload]


def test_every_stage_and_pass() -> None:
    steps = {step for test in all_tests() for step in test.steps}
    wanted = {*PASSES, "borders", "split", "centre", "again", *(STEP_OF_STAGE.get(stage.name, stage.name) for stage in STAGES)}
    assert not missing(wanted, steps), "stages or passes without a file test"


def test_every_step_of_file_tests_is_used() -> None:
    """`verify` has tests of its errors alone."""
    assert not missing(STEPS, {step for path in FOLDER.rglob("*.kir") for step in read(path).steps})


def test_every_rule() -> None:
    """A rule has a test where it is applied to the test's graph."""
    applied = set()
    for test in all_tests():
        for step in {"simplify", "rules"} & set(test.steps):
            graph = parse_graph(before(test, step), test.options.file)
            values = test.options.values
            if "only" in values:
                rewriter = Rewriter([RULES[name] for name in values["only"].split(",")])
                rewriter.run(graph)
                log = rewriter.log
            else:
                log = simplify_with_log(graph, tuple(values["inexact"].split(",")) if "inexact" in values else ())[1]
            applied |= {application.rule for application in log}
    assert not missing([rule.name for rule in all_rules()], applied), "rules that no file test applies: tests/files/simplify/rules"


def test_every_row_of_the_fusion_table() -> None:
    shown = {row.name for row in TABLE for test in all_tests() if f'"{row.name}"' in test.expected}
    wanted = {row.name for row in TABLE} - {"rest"}
    assert not missing(wanted, shown), "rows of the fusion table that decide no verdict of a file test: tests/files/fused"


def test_the_last_row_of_the_fusion_table_is_a_guard() -> None:
    """`rest` needs no file test, because no pair of kinds comes so far: a kernel that stores literals reads nothing, and for each
    other pair an earlier row is unconditional."""
    unconditional = TABLE[-1].when
    for producer in ANY:
        for consumer in set(ANY) - {"fill"}:
            rows = [r.name for r in TABLE[:-1] if producer in r.producers and consumer in r.consumers and r.when is unconditional]
            assert rows, f"{producer} -> {consumer} falls to the last row: give 'rest' a file test"


def test_every_op_is_described() -> None:
    described = set()
    for test in all_tests():
        if "describe" in test.steps:
            described |= {node.op.name for node in parse_graph(before(test, "describe"), test.options.file).links}
    wanted = [op.name for op in OPS.values() if not isinstance(op.kernel, OpaqueKernel)]
    assert not missing(wanted, described), "ops that no file test describes: tests/files/described"


def test_every_step_of_schedules() -> None:
    calls = [call for test in all_tests() if "apply" in test.steps for call in test.options.values["do"].split(";")]
    applied = {call.partition("(")[0].strip() for call in calls}
    assert not missing(SCHEDULE_STEPS, applied), "steps of schedules without a file test: tests/files/steps"


def kinds_by_step(last: str) -> set[tuple[str, str]]:
    """(kind of kernel, target) of the tests that lower a kernel and end in a step."""
    return {(kind(parse_kernel(test.text, test.options.file, test.options.line)), test.options.values["target"])
            for test in all_tests() if test.steps[0] == "lower" and "schedule" in test.steps and test.steps[-1] == last}


@pytest.mark.parametrize("last", ["schedule", "facts"])
def test_every_kind_of_kernel_on_every_target(last: str) -> None:
    wanted = {(kind_, target) for kind_ in ANY for target in NAMED}
    assert not missing(wanted, kinds_by_step(last)), f"kernels without a file test that ends in {last}: tests/files/kinds, tests/files/code"


def tails(nest: Nest) -> set[str]:
    """The ways in which the loops of a nest end in part of a tile."""
    found = set()
    folded = {var for s in statements(nest.body) for var in getattr(s, "folded", ())}
    for s in statements(nest.body):
        if isinstance(s, Transpose) and (s.lane_clip or s.column_clip):
            found.add("transposed")
        if isinstance(s, Loop) and s.clip and s.mode != "for":
            found.add(("lanes" if s.mode == "vec" else "rows") + (" of a number" if is_static(s.clip.extent) else " of a symbol"))
            if s.var in folded:
                found.add("folded")
        if isinstance(s, Loop) and s.back:
            found.add("stepped back")
        if isinstance(s, Loop) and s.clip and s.mode == "for" and s.var.endswith(".r"):
            found.add("row by row")
        if isinstance(s, Loop) and s.clip and s.mode == "for" and s.var.endswith(".s") and is_static(s.clip.base.const):
            found.add("rows that are left")
    return found


TAILS = ("lanes of a number", "lanes of a symbol", "rows of a number", "rows of a symbol", "transposed", "folded", "stepped back",
         "row by row", "rows that are left")


def test_every_tail_on_every_target() -> None:
    """On a target without vectors the strategy makes no tiles, and so no tails: that is what its files show."""
    found = {}
    for test in all_tests():
        if "schedule" in test.steps and test.steps[-1] == "schedule":
            for tail in tails(parse_nest(test.run())):
                found.setdefault(test.options.values["target"], set()).add(tail)
    for target in NAMED.values():
        if target.vector_bytes:
            assert not missing(TAILS, found.get(target.name, ())), f"tails without a file test for {target.name}: tests/files/tails"
        else:
            assert not found.get(target.name), f"{target.name} has tails now: add tests for {found[target.name]}"


def test_facts_of_code_are_checked_as_promised() -> None:
    """Below LLVM text: vector width, fused multiply-adds, calls and allocations in loops, spills."""
    checked = {line.removeprefix("// check: ").rsplit(" ", 2)[0] for test in all_tests() if test.steps[-1] == "facts"
               for line in test.expected.splitlines()}
    assert {"vector", "fma", "calls in loops", "allocations in loops", "spills"} <= checked


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """This file can fail: without the files of one folder, it says what they showed."""
    kept = tuple(test for test in all_tests() if "tile" not in test.options.values.get("do", ""))
    monkeypatch.setitem(globals(), "all_tests", lambda: kept)
    with pytest.raises(AssertionError, match="tile"):
        test_every_step_of_schedules()


def test_verdicts_can_be_read() -> None:
    """The expected text of every fused program parses: a row's name is looked up in what is really a verdict."""
    for test in all_tests():
        if test.steps[-1] == "fuse" and not test.expected.startswith("// check"):
            parse_program(test.expected, test.options.file)


