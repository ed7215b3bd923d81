"""`profile`: every kernel of the step with its work and its place; FLOP and bytes are counted, not guessed."""

import json

import pytest

from kcompile.ir.text import parse_kernel
from kcompile.tools import roofline
from kcompile.tools.profile import bytes_of, flop_of

DOT = """kernel k0
  axes i:B, j:8, k:16
  read x: f32[B, 16], w: f32[16, 8], b: f32[8]
  write y: f32[B, 8]
  reduce acc[i, j] = add over k of x[i, k] * w[k, j]
  store y[i, j] = max(acc + b[j], 0.0)
"""


@pytest.fixture(autouse=True)
def small_machine(monkeypatch):
    """Less to measure: the tests ask what is said, not how fast the machine is."""
    monkeypatch.setattr(roofline, "BYTES", 4 << 20)
    monkeypatch.setattr(roofline, "ROUNDS", 1 << 12)
    roofline.measure.cache_clear()
    yield
    roofline.measure.cache_clear()


def test_flop_and_bytes():
    kernel = parse_kernel(DOT)
    assert flop_of(kernel, {"B": 10}) == 10 * 8 * (16 * 2 + 2)
    assert bytes_of(kernel, {"B": 10}) == 4 * (10 * 16 + 16 * 8 + 8 + 10 * 8)


def test_a_copy_has_no_flop():
    copy = parse_kernel("kernel k0\n  axes i:B\n  read x: f16[B]\n  write y: f32[B]\n  store y[i] = f32(x[i])\n")
    assert (flop_of(copy, {"B": 10}), bytes_of(copy, {"B": 10})) == (0, 60)


@pytest.mark.parametrize("threads", [1, 2])
def test_every_kernel_of_the_step(cli, threads):
    code, out, _ = cli("profile", "net.py:build", "--batch", "8", "--threads", str(threads), "--json")
    data = json.loads(out)
    planned = cli("show", "net.py:build", "--stage", "planned")[1]
    assert code == 0 and len(data["kernels"]) == planned.count("  step ")
    assert data["machine"]["threads"] == threads and min(data["machine"][k] for k in ("flops", "bandwidth", "cache_bandwidth")) > 1e8
    for kernel in data["kernels"]:
        assert kernel["seconds"] > 0 and kernel["bytes"] > 0 and kernel["percent"] >= 0 and kernel["limit"]
    conv = next(k for k in data["kernels"] if "net/conv/conv" in k["label"])
    assert "net/conv" in conv["layer"] and "net.py:" in conv["source"] and conv["flop"] >= 2 * 8 * 4 * 4 * 9 * 4


@pytest.mark.parametrize("target, lanes", [("avx2", 8), ("scalar", 1)])
def test_the_machine_is_measured_with_the_vectors_that_are_compiled_for(cli, monkeypatch, target, lanes):
    asked = []

    def text(lanes, registers):
        asked.append(lanes)
        return roofline_text(lanes, registers)
    roofline_text = roofline.roofline_text
    monkeypatch.setattr(roofline, "roofline_text", text)
    monkeypatch.setenv("KCOMPILE_TARGET", target)
    found = roofline.measure(1)
    assert min(found.flops, found.fed_flops) > 1e8 and asked == [lanes]


def test_text_says_how_it_was_measured(cli):
    out = cli("profile", "net.py:build", "--step", "predict")[1]
    assert "a step" in out and "this machine, measured" in out and "calls in a row" in out and "net/dense" in out


@pytest.mark.parametrize("arguments, part", [(("--batch", "0"), "at least 1"), (("--threads", "0"), "at least 1")])
def test_mistakes(cli, arguments, part):
    code, out, err = cli("profile", "net.py:build", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1) and part in err
