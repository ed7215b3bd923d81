"""`snapshot`: every kernel as a file, the same each time; two snapshots compared kernel by kernel."""

import pytest

from kcompile.codegen.target import Target
from kcompile.tools.snapshot import default_targets, facts_of
from kcompile.tools.snapshot_diff import steps_in


def _all(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.kernel")}


def test_the_same_code_gives_the_same_snapshot(cli, tmp_path):
    code, out, _ = cli("snapshot", "a", "net.py:build")
    assert code == 0 and out.splitlines()[0].endswith("kernels for avx512 in a")
    cli("snapshot", "b", "net.py:build")
    assert _all(tmp_path / "a") == _all(tmp_path / "b") != {}
    assert {name.split("/")[0] for name in _all(tmp_path / "a")} == {"net-build-train", "net-build-predict"}
    assert cli("diff", "a", "b")[1].splitlines() == [
        f"a -> b for avx512: {len(_all(tmp_path / 'a'))} kernels the same, 0 changed, 0 added, 0 removed"]


def test_what_a_change_did(cli, tmp_path):
    cli("snapshot", "a", "net.py:build")
    text = (tmp_path / "net.py").read_text().replace('4, 3, activation="relu"', '64, 3, activation="tanh"')
    (tmp_path / "net.py").write_text(text)
    cli("snapshot", "b", "net.py:build")
    out = cli("diff", "a", "b")[1]
    assert "removed: net-build-predict/net_conv_conv_broadcast_add_maximum.1" in out
    assert "added: net-build-predict/net_conv_conv_broadcast_add_tanh.1" in out
    assert "instructions" in out and "kernels the same" in out


def test_kernels_that_changed_alike_are_one_entry_with_their_steps(cli, tmp_path, monkeypatch):
    program = ("import kcompile as keras\nfrom kcompile import layers\n"
               "hidden = [layers.Dense(64, activation='relu') for _ in range(5)]\n"
               "net = keras.Sequential([keras.Input((64,)), *hidden, layers.Dense(3)], name='net')\n"
               "net.compile('sgd', 'mse')\n")
    (tmp_path / "deep.py").write_text(program)
    cli("snapshot", "a", "deep.py:net", "--target", "avx2")
    from kcompile.codegen.strategy import shapes
    monkeypatch.setattr(shapes, "COLUMN_VECTORS", 2)
    cli("snapshot", "b", "deep.py:net", "--target", "avx2")
    lines = cli("diff", "a", "b")[1].splitlines()
    assert "removed" in lines[0] and "0 removed" in lines[0] and "instructions" in lines[0]
    group = next(n for n, line in enumerate(lines) if line.startswith("changed alike, "))
    assert "deep-net-train/net_dense" in lines[group] and lines[group + 1].startswith("    lines ")
    assert any(line.startswith("    - ") and "tile(" in line for line in lines) and any(line.startswith("    + ") for line in lines)
    assert lines[-1] == "one of them whole: diff -u a/NAME.kernel b/NAME.kernel"


def test_models_that_one_snapshot_has_are_one_line(cli, tmp_path):
    (tmp_path / "other.py").write_text((tmp_path / "net.py").read_text())
    cli("snapshot", "a", "net.py:build", "other.py:build")
    cli("snapshot", "b", "net.py:build")
    lines = cli("diff", "a", "b")[1].splitlines()
    assert lines[1:] == ["only a has the models other-build-predict, other-build-train"] and "0 changed, 0 added, 0 removed" in lines[0]


def test_snapshots_of_two_targets_are_not_compared(cli, tmp_path):
    cli("snapshot", "a", "net.py:build")
    cli("snapshot", "b", "net.py:build", "--target", "avx2")
    code, _, err = cli("diff", "a", "b")
    assert code == 2 and "a is for avx512, b for avx2" in err


def test_steps_of_a_kernels_text():
    text = "nest kernel\n  steps collapse(a1, a2), tile(a3, 64), jam(a3.i.v)\n  body\n"
    assert steps_in(text) == ["collapse(a1, a2)", "tile(a3, 64)", "jam(a3.i.v)"]


def test_facts():
    v = "<16 x float>"
    text = (f"define void @k(ptr %a) {{\n  %x = load {v}, ptr %a\n  %y = call {v} @llvm.fma.v16f32({v} %x, {v} %x, {v} %x)\n"
            f"  store {v} %y, ptr %a\n  ret void\n}}\ndeclare {v} @llvm.fma.v16f32({v}, {v}, {v})\n")
    facts = facts_of(text, Target.named("avx512"))
    assert {k: facts[k] for k in ("vector", "fma", "loads", "stores", "calls", "spills")} == {
        "vector": 16, "fma": 1, "loads": 1, "stores": 1, "calls": 0, "spills": 0}
    assert facts["instructions"] >= 3


def test_the_projects_own_models_are_found():
    from pathlib import Path
    found = [t.rpartition("/")[2] for t in default_targets(Path(__file__).resolve().parents[2])]
    assert "digits.py:build" in found and "workloads.py:cnn" in found


@pytest.mark.parametrize("arguments, part", [
    (("snapshot", "x"), "nothing to take"), (("snapshot", ".", "net.py:build"), "not empty and is no snapshot"),
    (("snapshot", "x", "no.py:build"), "no such file"), (("snapshot", "x", "net.py:build", "--target", "vax"), "vax"),
])
def test_mistakes(cli, arguments, part):
    code, out, err = cli(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1) and part in err


def test_no_snapshot(cli, tmp_path):
    cli("snapshot", "a", "net.py:build")
    (tmp_path / "b").mkdir()
    code, _, err = cli("diff", "a", "b")
    assert code == 2 and "b is no snapshot" in err
