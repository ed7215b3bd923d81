"""The forecast of memory is what the executable allocates, to the byte and to the offset."""

import json
from pathlib import Path

import numpy as np
import pytest

import kcompile as keras
from kcompile.codegen.executable import compile_program
from kcompile.compiler import lower_to
from kcompile.inspection import TargetError, step_graph
from kcompile.ir.text import parse_graph
from kcompile.tools.memory import memory_plan, plan_memory


@pytest.mark.parametrize("step", ["train", "test", "predict"])
@pytest.mark.parametrize("batch", [1, 7, 32])
def test_the_arena_is_the_executables(model, step, batch):
    plan = memory_plan(model, batch, step)
    executable = compile_program(lower_to(step_graph(model, step), "planned"))
    executable.reserve({"B": batch})
    assert plan.arena == executable.arena.nbytes
    assert {row.name: row.offset for row in plan.rows if row.kind == "temp"} == executable.offsets
    assert {row.name for row in plan.rows if row.kind != "temp"} == set(executable.given)


def test_every_buffer_has_a_layer_to_blame_and_fits(model):
    plan = memory_plan(model, 16)
    for row in plan.rows:
        if row.kind == "temp":
            assert row.blame and 0 <= row.first <= row.last < plan.steps
            assert row.offset % 64 == 0 and row.offset + row.bytes <= plan.arena
    assert plan.peak == plan.arena + sum(r.bytes for r in plan.rows if r.kind != "temp")
    assert plan.total("param") == 16 * (36 * 4 + 8)
    assert sum(r.bytes for r in plan.rows if r.role == "weight") == 4 * sum(w.numpy().size for w in model.weights if w.trainable)


def test_two_that_live_at_once_do_not_overlap(model):
    temps = [r for r in memory_plan(model, 5).rows if r.kind == "temp"]
    for a in temps:
        for b in temps:
            if a.name < b.name and a.first <= b.last and b.first <= a.last:
                assert a.offset + a.bytes <= b.offset or b.offset + b.bytes <= a.offset


LARGE = """graph large {
  param %x: f32[B, 16]
  param %a: f32[16, 2048]
  param %b: f32[2048, 4]
  %0 = dot(%x, %a, contract=((1), (0)))
  %1 = dot(%0, %b, contract=((1), (0)))
  out y = %1
}
"""


def test_anonymous_memory_grows_by_the_arena():
    def anonymous() -> int:
        (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
        return int(line.split()[1]) << 10

    program, rows = lower_to(parse_graph(LARGE), "planned", start="differentiated"), 26_000
    plan = plan_memory(program, rows)
    assert plan.arena >= 200 << 20
    given = {"x": np.ones((rows, 16), np.float32), "a": np.ones((16, 2048), np.float32), "b": np.ones((2048, 4), np.float32)}
    arrays = {**given, program.outputs["y"]: np.ones((rows, 4), np.float32)}
    executable = compile_program(program)
    before = anonymous()
    executable.run(arrays, {"B": rows})
    assert plan.arena == executable.arena.nbytes
    assert anonymous() - before == pytest.approx(plan.arena, rel=0.1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_staging_is_what_a_loop_of_shuffled_rows_allocates(dtype):
    """A table of addresses for rows that are read where they lie, and two batches of these where they are cast; two batches of others."""
    model = keras.Sequential([keras.Input((300,)), keras.layers.Dense(7)])
    model.compile("sgd", "mse")
    program = lower_to(step_graph(model, "train"), "planned")
    executable = compile_program(program)
    assert executable.code.rows
    owners = [b for b in program.buffers.values() if not b.of]
    arrays = {b.name: np.zeros(b.type.shape, b.type.dtype.numpy) for b in owners if b.kind in ("state", "output")}
    feeds = {b.name: np.zeros((50, *b.type.shape[1:]), dtype) for b in owners if b.kind == "param"}
    loop = executable.loop(feeds, {}, arrays, np.arange(50)[::-1], 11)
    plan = plan_memory(program, 11)
    assert plan.staging + (plan.casting if dtype is np.float64 else 0) == sum(place.nbytes for place in loop._staging)
    assert ("casting" in str(plan)) and plan.data()["casting"] == plan.casting > 0


def test_method_of_the_model(model):
    assert model.memory_plan(16).arena == memory_plan(model, 16).arena
    assert str(model.memory_plan(16, step="predict")).startswith("net.predict at batch 16")


def test_command(cli):
    code, out, _ = cli("memory", "net.py:build", "--batch", "64")
    assert code == 0 and out.startswith("net.train at batch 64\n  params") and "net/conv" in out
    data = json.loads(cli("memory", "net.py:build", "--batch", "64", "--json")[1])
    assert data["peak"] == data["arena"] + data["params"] + data["states"] + data["outputs"]
    assert str(data["peak"]) in out


@pytest.mark.parametrize("arguments, part", [(("--batch", "0"), "at least 1"), (("--batch", "x"), "invalid int value"),
                                             (("--step", "fit"), "unknown step")])
def test_mistakes(cli, arguments, part):
    code, out, err = cli("memory", "net.py:build", *arguments)
    assert (code, out) == (2, "") and part in err


def test_a_model_that_is_not_ready():
    with pytest.raises(TargetError, match=r"model\.build\(\)"):
        keras.Sequential([keras.layers.Dense(3)]).memory_plan()
