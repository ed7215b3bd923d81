"""Random convolutions with both gradients, through the whole compiler, against a float64 reference that shares nothing with it.

    python tests/native/random_convolutions.py --count 300 --targets avx512,avx2,scalar

Dense, grouped, depthwise, transposed, strided and dilated ones in one and two dimensions, channels last and first, padding valid, same
and causal, with and without a bias, a residual and an activation, weights that are given or kept in panels; batches of 1, 7, 50 and 256;
one thread and several must agree to the bit. Arrays end where memory ends, so that a read behind them is a crash. An element may be off
by the rounding errors of a sum of its length (`allowed`), whose terms are as large as the sum of absolute products says.
"""

from __future__ import annotations

import argparse
import mmap
import random
import sys
import time
from ctypes import CDLL, c_int, c_size_t, c_void_p
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from kcompile.codegen.executable import Executable, compile_program
from kcompile.codegen.options import CodegenOptions
from kcompile.codegen.target import Target
from kcompile.compiler import to_program
from kcompile.ir import build
from kcompile.ir.graph import Graph
from kcompile.ir.types import Dim, TensorType, f32

B = Dim.symbol("B")
BATCHES = (1, 7, 50, 256)
THREADS = (2, 3, 5)  # more than the machine has, too
MOST_PRODUCTS = 2e8  # of a batch: the reference takes half a second
OPTIONS = CodegenOptions(cache_dir=None, single_thread_below=0)
CHANNELS = (1, 2, 3, 4, 5, 7, 8, 12, 15, 16, 17, 20, 24, 31, 32, 33, 40, 48, 50, 63, 64, 65, 70, 96, 100, 128)
Array = Any


