"""`run file.kir --passes`: the text after the passes; every wrong pass or order is one line."""

import pytest

GRAPH = "graph g {\n  param %x: f32[B, 4]\n  %0 = constant(1.0): f32[B, 4]\n  %1 = mul(%x, %0)\n  %2 = exp(%1)\n  out y = %2\n}\n"


@pytest.fixture
def graph(tmp_path):
    (tmp_path / "g.kir").write_text(GRAPH)


def test_graph_passes(cli, graph):
    code, out, _ = cli("run", "g.kir", "--passes", "simplify")
    assert (code, out) == (0, "graph g {\n  param %x: f32[B, 4]\n  %0 = exp(%x): f32[B, 4]\n  out y = %0\n}\n")


def test_options_before_or_after(cli, graph):
    after = cli("run", "g.kir", "--passes=simplify,describe")[1]
    assert after.startswith("program g") and cli("run", "--passes", "simplify,describe", "g.kir")[1] == after


def test_to_machine_code(cli, graph):
    passes = "simplify,describe,fuse,split,plan,loops,scheduled"
    assert "16 lanes" in cli("run", "g.kir", "--passes", passes, "--target", "avx512")[1]
    assert "define void" in cli("run", "g.kir", "--passes", passes + ",llvm", "--target", "avx2")[1]


@pytest.mark.parametrize("arguments, part", [
    (("g.kir", "--passes", "simplyfy"), "did you mean 'simplify'"), (("g.kir", "--passes", "fuse"), "fuse works on programs"),
    (("g.kir", "--passes", "describe,simplify"), "simplify works on graphs"), (("g.kir",), "--passes"),
    (("g.kir", "--passes", "describe,plan,llvm"), "name scheduled before it"), (("g.kir", "--passes", "loops"), "name describe before"),
    (("no.kir", "--passes", "fuse"), "no such file"), (("g.kir", "--what", "fuse"), "unexpected '--what'"),
])
def test_mistakes(cli, graph, arguments, part):
    code, out, err = cli("run", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1) and part in err
