"""What fusion remembers of a form holds wherever the form stands: a program whose kernels share forms is fused like one where none do."""

import pytest

from kcompile.common.struct import replace
from kcompile.ir import build
from kcompile.ir.forms import Forms
from kcompile.ir.fusion_table import COMPANY, LIGHT, PASSED_ON, SOLE
from kcompile.ir.graph import Graph
from kcompile.ir.passes.borders import borders
from kcompile.ir.passes.describe import describe
from kcompile.ir.passes.differentiate import differentiate
from kcompile.ir.passes.fuse import _Fuser, fuse
from kcompile.ir.passes.simplify import simplify
from kcompile.ir.program import Program
from kcompile.ir.random_graphs import random_graph
from kcompile.ir.text.programs import parse_program, print_program
from kcompile.ir.types import Dim, TensorType, f32


def _apart(program: Program) -> Program:
    """The same program, each kernel with a form of its own."""
    return parse_program(print_program(program))


def _assert_same(graph: Graph) -> Program:
    program = describe(graph)
    fused = fuse(program)
    assert print_program(fused, verdicts=True) == print_program(fuse(_apart(program)), verdicts=True)
    return fused


def _repeated() -> Graph:
    """Blocks alike but for what they are given twice: x + x is another form than x + y."""
    graph = Graph("repeated")
    x, y = (build.param(graph, name, TensorType((Dim.symbol("B"), 8), f32)) for name in ("x", "y"))
    for n in range(3):
        kernel = build.state(graph, f"w{n}", "weight", TensorType((8, 8), f32))
        hidden = build.tanh(build.dot(x, kernel))
        x, y = build.mul(build.exp(build.add(hidden, x if n == 1 else y)), hidden), build.add(x, x)
    graph.outputs["out"] = build.add(x, y)
    graph.outputs["other"] = y
    return graph


def test_forms_that_meet_again_are_fused_alike() -> None:
    program = describe(_repeated())
    forms = [step.kernel.placed.form for step in program.steps]
    assert len(set(forms)) < len(forms)
    _assert_same(_repeated())


def test_kernels_that_fusion_takes_away_are_never_made() -> None:
    described = describe(_repeated())
    fused = fuse(borders(described))
    assert "steps" not in vars(described) and len(described.steps) > len(fused.steps)
    assert replace(described, name="other").steps == described.steps


def test_parts_of_a_padded_array_leave_the_other_kernels_their_forms() -> None:
    graph = Graph("padded")
    x = build.param(graph, "x", TensorType((Dim.symbol("B"), 6, 6, 2), f32))
    weight = build.state(graph, "w", "weight", TensorType((3, 3, 2, 2), f32))
    for _ in range(2):
        x = build.conv(build.pad(build.tanh(x), (0, 1, 1, 0), (0, 1, 1, 0)), weight, (1, 1))
    graph.outputs["out"] = x
    described = describe(graph)
    program = borders(described)
    assert len(program.steps) > len(described.steps)
    before, after = ({step.kernel.label: step.kernel.placed.form for step in steps} for steps in (described.steps, program.steps))
    assert before["tanh"] is after["tanh"] and before["conv"] is after["conv"]
    assert [step.kernel.name for step in program.steps] == [f"k{n}" for n in range(len(program.steps))]


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_are_fused_alike(seed: int) -> None:
    _assert_same(simplify(differentiate(random_graph(seed, steps=16))))


def test_the_program_around_two_kernels_is_asked_what_the_table_wants_to_know() -> None:
    """A sum of a map: whether those who read it are light, whether others do, and what they read beside it decide."""
    graph = Graph("mask")
    x, y = (build.param(graph, name, TensorType((Dim.symbol("B"), 8), f32)) for name in ("x", "y"))
    graph.outputs["out"] = build.reduce_sum(build.mul(build.tanh(x), y), (0,))
    maps, total = [placed for placed in describe(graph).placed if len(placed.reads) == 2], describe(graph).placed[-1]
    (product,), (array,) = maps, total.reads
    forms = Forms()
    asked: dict[str, None] = {}

    def row(**answers: object) -> str:
        def around(question: str) -> object:
            asked[question] = None
            return answers[question]
        asked.clear()
        return forms.decide(product, total, array, around).name  # type: ignore[arg-type]
    for _ in range(2):  # from the table, and then from memory
        assert row(light=False, sole=True) == "map into reduction" and list(asked) == [LIGHT, SOLE]
        assert row(light=False, sole=False) == "map into reduction, shared" and list(asked) == [LIGHT, SOLE]
        assert row(light=True, company=frozenset(product.reads)) == PASSED_ON and list(asked) == [LIGHT, COMPANY]
        assert row(light=True, company=frozenset(), sole=True) == "map into reduction" and list(asked) == [LIGHT, COMPANY, SOLE]
        assert row(light=True, company=frozenset(["other"]), sole=False) == "map into reduction, shared"
    tanh = next(placed for placed in describe(graph).placed if len(placed.reads) == 1)
    asked.clear()
    assert forms.decide(tanh, product, tanh.writes[0], lambda question: asked.setdefault(question) or False).name == "map, same space"
    assert list(asked) == [LIGHT]


@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_what_fusion_knows_of_readers_and_writers_is_what_its_kernels_say(seed: int) -> None:
    program = borders(describe(simplify(differentiate(random_graph(seed, steps=16)))))
    fuser = _Fuser(program)
    fuser.run(None)
    kernels = dict(fuser.kernels)
    known = [{array: users for array, users in found.items() if users} for found in (fuser.readers, fuser.writers, fuser.users)]
    before, heavy = dict(fuser.before), +fuser.heavy
    for n in kernels:
        fuser.leave(n)
    for n, kernel in kernels.items():
        fuser.enter(n, kernel)
    assert known == [{array: users for array, users in found.items() if users} for found in (fuser.readers, fuser.writers, fuser.users)]
    assert heavy == +fuser.heavy and before == {n: fuser.predecessors(n) for n in before}