@dataclass(frozen=True)
class Case:
    """One convolution. `size` and `window` are those of the forward convolution, also of a transposed one, which goes from its results
    to its operand."""

    size: tuple[int, ...]
    window: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    inputs: int  # of a group
    outputs: int  # of a group
    groups: int
    transposed: bool
    first: bool  # channels first
    bias: bool
    residual: bool
    activation: str
    state: bool
    trains: bool

    @property
    def results(self) -> tuple[int, ...]:
        return tuple(
            (n + low + high - (k - 1) * d - 1) // s + 1
            for n, k, s, d, (low, high) in zip(self.size, self.window, self.strides, self.dilation, self.padding, strict=True)
        )

    @property
    def products(self) -> float:
        return float(np.prod(self.results) * np.prod(self.window) * self.inputs * self.outputs * self.groups)

    @property
    def ends(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shapes of a sample of what goes in and what comes out, channels last."""
        small, large = (*self.results, self.outputs * self.groups), (*self.size, self.inputs * self.groups)
        return (small, large) if self.transposed else (large, small)


def random_case(seed: int) -> Case:
    rng = random.Random(seed)
    while True:
        rank = rng.choice((1, 2, 2, 2))
        kind = rng.choice(("dense", "dense", "dense", "three", "grouped", "depthwise", "pointwise"))
        size = tuple(rng.choice((1, 2, 3, 5, 7, 8, 9, 12, 13, 14, 16, 17, 24, 28, 31, 32, 33)) for _ in range(rank))
        window = tuple(rng.choice((1, 2, 3, 3, 3, 4, 5, 7)) for _ in range(rank))
        strides, dilation = (1,) * rank, (1,) * rank
        if rng.random() < 0.35:
            strides = tuple(rng.choice((1, 2, 2, 3)) for _ in range(rank))
        elif rng.random() < 0.2:
            dilation = tuple(rng.choice((1, 2, 3)) for _ in range(rank))
        if kind == "pointwise":
            window, dilation = (1,) * rank, (1,) * rank
        if kind == "three":
            window, strides, dilation = (3,) * rank, (1,) * rank, (1,) * rank
        groups = rng.choice((2, 3, 4, 5, 8, 16, 32)) if kind == "grouped" else rng.choice(CHANNELS) if kind == "depthwise" else 1
        inputs = 1 if kind == "depthwise" else rng.choice(CHANNELS)
        outputs = rng.choice((1, 1, 1, 2, 3)) if kind == "depthwise" else rng.choice(CHANNELS)
        mode = rng.choice(("valid", "same", "same", "causal" if rank == 1 else "same"))
        padding = tuple((0, 0) for _ in range(rank))
        if mode == "causal":
            padding = (((window[0] - 1) * dilation[0], 0),)
        elif mode == "same":
            needed = [
                max(0, ((n + s - 1) // s - 1) * s + (k - 1) * d + 1 - n) for n, k, s, d in zip(size, window, strides, dilation, strict=True)
            ]
            padding = tuple((n // 2, n - n // 2) for n in needed)
        case = Case(
            size,
            window,
            strides,
            dilation,
            padding,
            inputs,
            outputs,
            groups,
            transposed=rng.random() < 0.25,
            first=rng.random() < 0.3,
            bias=rng.random() < 0.6,
            residual=rng.random() < 0.25,
            activation=rng.choice(("", "", "relu")),
            state=rng.random() < 0.6,
            trains=rng.random() < 0.75,
        )
        if (
            all(n + low + high >= (k - 1) * d + 1 for n, k, d, (low, high) in zip(size, window, dilation, padding, strict=True))
            and case.products * 7 < MOST_PRODUCTS
            and case.groups * max(case.inputs, case.outputs) <= 512
        ):
            return case


def graph_of(case: Case) -> Graph:
    """Outputs: y; where it trains, loss' gradients dx, dw and db for a cotangent `ct` of y."""
    graph = Graph("convolution")
    rank = len(case.size)
    given, made = case.ends
    to_first, to_last = (0, rank + 1, *range(1, rank + 1)), (0, *range(2, rank + 2), 1)
    user = (lambda shape: (B, shape[-1], *shape[:-1])) if case.first else (lambda shape: (B, *shape))
    last = (lambda v: build.transpose(v, to_last)) if case.first else (lambda v: v)
    x = build.param(graph, "x", TensorType(user(given), f32))
    shape = (*case.window, case.inputs, case.outputs * case.groups)
    w = build.state(graph, "w", "weight", TensorType(shape, f32)) if case.state else build.param(graph, "w", TensorType(shape, f32))
    low, high = [(0, *side, 0) for side in zip(*case.padding, strict=True)]
    geometry: dict[str, Any] = {"strides": case.strides, "dilation": case.dilation, "groups": case.groups}
    padded = any(low) or any(high)
    value = last(x)
    if case.transposed:
        value = build.conv_input_grad(value, w, case.size, padding=case.padding if padded else (), **geometry)
    else:
        value = build.conv(build.pad(value, low, high) if padded else value, w, border=case.padding if padded else (), **geometry)
    wanted = [x, w]
    if case.bias:
        b = build.param(graph, "b", TensorType((made[-1],), f32))
        value = build.add(value, build.broadcast(b, (B, *made), (rank + 1,)))
        wanted.append(b)
    if case.residual:
        value = build.add(value, last(build.param(graph, "r", TensorType(user(made), f32))))
    if case.activation:
        value = build.maximum(value, 0.0)
    y = build.transpose(value, to_first) if case.first else value
    graph.outputs["y"] = y
    if case.trains:
        ct = build.param(graph, "ct", TensorType(user(made), f32))
        loss = build.reduce_sum(build.mul(y, ct), tuple(range(rank + 2)))
        for value, gradient in zip(wanted, build.gradient(loss, wanted), strict=True):
            name = value.node.attrs.get("path", value.node.attrs.get("name"))
            graph.outputs[f"d{name}"] = gradient
    return graph


def forward(case: Case, x: Array, w: Array) -> Array:
    """Channels last; a plain sum over taps and groups."""
    x = np.pad(x, ((0, 0), *case.padding, (0, 0)))
    y = np.zeros((len(x), *case.results, case.groups * case.outputs), x.dtype)
    for tap in product(*(range(k) for k in case.window)):
        part = x[(slice(None), *_strided(case, tap))]
        for g in range(case.groups):
            y[..., g * case.outputs : (g + 1) * case.outputs] += (
                part[..., g * case.inputs : (g + 1) * case.inputs] @ w[tap][:, g * case.outputs : (g + 1) * case.outputs]
            )
    return y


def backward_input(case: Case, dy: Array, w: Array) -> Array:
    dx = np.zeros(
        (len(dy), *(n + low + high for n, (low, high) in zip(case.size, case.padding, strict=True)), case.groups * case.inputs), dy.dtype
    )
    for tap in product(*(range(k) for k in case.window)):
        part = dx[(slice(None), *_strided(case, tap))]
        for g in range(case.groups):
            part[..., g * case.inputs : (g + 1) * case.inputs] += (
                dy[..., g * case.outputs : (g + 1) * case.outputs] @ w[tap][:, g * case.outputs : (g + 1) * case.outputs].T
            )
    return dx[(slice(None), *(slice(low, low + n) for n, (low, _) in zip(case.size, case.padding, strict=True)))]


def backward_filter(case: Case, x: Array, dy: Array) -> Array:
    x = np.pad(x, ((0, 0), *case.padding, (0, 0)))
    dw = np.zeros((*case.window, case.inputs, case.groups * case.outputs), x.dtype)
    for tap in product(*(range(k) for k in case.window)):
        part = x[(slice(None), *_strided(case, tap))]
        for g in range(case.groups):
            a, b = part[..., g * case.inputs : (g + 1) * case.inputs], dy[..., g * case.outputs : (g + 1) * case.outputs]
            dw[tap][:, g * case.outputs : (g + 1) * case.outputs] = a.reshape(-1, case.inputs).T @ b.reshape(-1, case.outputs)
    return dw


def _strided(case: Case, tap: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(
        slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, n, s in zip(tap, case.dilation, case.results, case.strides, strict=True)
    )


def reference(case: Case, arrays: dict[str, Array], y: Array | None = None) -> dict[str, Array]:
    """In the dtype of the arrays. `y`: what decides where a relu is open."""
    last = (lambda a: np.moveaxis(a, 1, -1)) if case.first else (lambda a: a)
    back = (lambda a: np.moveaxis(a, -1, 1)) if case.first else (lambda a: a)
    x, w = last(arrays["x"]), arrays["w"]
    value = backward_input(case, x, w) if case.transposed else forward(case, x, w)
    if case.bias:
        value = value + arrays["b"]
    if case.residual:
        value = value + last(arrays["r"])
    found = {"y": back(np.maximum(value, 0) if case.activation else value)}
    if case.trains:
        ct = last(arrays["ct"])
        if case.activation:
            ct = ct * (last(y) > 0)
        found["dx"] = back(forward(case, ct, w) if case.transposed else backward_input(case, ct, w))
        found["dw"] = backward_filter(case, ct, x) if case.transposed else backward_filter(case, x, ct)
        if case.bias:
            found["db"] = ct.reshape(-1, ct.shape[-1]).sum(0)
    return found


def terms(case: Case, batch: int) -> dict[str, int]:
    """How many products each result adds up."""
    taps = int(np.prod(case.window))
    ins, outs = case.inputs * taps, case.outputs * taps
    points = batch * int(np.prod(case.results))
    made = batch * int(np.prod(case.ends[1][:-1]))
    return {"y": outs if case.transposed else ins, "dx": ins if case.transposed else outs, "dw": points, "db": made}


def allowed(count: int) -> float:
    """Roundings of a sum of so many terms, of the sum of their magnitudes; errors are partly random, and sums are cut into several."""
    return float(np.finfo(np.float32).eps) * (4 + 2 * count**0.5)


class Fenced:
    """An array whose last byte is followed by a page that may not be touched."""

    _protect = CDLL(None, use_errno=True).mprotect
    _protect.argtypes = [c_void_p, c_size_t, c_int]

    def __init__(self, array: Array) -> None:
        page = mmap.PAGESIZE
        size = (array.nbytes + page - 1) // page * page
        self.memory = mmap.mmap(-1, size + page)
        whole = np.frombuffer(self.memory, np.uint8)
        assert Fenced._protect(whole.ctypes.data + size, page, 0) == 0
        self.array = whole[size - array.nbytes : size].view(array.dtype).reshape(array.shape)
        self.array[...] = array


def run(executable: Executable, case: Case, given: dict[str, Array], batch: int, threads: int) -> dict[str, Array]:
    program = executable.program
    kept = {name: Fenced(array) for name, array in given.items() if name in program.buffers}
    arrays = {name: fenced.array for name, fenced in kept.items()}
    for buffer in program.outputs.values():
        kind = program.buffers[buffer].type
        shape = tuple(n if isinstance(n, int) else n.evaluate({"B": batch}) for n in kind.shape)
        kept[buffer] = Fenced(np.full(shape, np.nan, np.float32))
        arrays[buffer] = kept[buffer].array
    executable.run(arrays, {"B": batch}, threads)
    return {name: np.array(arrays[buffer]) for name, buffer in program.outputs.items()}


def fault(case: Case, target: Target, batches: tuple[int, ...] = BATCHES, seed: int = 0, threads: int = 2) -> str:
    """What is wrong, or nothing. `threads`: whose bits are compared with those of one."""
    graph = graph_of(case)
    executable = compile_program(to_program(graph, target), target, OPTIONS)
    rng = np.random.default_rng(seed)
    for batch in batches:
        if case.products * batch > MOST_PRODUCTS:
            continue
        kinds = {**graph.params, **graph.states}
        arrays = {}
        for name, kind in kinds.items():
            kind = getattr(kind, "type", kind)
            shape = tuple(n if isinstance(n, int) else n.evaluate({"B": batch}) for n in kind.shape)
            arrays[name] = rng.standard_normal(shape, dtype=np.float32) + np.float32(rng.choice((0, 0, 1)))
        one, several = (run(executable, case, arrays, batch, count) for count in (1, threads))
        wide = {name: array.astype(np.float64) for name, array in arrays.items()}
        exact = reference(case, wide, one["y"])
        sizes = reference(case, {name: np.abs(array) for name, array in wide.items()}, one["y"])
        for name, wanted in exact.items():
            found = one[name]
            if found.tobytes() != several[name].tobytes():
                return f"{name} has other bits on {threads} threads (B = {batch})"
            limit = allowed(terms(case, batch)[name]) * np.maximum(sizes[name], 0.25 * sizes[name].max(initial=0)) + 1e-30
            far = np.abs(found - wanted) / limit
            if not np.all(far <= 1):
                at = np.unravel_index(np.argmax(np.where(np.isnan(far), np.inf, far)), far.shape)
                what = f"{name}{list(map(int, at))} is {found[at]}, should be {wanted[at]:.8g}"
                return f"{what}: {far[at]:.3g} times what is allowed (B = {batch})"
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--targets", default="avx512,avx2,scalar")
    given = parser.parse_args()
    failures, start = 0, time.process_time()
    for seed in range(given.first, given.first + given.count):
        case = random_case(seed)
        batches = tuple(random.Random(seed).sample(BATCHES[1:], 2)) if seed % 2 else BATCHES[:2]
        for name in given.targets.split(","):
            try:
                problem = fault(case, Target.named(name), batches, seed, THREADS[seed % len(THREADS)])
            except Exception as error:  # every failure of every kind is a finding: go on
                problem = f"{type(error).__name__}: {error}"
            if problem:
                failures += 1
                print(f"--- seed {seed}, {name}: {problem}\n    {case}", flush=True)
        if seed % 20 == 0:
            print(f"    {seed - given.first + 1} of {given.count}, {failures} failures", file=sys.stderr, flush=True)
    took = time.process_time() - start
    print(f"{given.count} random convolutions from seed {given.first}, {failures} failures, {took:.0f} s of processor time")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
