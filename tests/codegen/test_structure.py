"""Kernels of one structure are those whose text, under neutral names, is one."""

import pytest

from kcompile.codegen.step_text import canonical
from kcompile.common.struct import replace
from kcompile.ir.kernel import STORE, Eq, Kernel
from kcompile.ir.passes.describe import describe
from kcompile.ir.passes.differentiate import differentiate
from kcompile.ir.passes.fuse import fuse
from kcompile.ir.passes.plan import plan
from kcompile.ir.passes.simplify import simplify
from kcompile.ir.random_graphs import random_graph
from kcompile.ir.scalar import Aff, Const, Guard, Load, apply
from kcompile.ir.structure import structure
from kcompile.ir.text.kernels import print_kernel
from kcompile.ir.types import TensorType, f32


@pytest.mark.parametrize("seed", range(0, 60, 6))
def test_kernels_of_one_structure_have_one_text(seed: int) -> None:
    kernels = []
    for number in range(seed, seed + 6):
        described = describe(simplify(differentiate(random_graph(number, steps=16))))
        kernels += [step.kernel for program in (described, plan(fuse(described))) for step in program.steps]
    texts = [print_kernel(canonical(kernel)) for kernel in kernels]
    keys = [structure(kernel) for kernel in kernels]
    assert len(set(texts)) < len(texts)
    assert [texts.index(text) for text in texts] == [keys.index(key) for key in keys]


_X = Load("x", (Aff.of("i"),), f32)
_KERNEL = Kernel("k", {"i": 8}, {"x": TensorType((8,), f32), "y": TensorType((8,), f32)},
                 (Eq(STORE, "y", apply("mul", _X, Const(0.0, f32)), ("i",), index=(Aff.of("i"),)),))


def _with(**changes: object) -> Kernel:
    return replace(_KERNEL, equations=(replace(_KERNEL.equations[0], **changes),))


@pytest.mark.parametrize("other", [
    replace(_KERNEL, axes={"i": 4}),
    replace(_KERNEL, in_place={"y": "x"}),
    replace(_KERNEL, still=("x",)),
    replace(_KERNEL, arrays={"y": TensorType((8,), f32), "x": TensorType((8,), f32)}),
    _with(expr=apply("mul", _X, Const(-0.0, f32))),
    _with(expr=apply("add", _X, Const(0.0, f32))),
    _with(expr=apply("mul", Const(0.0, f32), _X)),
    _with(expr=apply("mul", replace(_X, index=(Aff.of("i", 1),)), Const(0.0, f32))),
    _with(expr=apply("mul", replace(_X, guards=(Guard(Aff.of("i"), 0, 7),), other=Const(0.0, f32)), Const(0.0, f32))),
    _with(index=(Aff.of({"i": -1}, 7),)),
])
def test_what_changes_the_code_changes_the_structure(other: Kernel) -> None:
    assert structure(other) != structure(_KERNEL)


def test_names_labels_and_sources_do_not() -> None:
    renamed = Kernel("z", {"a": 8}, {"p": TensorType((8,), f32), "q": TensorType((8,), f32)},
                     (Eq(STORE, "q", apply("mul", Load("p", (Aff.of("a"),), f32), Const(0.0, f32)), ("a",), index=(Aff.of("a"),)),),
                     "dense", "model.py:1")
    assert structure(renamed) == structure(_KERNEL)
