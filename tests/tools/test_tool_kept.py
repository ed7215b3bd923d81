"""Steps that a prediction does when weights have changed, as those who look inside see them."""

from __future__ import annotations

import json

import pytest

FILTER = 4 * 4 * 32 * 64 * 4  # bytes, transformed


@pytest.fixture
def wide(tmp_path, cli):
    (tmp_path / "wide.py").write_text("""
import kcompile as keras
from kcompile import layers

def build():
    return keras.Sequential([keras.Input((8, 8, 32)), layers.Conv2D(64, 3, padding="same", name="conv")], name="net")
""")
    return lambda tool, *arguments: cli(tool, "wide.py:build", *arguments)


def test_memory_counts_what_is_kept(wide):
    plan = json.loads(wide("memory", "--json")[1])
    (kept,) = (buffer for buffer in plan["buffers"] if buffer["kind"] == "kept")
    assert kept["bytes"] == plan["kept"] == FILTER
    assert plan["peak"] == sum(plan[part] for part in ("params", "states", "outputs", "arena", "kept"))
    assert any(line.split()[:2] == ["kept", str(FILTER)] for line in wide("memory")[1].splitlines())


def test_a_profile_has_what_every_call_does(wide):
    code, out, err = wide("profile", "--batch", "2", "--json")
    assert code == 0, err
    labels = " ".join(kernel["label"] for kernel in json.loads(out)["kernels"])
    assert "winograd_products" in labels and "winograd_filter" not in labels


def test_verify_runs_what_the_step_runs(wide):
    code, out, _ = wide("verify")
    assert code == 0 and "winograd" in out
