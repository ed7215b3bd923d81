"""What a second process finds compiled: it runs no pass, lowers nothing, and computes the same bits."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from kcompile.ir import build
from kcompile.ir.fingerprint import fingerprint
from kcompile.ir.graph import Graph
from kcompile.ir.types import parse_type

PROGRAM = """
import json, sys
import numpy as np
import kcompile
from kcompile.codegen.cache import COUNTERS
kcompile.utils.set_random_seed(1)
layers = kcompile.layers
model = kcompile.Sequential([kcompile.Input((6,)), layers.Dense({units}, activation="relu"), layers.Dense(2)])
model.compile(optimizer="adam", loss="mse")
rng = np.random.default_rng(0)
history = model.fit(rng.random((40, 6)), rng.random((40, 2)), epochs=2, verbose=0)
print(json.dumps([history.history["loss"], COUNTERS.compiled, COUNTERS.lowered, COUNTERS.recalled,
                  [name for name in ("strategy", "emit", "lower", "step_text") if f"kcompile.codegen.{{name}}" in sys.modules],
                  "libllvmlite" in open("/proc/self/maps").read(), "ml_dtypes" in sys.modules]))
"""


def child(cache: Path, units: int = 5):
    environment = {**os.environ, "KCOMPILE_CACHE": str(cache), "KCOMPILE_CHECK": "0", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(units=units)], env=environment, text=True, capture_output=True, check=True)
    return json.loads(done.stdout)


def test_a_second_process_runs_no_pass_and_trains_the_same(tmp_path):
    first, second = child(tmp_path), child(tmp_path)
    assert first[1] > 0 and first[2:4] == [1, 0] and first[4] == ["strategy", "emit", "lower", "step_text"]
    assert second[1:4] == [0, 0, 1] and second[4] == []
    assert second[0] == first[0]
    assert first[5] and second[5] == (platform.machine() != "x86_64")  # LLVM's library is not even loaded
    assert not first[6] and not second[6]  # ml_dtypes, whose import takes a second in some versions, is for bfloat16 alone


def test_another_model_is_compiled(tmp_path):
    child(tmp_path)
    assert child(tmp_path, units=4)[2:4] == [1, 0]


def graph(name="x", scale=2.0, shape="f32[B, 3]", extra=False, layer="a", source="a.py:1"):
    made = Graph("g")
    with made.located(layer, source):
        x = build.param(made, name, parse_type(shape))
        made.outputs["y"] = build.neg(x * scale) if extra else x * scale
    return made


@pytest.mark.parametrize("change", [{"name": "z"}, {"scale": 3.0}, {"scale": -2.0}, {"shape": "f32[B, 4]"}, {"shape": "f64[B, 3]"},
                                    {"extra": True}])
def test_the_fingerprint_tells_graphs_apart(change):
    assert fingerprint(graph(**change)) != fingerprint(graph())


def test_the_fingerprint_does_not_depend_on_where_a_line_stands():
    assert fingerprint(graph(layer="b", source="a.py:2")) == fingerprint(graph())


def test_the_fingerprint_tells_zero_from_negative_zero():
    assert fingerprint(graph(scale=0.0)) != fingerprint(graph(scale=-0.0))
