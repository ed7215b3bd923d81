"""Kernels whose texts are made before the program: they are the program's, and LLVM has their modules before the passes are done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kcompile
from kcompile.codegen import step_text
from kcompile.codegen.compilers import Compilers
from kcompile.codegen.options import CodegenOptions
from kcompile.codegen.step_cache import cached_step_code
from kcompile.codegen.step_text import StepText, step_code
from kcompile.codegen.target import Target
from kcompile.compiler import to_program
from kcompile.ir.graph import Graph
from kcompile.ir.kernel import Kernel
from kcompile.ir.program import Program
from kcompile.ir.samples import sample_axis
from kcompile.ir.structure import structure
from kcompile.training.data import as_batch
from kcompile.training.steps import trace_step

FOLDER = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="an installed kcompile has no benchmarks")
WIDE = Target.named("avx512")
FEW = {"resnet20": 30, "autoencoder": 10, "depthwise": 20}  # kernels that are announced at the least


def graph_of(name: str, kind: str = "train") -> Graph:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        import networks
    model, data, arguments = getattr(networks, name)(kcompile)
    model.compile(**arguments)
    return trace_step(model, kind, as_batch(*data(2, np.random.default_rng(0))).spec).graph


@pytest.mark.parametrize("name", FEW)
def test_what_is_announced_comes_to_be(name: str) -> None:
    announced: list[Kernel] = []
    program = to_program(graph_of(name), WIDE, announced.append)
    there = {(structure(step.kernel), step.along) for step in program.steps}
    guessed = [(structure(kernel), sample_axis(kernel) is not None) for kernel in announced]
    assert len(guessed) >= FEW[name]
    assert there.issuperset(guessed)


def test_a_step_that_learns_nothing_is_not_announced() -> None:
    announced: list[Kernel] = []
    to_program(graph_of("resnet20", "test"), WIDE, announced.append)
    assert not announced


def test_announced_kernels_are_emitted_before_the_program_is_there_and_once() -> None:
    graph, early, texts = graph_of("resnet20"), [], []

    def program(announce: Any) -> Program:
        made = to_program(graph, WIDE, announce)
        early.extend(texts)
        return made

    class Kept(Compilers):
        def start(self, help: bool) -> None:
            assert help

        def submit(self, text: str) -> None:
            texts.append(text)

    options = CodegenOptions(cache_dir=None)
    code = cached_step_code("\n" * 200, program, WIDE, options, Kept(WIDE, options, "test"))
    assert early
    assert list(code.modules) == texts and texts[:len(early)] == early
    plain = step_code(to_program(graph, WIDE), WIDE)
    assert len({call.kernel.name for call in code.calls}) == len({call.kernel.name for call in plain.calls})
    for ours, others in zip(code.calls, plain.calls, strict=True):
        assert (ours.arrays, ours.barrier, ours.args_word) == (others.arrays, others.barrier, others.args_word)
        assert (ours.together, ours.private) == (others.together, others.private)


def test_llvm_has_what_is_announced_at_once() -> None:
    """And does not wait for as many lines as later modules have."""
    emitted: list[str] = []
    text = StepText(WIDE, emitted=emitted.append)
    to_program(graph_of("autoencoder"), WIDE, text.announce)
    assert step_text.ANNOUNCED_LINES < min(module.count("\n") for module in emitted) < step_text.MODULE_LINES


def test_llvm_has_a_module_before_the_first_product_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_text, "MODULE_LINES", 60)
    made: list[Kernel] = []
    first: list[Kernel] = []

    def compile(kernel: Kernel, target: Target, name: str, along: bool = False) -> Any:
        made.append(kernel)
        return step_text.compile_kernel(kernel, target, name, along)
    program = to_program(graph_of("resnet20"), WIDE)
    StepText(WIDE, compile, lambda text: first or first.extend(made)).code(program)
    assert first and all(len(kernel.axes) <= step_text.FEW_AXES for kernel in first)
    assert len(program.steps[0].kernel.axes) > step_text.FEW_AXES


def test_a_kernel_that_the_program_turns_out_not_to_have_is_called_by_nobody() -> None:
    program = to_program(graph_of("autoencoder"), WIDE)
    other = next(step.kernel for step in to_program(graph_of("depthwise"), WIDE).steps if sample_axis(step.kernel) is not None)
    text = StepText(WIDE)
    text.announce(other)
    code = text.code(program)
    assert "k0" not in {call.kernel.name for call in code.calls}
    assert [call.arrays for call in code.calls] == [call.arrays for call in step_code(program, WIDE).calls]
