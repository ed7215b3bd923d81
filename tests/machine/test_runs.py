"""Which calls go through the samples of a batch together, and what lies in the threads' own memory meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kcompile.codegen.executable import Executable, compile_program
from kcompile.codegen.options import CodegenOptions
from kcompile.codegen.runs import PRIVATE_ROOM
from kcompile.codegen.runtime import layout
from kcompile.codegen.step import call_table
from kcompile.codegen.step_cache import decode, encode
from kcompile.codegen.target import Target
from kcompile.common.struct import replace
from kcompile.ir import build
from kcompile.ir.graph import Graph, Value
from kcompile.ir.types import Dim, TensorType, f32

from .programs import planned

B = Dim.symbol("B")


def chain(size: int, last: Callable[[Value], Value] = lambda value: value) -> Graph:
    """Two depthwise convolutions of an image whose sums over the batch are a statistic. Nobody but the second sees the first."""
    graph = Graph("chain")
    x = build.param(graph, "x", TensorType((B, size + 4, size + 4, 20), f32))
    w = build.param(graph, "w", TensorType((3, 3, 1, 20), f32))
    total = build.state(graph, "total", "statistic", TensorType((20,), f32))
    for _ in range(2):
        x = build.conv(build.exp(x), w, strides=(1, 1), dilation=(1, 1), groups=20)
    graph.updates["total"] = build.add(total, build.reduce_sum(last(x), (0, 1, 2)))
    graph.outputs["y"] = last(x)
    return graph


def compiled(graph: Graph, l2: int = 1 << 20) -> Executable:
    return compile_program(planned(graph), replace(Target.host(), l2=l2), CodegenOptions(threads=2))


def result(executable: Executable, size: int, batch: int, together: bool, threads: int) -> list[bytes]:
    rng = np.random.default_rng(batch)
    arrays = {"x": rng.standard_normal((batch, size + 4, size + 4, 20)).astype("float32"),
              "w": rng.standard_normal((3, 3, 1, 20)).astype("float32"), "total": np.zeros(20, "float32")}
    name = executable.program.outputs["y"]
    arrays[name] = np.zeros((batch, size, size, 20), "float32")
    executable.calls_for = lambda symbols: executable.calls if together else executable.calls_apart  # type: ignore[method-assign]
    executable._bound.clear()
    executable.run(arrays, {"B": batch}, threads)
    return [arrays["total"].tobytes(), arrays[name].tobytes()]


@pytest.mark.parametrize("size", [9, 16])
@pytest.mark.parametrize("l2", [64 << 10, 1 << 20])
def test_same_bits_together_and_apart(size: int, l2: int) -> None:
    executable = compiled(chain(size), l2)
    assert max(call.together for call in executable.code.calls) >= 3
    assert any(call.private for call in executable.code.calls)
    for batch in (1, 2, 5, 16):
        apart = result(executable, size, batch, together=False, threads=1)
        for threads in (1, 2, 3):
            assert result(executable, size, batch, together=True, threads=threads) == apart, f"{batch} samples on {threads} threads"


def test_private_arrays_follow_each_other_and_have_room() -> None:
    executable = compiled(chain(16))
    own = {(size, begin) for call in executable.code.calls for _, size, begin in call.private}
    samples = max(call.samples for call in executable.code.calls)
    ends = 0
    for size, begin in sorted(own, key=lambda one: one[1]):
        assert begin >= ends and begin % 64 == 0
        ends = begin + samples * size
    assert ends == executable.calls[layout.STEPS_PRIVATE] <= PRIVATE_ROOM
    assert executable.calls_apart[layout.STEPS_PRIVATE] == 0


def test_what_the_caller_sees_is_not_private() -> None:
    executable = compiled(chain(16))
    for call in executable.code.calls:
        for at, _, _ in call.private:
            assert executable.program.buffers[executable.program.root(call.arrays[at])].kind == "temp"


def test_too_large_for_a_stack() -> None:
    executable = compiled(chain(100), 256 << 10)
    assert max(call.together for call in executable.code.calls) >= 3
    assert not any(call.private for call in executable.code.calls)


def test_the_cache_keeps_them() -> None:
    code = compiled(chain(16)).code
    addresses = dict.fromkeys(code.functions(), 7)
    assert call_table(decode(encode(code)), addresses) == call_table(code, addresses)


def test_a_small_batch_is_shared_out_call_by_call() -> None:
    executable = compiled(chain(16))
    assert executable.calls_for({"B": 2}) is executable.calls and executable.calls_for({"B": 3}) is executable.calls_apart
    assert executable.calls_for({"B": 65}) is executable.calls


def test_who_needs_other_samples_waits() -> None:
    """The batch in reverse order."""
    executable = compiled(chain(16, lambda value: build.reverse(value, (0,))))
    after = [call for call in executable.code.calls if call.arrays[-1] == executable.program.outputs["y"]]
    assert [call.barrier for call in after] == [True]


def test_tiles_with_rows_of_two_samples_wait() -> None:
    """One row a sample, several of them in a tile."""
    graph = Graph("dense")
    x, w = build.param(graph, "x", TensorType((B, 40), f32)), build.param(graph, "w", TensorType((40, 40), f32))
    total = build.state(graph, "total", "statistic", TensorType((40,), f32))
    y = build.dot(build.dot(x, w, contract=((1,), (0,))), w, contract=((1,), (0,)))
    graph.updates["total"], graph.outputs["y"] = build.add(total, build.reduce_sum(y, (0,))), y
    program = planned(graph)
    assert [step.along for step in program.steps[:2]] == [True, True] and not program.steps[1].barrier
    assert compiled(graph).code.calls[1].barrier
