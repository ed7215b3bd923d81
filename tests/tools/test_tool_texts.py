"""The text of any stage is a target: it reads back to the byte, goes on to later stages, and a mistake in it has its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from .round_trip import different

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("target", ["examples/digits.py:build", "examples/mnist.py:build", "benchmarks/workloads.py:tabular",
                                    "benchmarks/workloads.py:cnn"])
def test_every_stage_reads_back(target):
    assert not list(different(str(ROOT / target), "llvm"))


@pytest.mark.parametrize("stage, suffix", [("loops", "nest"), ("scheduled", "nest"), ("llvm", "ll"), ("assembly", "s"),
                                           ("scheduled", "kir")])
def test_from_where_the_text_stands(cli, tmp_path, stage, suffix):
    ask = ("--step", "predict", "--target", "avx2")
    text = cli("show", "net.py:build", "--stage", stage, *ask)[1]
    (tmp_path / f"net.{suffix}").write_text(text)
    assert cli("show", f"net.{suffix}")[1] == text
    last = cli("show", "net.py:build", "--stage", "assembly", *ask)[1]
    assert cli("show", f"net.{suffix}", "--stage", "assembly", "--target", "avx2")[1] == last
    code, out, err = cli("show", f"net.{suffix}", "--stage", "planned")
    assert (code, out, err) == (2, "", f"kcompile show: net.{suffix} holds the stage {stage!r}; 'planned' comes before it\n")


def test_parts_of_texts(cli, tmp_path):
    for stage, suffix in (("scheduled", "nest"), ("llvm", "ll")):
        (tmp_path / f"net.{suffix}").write_text(cli("show", "net.py:build", "--stage", stage, "--step", "predict")[1])
        assert cli("show", f"net.{suffix}", "--kernel", "k1") == cli("show", "net.py:build", "--stage", stage, "--step", "predict",
                                                                    "--kernel", "k1")
    assert cli("show", "net.nest", "--layer", "pool")[1].count("nest ") == 1
    assert "vectors along" in cli("explain", "net.nest", "schedule", "dense/dot")[1]
    assert "object code" not in cli("trace", "net.nest")[1]
    assert cli("run", "net.nest", "--passes", "llvm")[1] == cli("show", "net.ll")[1]


@pytest.mark.parametrize("name, text, message", [
    ("a.nest", 'nest k0 "x"\n  arrays x: f32[B]\n  body\n    fer i in 0..B\n', "a.nest:4:5: expected a statement"),
    ("a.ll", "declare float @f()\ndefine float @k0() {\n  ret int 3\n}\n", "a.ll:3 in @k0: "),
    ("b.ll", "define float @k0() {\n  ret float 1.0\n}\n\ndefine float @k1() {\n  ret flaot 1.0\n}\n", "b.ll:6 in @k1: "),
    ("a.kir", "grph g {\n}\n", "a.kir:1:1: expected graph, kernel or program, found 'grph'"),
    ("a.kir", "graph g {\n  param %x: f32[B]\n  %0 = exp(%x\n}\n", "a.kir:3:"),
    ("a.kir", "", "a.kir:1:1: expected graph, kernel or program"),
])
def test_a_mistake_has_its_place(cli, tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    code, out, err = cli("show", name)
    assert (code, out, err.count("\n")) == (2, "", 1) and err.startswith(f"kcompile show: {message}"), err


@pytest.mark.parametrize("arguments, part", [
    (("show", "net.ll", "--layer", "dense"), "net.ll names no layers"), (("show", "net.ll", "--kernel", "k9"), "no kernel is named 'k9'"),
    (("show", "net.ll", "--batch", "3"), "graphs only"), (("show", "net.ll", "--dot", "x"), "cannot be drawn"),
    (("explain", "net.ll", "fusion"), "'fused' comes before it"), (("memory", "net.ll"), "'planned' comes before it"),
    (("verify", "net.ll"), "this tool needs a graph"), (("profile", "net.ll"), "this tool needs a graph"),
    (("show", "net.py:build", "--stage", "planned", "--locations"), "--locations goes up to 'simplified'"),
])
def test_what_a_text_cannot_give(cli, tmp_path, arguments, part):
    (tmp_path / "net.ll").write_text("define void @k0() {\n  ret void\n}\n")
    code, out, err = cli(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1) and part in err, err
