"""Every kernel of the training steps of large models is scheduled and written for every target; nothing is compiled.

Kernels alone and small models meet fewer combinations of schedule steps: a panel of a large convolution on small images, say.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kcompile
from kcompile.codegen.emit import emit
from kcompile.codegen.lower import lower
from kcompile.codegen.step_text import canonical
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.compiler import to_program
from kcompile.ir.text.kernels import print_kernel
from kcompile.training.data import as_batch
from kcompile.training.steps import trace_step

FOLDER = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="an installed kcompile has no benchmarks")


@pytest.fixture(scope="module", params=["resnet50", "mobilenetv2", "depthwise", "autoencoder"])
def graph(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        import networks
    model, data, arguments = getattr(networks, request.param)(kcompile)
    model.compile(**({"loss": "sparse_categorical_crossentropy", "optimizer": "adam"} | arguments))
    return trace_step(model, "train", as_batch(*data(2, np.random.default_rng(0))).spec).graph


@pytest.mark.parametrize("name", ["avx512", "avx2", "neon"])
def test_every_kernel_of_a_training_step_has_code(graph, name):
    target = Target.named(name)
    planned = [(canonical(step.kernel), step.along) for step in to_program(graph, target).steps]
    different = {(print_kernel(kernel), along): kernel for kernel, along in planned}
    assert len(different) > 20
    for (_, along), kernel in different.items():
        assert "define void @kernel(" in emit(plan(lower(kernel, along), target), target, "kernel")
