"""`diff` of stages and of targets: what changed and nothing else; each rewrite with its rule and place."""

import json

import pytest

GRAPH = """graph g {{
  param %x: f32[B, 4]
  %0 = exp(%x)
  %1 = {op}(%0)
  %2 = neg(%1)
  out y = %2
}}
"""


def test_rules_and_nodes_between_two_stages(cli, tmp_path):
    (tmp_path / "g.kir").write_text("graph g {\n  param %x: f32[B]\n  %0 = constant(1.0): f32[B]\n  %1 = mul(%x, %0)  # net/a m.py:3\n"
                                    "  %2 = exp(%1)\n  out y = %2\n}\n")
    code, out, _ = cli("diff", "g.kir", "differentiated", "simplified")
    assert code == 0
    assert out.splitlines() == [
        "g.kir: differentiated -> simplified",
        "- %0 = constant(1.0): f32[B]",
        "- %1 = mul(%x, %0): f32[B]  # net/a m.py:3",
        "- %2 = exp(%1): f32[B]",
        "+ %0 = exp(%x): f32[B]",
        "rules, 1 rewrites",
        "  multiply_by_one: mul of net/a  m.py:3",
    ]


def test_one_changed_op_is_not_repeated_by_all_that_follow(cli, tmp_path):
    (tmp_path / "a.kir").write_text(GRAPH.format(op="tanh"))
    (tmp_path / "b.kir").write_text(GRAPH.format(op="sigmoid"))
    out = cli("diff", "a.kir", "b.kir")[1].splitlines()
    assert "- %1 = tanh(%0): f32[B, 4]" in out and "+ %1 = sigmoid(%0): f32[B, 4]" in out
    assert not any("exp" in line or "out y" in line for line in out)


def test_the_same_twice(cli):
    assert cli("diff", "net.py:build", "net.py:build", "--stage", "planned")[1].splitlines()[1:] == ["no difference"]
    assert json.loads(cli("diff", "net.py:build", "net.py:build", "--json")[1])["changes"] == []


@pytest.mark.parametrize("stage", ["fused", "planned", "scheduled", "llvm"])
def test_another_size(cli, tmp_path, stage):
    (tmp_path / "other.py").write_text((tmp_path / "net.py").read_text().replace("Dense(3", "Dense(5"))
    out = cli("diff", "net.py:build", "other.py:build", "--stage", stage, "--step", "predict")[1]
    assert any(line.startswith("- ") for line in out.splitlines()) and any(line.startswith("+ ") for line in out.splitlines())


@pytest.mark.parametrize("arguments, part", [
    (("net.py:build",), "two snapshots; given 1"), (("net.py:build", "traced", "simplifyed"), "unknown stage 'simplifyed'"),
    (("net.py:build", "traced", "fused", "--stage", "fused"), "takes no --stage"), (("net.py:build", "no.kir"), "no such file: no.kir"),
])
def test_mistakes(cli, arguments, part):
    code, out, err = cli("diff", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1) and part in err
