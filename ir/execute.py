"""The numpy interpreter of programs: every kernel by its description, in order. The oracle for fusion, planning and native code."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from .evaluate import bind_symbols
from .interpret import evaluate_kernel
from .program import Program
from .types import evaluate_dim

Array = npt.NDArray[np.generic]


def run_program(program: Program, params: Mapping[str, Array], states: Mapping[str, Array],
                symbols: Mapping[str, int] | None = None) -> tuple[dict[str, Array], dict[str, Array]]:
    """(outputs by name, states after the run by path). Works before and after `plan`; the arguments are left as they are."""
    given = {**params, **states}
    sources = [b for b in program.buffers.values() if b.kind in ("param", "state")]
    found = dict(symbols or bind_symbols([(b.type, np.shape(given[b.name]), b.name) for b in sources]))
    memory: dict[str, Array] = {}
    for buffer in sources:
        memory[buffer.name] = np.array(given[buffer.name], dtype=buffer.type.dtype.numpy, order="C", copy=True)
    for buffer in program.buffers.values():
        shape = tuple(evaluate_dim(d, found) for d in buffer.type.shape)
        if not buffer.of and buffer.name not in memory:
            filler = np.nan if buffer.type.dtype.is_float else 0  # what is read before it is written must show
            memory[buffer.name] = np.full(shape, filler, dtype=buffer.type.dtype.numpy)
    for buffer in program.buffers.values():
        if buffer.of:
            shape = tuple(evaluate_dim(d, found) for d in buffer.type.shape)
            memory[buffer.name] = memory[program.root(buffer.name)].reshape(shape)
    for step in program.steps:
        evaluate_kernel(step.kernel, {a: memory[a] for a in step.kernel.arrays}, found)
    outputs = {name: memory[value].copy() for name, value in program.outputs.items()}
    after = {b.name: memory[b.name] for b in sources if b.kind == "state"}
    for state, value in program.updates.items():
        after[state] = memory[value].copy()
    return outputs, after
