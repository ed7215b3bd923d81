"""What calls that go through the samples together ask for: what later calls read of the same samples, then what the first ones read of the
next, each line once and in order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from kcompile.codegen.executable import Executable, compile_program
from kcompile.codegen.options import CodegenOptions
from kcompile.codegen.step import NativeKernel
from kcompile.codegen.step_cache import decode, encode
from kcompile.codegen.step_text import compile_kernel
from kcompile.codegen.target import Target
from kcompile.common.struct import replace
from kcompile.ir import build
from kcompile.ir.graph import Graph
from kcompile.ir.kernel import Kernel
from kcompile.ir.types import Dim, TensorType, f32

from .programs import planned

B = Dim.symbol("B")
SAMPLE = 8 * 8 * 64 * 4  # bytes of x
WIDTH = 128  # columns of the convolution
REQUEST = "call void @llvm.prefetch.p0(ptr {}, i32 0, i32 2, i32 1)"
WIDE = pytest.mark.skipif(Target.host().vector_bytes != 64, reason="kernels ask with vectors of 64 bytes alone")


def graph_of_two(also: bool = False, kept: bool = False) -> Graph:
    """A map of two arrays, a convolution of its result, and a statistic of that, which makes it a step that trains."""
    graph = Graph("asks")
    x, r = (build.param(graph, name, TensorType((B, 8, 8, 64), f32)) for name in "xr")
    w = build.param(graph, "w", TensorType((1, 1, 64, WIDTH), f32))
    total = build.state(graph, "total", "statistic", TensorType((WIDTH,), f32))
    product = build.mul(build.exp(x), r)
    y = build.conv(product, w, strides=(1, 1), dilation=(1, 1), groups=1)
    graph.updates["total"] = build.add(total, build.reduce_sum(y, (0, 1, 2)))
    if kept:
        graph.outputs.update(product=product, y=y)
    if also:
        q = build.param(graph, "q", TensorType((B, 8, 8, WIDTH), f32))
        other = build.state(graph, "other", "statistic", TensorType((WIDTH,), f32))
        graph.updates["other"] = build.add(other, build.reduce_sum(build.mul(y, q), (0, 1, 2)))
    return graph


def graph_that_keeps() -> Graph:
    """The same, and what is convolved and the result are handed out."""
    return graph_of_two(kept=True)


def graph_of_three() -> Graph:
    """The same, and a statistic of the result beside another array: the convolution can ask for that one."""
    return graph_of_two(also=True)


class Asked:
    """An executable whose requests are written down in place of being made."""

    def __init__(self, l2: int = 640 << 10, graph: Callable[[], Graph] = graph_of_two) -> None:
        self.log = np.zeros(1 << 16, np.int64)  # the number of requests, then their addresses
        self.executable: Executable = compile_program(planned(graph()), replace(Target.host(), l2=l2), CodegenOptions(threads=1),
                                                      self.compile)

    def compile(self, kernel: Kernel, target: Target, name: str, along: bool) -> tuple[str, NativeKernel]:
        text, native = compile_kernel(kernel, target, name, along)
        before, after = REQUEST.split("{}")
        lines = [line.replace(before, f"call void @{name}.note(ptr ").replace(after, ")") if line.endswith(after) else line
                 for line in text.splitlines()]
        log = f"inttoptr (i64 {self.log.ctypes.data} to ptr)"
        return "\n".join(lines) + f"""
