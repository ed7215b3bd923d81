"""An elementary function does the same to a lane whatever the number of lanes: its LLVM text is one text but for that number, and every
operation in it works on each lane by itself and is exact or rounded as IEEE 754 says.

So what the sweeps over all inputs (docs/accuracy.md) found with one target's lanes holds for the others. Sine and cosine
alone look at all lanes together, to find out whether an angle is too large for the short reduction; the lanes that are go one by one
through a reduction of their own, which without vectors is written without a loop.
"""

from __future__ import annotations

import re

import pytest

from kcompile.codegen.target import NAMED
from kcompile.ir.types import f32

from .exhaustive import FUNCTIONS
from .native import loop_text

LANES = {name: target.lanes(f32) for name, target in NAMED.items()}
TURNING = ("sin", "cos")
PER_LANE = {"fadd", "fsub", "fmul", "fdiv", "fneg", "fcmp", "fpext", "fptrunc", "sitofp", "uitofp", "bitcast", "select", "icmp", "add",
            "sub", "mul", "and", "or", "xor", "shl", "lshr", "ashr", "zext", "trunc", "load", "store", "getelementptr", "phi"}
BY_LANE = {"extractelement", "insertelement", "extractvalue", "insertvalue"}  # of one lane, in the reduction of large angles
INTRINSICS = {"fma", "fabs", "sqrt", "floor", "copysign"}
ONE_LANE_INTRINSICS = {"ctlz", "bswap"}  # on the digits of one large angle
FAST = re.compile(r"\b(fast|nnan|ninf|nsz|arcp|contract|afn|reassoc)\b")


def one_lane(text: str, lanes: int) -> str:
    """The text as if it were written for `N` lanes."""
    text = re.sub(rf"<{lanes} x (\w+)>", r"\1", text)
    text = re.sub(r"splat \(\w+ ([^)]+)\)", r"\1", text)
    text = re.sub(rf"\.v{lanes}(?=[fi]\d)", ".", text)
    return re.sub(rf"(= add i64 %i|= icmp ult i32 %next), {lanes}$", r"\1, N", text, flags=re.M)


def texts(name: str) -> dict[str, str]:
    return {target: one_lane(loop_text(name, [f32], f32, lanes), lanes) for target, lanes in LANES.items()}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_target_has_the_same_text(name: str) -> None:
    found = texts(name)
    for target, text in found.items():
        if target != "scalar" or name not in TURNING:
            assert text == found["avx2"], target
    assert LANES["avx512"] == 16 and LANES["avx2"] == 8 and LANES["neon"] == 4 and LANES["scalar"] == 1


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_operation_is_of_one_lane(name: str) -> None:
    text = texts(name)["avx2"]
    assert not FAST.search(text)
    operations = set(re.findall(r"^  (?:%[\w.]+ = )?(\w+)", text, re.M)) - {"call", "br", "ret"}
    assert operations <= PER_LANE | (BY_LANE if name in TURNING else set())
    called = {c for c in re.findall(r"call [^@]*@([\w.]+)", text) if not c.startswith("kc.")}
    allowed = {f"llvm.{i}.{t}" for i in INTRINSICS for t in ("f32", "f64")}
    if name in TURNING:
        allowed |= {"llvm.vector.reduce.or.i1", *(c for c in called if c.split(".")[1] in ONE_LANE_INTRINSICS)}
    assert called <= allowed


@pytest.mark.parametrize("name", TURNING)
def test_large_angles_without_vectors_are_reduced_alike(name: str) -> None:
    """What differs is how a lane comes to its reduction, and goes back; what is computed, and its order, is the same."""
    def computed(text: str) -> list[str]:
        body = [re.sub(r"%[\w.]+", "%", line) for line in text.splitlines() if not line.startswith("declare")]
        return [line for line in body if "vector.reduce" not in line and not re.match(rf"  % = ({'|'.join(BY_LANE)}) ", line)]
    found = {target: computed(text) for target, text in texts(name).items()}
    assert found["scalar"] == found["avx2"]
