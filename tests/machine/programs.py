"""Programs for the tests of executables: a perceptron that trains, from graph to planned program."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from kcompile.ir import build
from kcompile.ir.graph import Graph
from kcompile.ir.passes.again import again
from kcompile.ir.passes.centre import centre
from kcompile.ir.passes.describe import describe
from kcompile.ir.passes.differentiate import differentiate
from kcompile.ir.passes.fuse import fuse
from kcompile.ir.passes.plan import plan
from kcompile.ir.passes.simplify import simplify
from kcompile.ir.passes.split import split
from kcompile.ir.program import Program
from kcompile.ir.types import Dim, TensorType, f32

B = Dim.symbol("B")
SIZES = (20, 48, 10)


def planned(graph: Graph) -> Program:
    return plan(again(centre(split(fuse(describe(simplify(differentiate(graph))))))))


def training_program(sizes: tuple[int, ...] = SIZES, prefix: str = "") -> Program:
    """Dense layers with relu, mean squared error, gradient descent; outputs: loss (scalar) and y [B, last]."""
    graph = Graph("train")
    x = build.param(graph, "x", TensorType((B, sizes[0]), f32))
    target = build.param(graph, "target", TensorType((B, sizes[-1]), f32))
    weights = []
    h = x
    for n, (a, b) in enumerate(pairwise(sizes)):
        kernel = build.state(graph, f"{prefix}d{n}/kernel", "weight", TensorType((a, b), f32))
        bias = build.state(graph, f"{prefix}d{n}/bias", "weight", TensorType((b,), f32))
        weights += [kernel, bias]
        h = build.dot(h, kernel, contract=((1,), (0,)))
        h = build.add(h, build.broadcast(bias, (B, b), (1,)))
        if n + 2 < len(sizes):
            h = build.maximum(h, 0.0)
    error = build.sub(h, target)
    loss = build.div(build.reduce_sum(build.mul(error, error), axes=(0, 1)), build.cast(build.dim_size(graph, B, f32), f32))
    gradients = build.gradient(loss, weights)
    for weight, gradient in zip(weights, gradients, strict=True):
        graph.updates[weight.node.attrs["path"]] = build.sub(weight, build.mul(gradient, 0.01))
    graph.outputs["loss"] = loss
    graph.outputs["y"] = h
    return planned(graph)


def initial_states(program: Program, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {b.name: (rng.normal(size=b.type.shape) * 0.2).astype(np.float32) for b in program.buffers.values() if b.kind == "state"}