define internal void @{name}.note(ptr %place) {{
  %n = load i64, ptr {log}
  %next = add i64 %n, 1
  store i64 %next, ptr {log}
  %slot = getelementptr i64, ptr {log}, i64 %next
  store ptr %place, ptr %slot
  ret void
}}
""", native

    def run(self, batch: int) -> tuple[list[tuple[str, int]], npt.NDArray[np.float32]]:
        """The lines of x, r and q that were asked for, as (array, number of the line), and the statistic."""
        rng = np.random.default_rng(batch)
        arrays = {name: rng.standard_normal((batch, 8, 8, width), np.float32) for name, width in (("x", 64), ("r", 64), ("q", WIDTH))}
        arrays |= {"w": rng.standard_normal((1, 1, 64, WIDTH), np.float32)}
        arrays |= {name: np.zeros(WIDTH, np.float32) for name in ("total", "other")}
        self.log[0] = 0
        self.executable.run(arrays, {"B": batch})
        assert self.log[0] < len(self.log) - 1
        found = []
        for address in self.log[1:1 + self.log[0]]:
            for name in "xrq":
                place = int(address) - arrays[name].ctypes.data
                if 0 <= place < arrays[name].nbytes:
                    assert place % 64 == 0
                    found.append((name, place // 64))
        return found, arrays["total"]


@WIDE
def test_the_next_samples_in_order() -> None:
    asked = Asked()
    samples = max(call.samples for call in asked.executable.code.calls)
    assert samples == 3 and [one[1:] for one in asked.executable.code.calls[0].asked] == [(SAMPLE, 1)] * 2
    lines, _ = asked.run(10)
    a_sample = SAMPLE // 64
    expected = [[(name, line) for name in "xr" for line in range(first * a_sample, min(first + samples, 10) * a_sample)]
                for first in (3, 6, 9)]
    asked_of = [[line for line in lines if line in part] for part in map(set, expected)]
    assert [line for found in asked_of for line in found] == lines, "something else of x or r, or in another order"
    for found, part in zip(asked_of, expected, strict=True):
        assert found == part[:len(found)] and len(found) > len(part) // 2, "not from the first line on, or nothing of the second array"


@WIDE
def test_these_samples_for_a_later_call() -> None:
    """All of them, since the convolution asks for so many lines, and before anything of the next samples."""
    asked = Asked(graph=graph_of_three)
    asking = next(call for call in asked.executable.code.calls if call.asked)
    assert [one[1:] for one in asking.asked] == [(2 * SAMPLE, 0), (SAMPLE, 1), (SAMPLE, 1)]
    lines, _ = asked.run(10)
    passes = range(0, 10, asking.samples)
    a_sample = 2 * SAMPLE // 64
    assert [line for line in lines if line[0] == "q"] == [("q", line) for line in range(10 * a_sample)]
    for first in passes[1:]:
        assert lines.index(("q", first * a_sample)) > lines.index(("x", first * SAMPLE // 64)) > lines.index(("q", first * a_sample - 1))


@WIDE
def test_what_is_written() -> None:
    """Lines are fetched before they are written: what a map hands out is asked for, not what lies in the thread's own memory."""
    two, kept = ([one[1:] for one in Asked(1 << 20, graph).executable.code.calls[0].asked] for graph in (graph_of_two, graph_that_keeps))
    assert two == [(SAMPLE, 1)] * 2, "x and r"
    assert kept == [(SAMPLE, 1)] * 3, "the product, too, and not the convolution, which asks"


@WIDE
def test_nothing_where_nothing_follows() -> None:
    asked = Asked()
    assert asked.run(2)[0] == []


@WIDE
def test_nothing_where_calls_go_one_by_one() -> None:
    asked = Asked()
    asked.executable.calls_for = lambda symbols: asked.executable.calls_apart  # type: ignore[method-assign]
    lines, total = asked.run(10)
    assert lines == [] and asked.log[0] > 0, "kernels ask, but nothing is told them"
    assert total.tobytes() == Asked().run(10)[1].tobytes()


def test_no_more_than_the_cache_holds() -> None:
    """Of a cache that a sample fills nothing is left for the next one."""
    assert any(call.asked for call in Asked().executable.code.calls)
    assert not any(call.asked for call in Asked(l2=48 << 10).executable.code.calls)


def test_the_cache_keeps_them() -> None:
    code = Asked().executable.code
    assert decode(encode(code)).calls == code.calls
