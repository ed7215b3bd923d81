"""Running graphs and programs natively on given arrays, as the tools need it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..codegen.panel_order import in_panels, in_rows
from ..compiler import codegen_options, current_target
from ..ir.program import Program
from ..ir.types import evaluate_dim

if TYPE_CHECKING:
    from ..codegen.executable import Executable

Array = npt.NDArray[Any]


def executable_of(program: Program) -> Executable:
    from ..codegen.executable import compile_program
    return compile_program(program, current_target(), codegen_options())


def arrays_for(program: Program, params: Mapping[str, Array], states: Mapping[str, Array], symbols: Mapping[str, int]) -> dict[str, Array]:
    """Every array a program wants: copies of the states, as they are to be stored, so that the caller's stay as they are; empty outputs."""
    arrays: dict[str, Array] = {}
    for buffer in program.buffers.values():
        if buffer.of or buffer.kind in ("temp", "kept"):
            continue
        if buffer.kind == "output":
            shape = tuple(evaluate_dim(d, symbols) for d in buffer.type.shape)
            arrays[buffer.name] = np.zeros(shape, buffer.type.dtype.numpy)
        else:
            given = params[buffer.name] if buffer.kind == "param" else states[buffer.name]
            arrays[buffer.name] = in_panels(given, buffer.panels) if buffer.panels else \
                np.array(given, order="C", copy=True) if buffer.kind == "state" else np.ascontiguousarray(given)
    return arrays


def run_native(program: Program, params: Mapping[str, Array], states: Mapping[str, Array],
               symbols: Mapping[str, int], executable: Executable | None = None) -> tuple[dict[str, Array], dict[str, Array]]:
    """(outputs by name, states after the step by path). `executable`: the program's, where it runs more than once."""
    arrays = arrays_for(program, params, states, symbols)
    (executable or executable_of(program)).run(arrays, symbols)
    owners = [b for b in program.buffers.values() if b.kind == "state" and not b.of]
    return ({name: arrays[buffer] for name, buffer in program.outputs.items()},
            {b.name: in_rows(arrays[b.name]) if b.panels else arrays[b.name] for b in owners})
