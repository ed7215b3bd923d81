"""`trace`: every stage with its counts and time, and every rule with its places."""

import json

from kcompile.compiler import STAGE_NAMES
from kcompile.inspection import step_graph
from kcompile.ir.passes.differentiate import differentiate
from kcompile.ir.passes.simplify import simplify_with_log


def test_stages_and_rules(cli, model):
    data = json.loads(cli("trace", "net.py:build", "--json")[1])
    assert [row["stage"] for row in data["stages"]] == [*STAGE_NAMES[1:-1], "object code"]
    assert all(row["seconds"] > 0 for row in data["stages"])
    for row, following in zip(data["stages"], data["stages"][1:-1], strict=False):
        assert row["after"] == following["before"]
    _, log = simplify_with_log(differentiate(step_graph(model)))
    assert [entry["rule"] for entry in data["rules"]] == [a.rule for a in log]
    assert all(entry["path"] or entry["source"] or entry["op"] for entry in data["rules"])


def test_text(cli):
    code, out, _ = cli("trace", "net.py:build", "--step", "predict")
    assert code == 0 and out.startswith("net.py:build\n") and "simplified" in out and "LLVM" in out


def test_from_a_text(cli, tmp_path):
    (tmp_path / "g.kir").write_text("graph g {\n  param %x: f32[B]\n  %0 = constant(1.0): f32[B]\n  %1 = mul(%x, %0)\n  out y = %1\n}\n")
    out = cli("trace", "g.kir")[1]
    assert "multiply_by_one" in out and "mul" in out
