"""Running one scalar operation natively over arrays: the loop that tests wrap around `scalar_code.apply`."""

from __future__ import annotations

import ctypes

import numpy as np

from kcompile.codegen.module import Loaded, object_code
from kcompile.codegen.scalar_code import apply, from_memory, memory_type, to_memory
from kcompile.codegen.target import Target
from kcompile.codegen.text_builder import Writer
from kcompile.ir.types import DType


def loop_text(fn: str, arg_dtypes: list[DType], dtype: DType, lanes: int, name: str = "loop") -> str:
    """void name(out, in0, ..., n): n is a multiple of lanes."""
    w = Writer()
    inputs = [f"%in{k}" for k in range(len(arg_dtypes))]
    w.raw(f"define void @{name}(ptr %out, {', '.join('ptr ' + i for i in inputs)}, i64 %n) {{")
    w.label("entry")
    w.line("br label %loop")
    w.label("loop")
    w.line("%i = phi i64 [ 0, %entry ], [ %next, %loop ]")
    args = []
    for source, arg_dtype in zip(inputs, arg_dtypes, strict=True):
        place = w.value(f"getelementptr {memory_type(arg_dtype, 1)}, ptr {source}, i64 %i")
        args.append(from_memory(w, arg_dtype, lanes, w.value(f"load {memory_type(arg_dtype, lanes)}, ptr {place}, align 1")))
    result = to_memory(w, dtype, lanes, apply(w, fn, args, arg_dtypes, dtype, lanes))
    place = w.value(f"getelementptr {memory_type(dtype, 1)}, ptr %out, i64 %i")
    w.line(f"store {memory_type(dtype, lanes)} {result}, ptr {place}, align 1")
    w.line(f"%next = add i64 %i, {lanes}")
    w.line("%more = icmp ult i64 %next, %n")
    w.line("br i1 %more, label %loop, label %done")
    w.label("done")
    w.line("ret void")
    w.raw("}")
    return w.text()


def run(fn: str, arrays: list[np.ndarray], arg_dtypes: list[DType], dtype: DType, lanes: int,
        target: Target | None = None) -> np.ndarray:
    """fn over 1-d arrays of one length, any length (padded to the lanes)."""
    count = len(arrays[0])
    padded = -(-count // lanes) * lanes
    held = [np.concatenate([a.astype(d.numpy, copy=False), np.ones(padded - count, d.numpy)])
            for a, d in zip(arrays, arg_dtypes, strict=True)]
    out = np.zeros(padded, dtype.numpy)
    loaded = Loaded([object_code(loop_text(fn, arg_dtypes, dtype, lanes), target or Target.host())], ["loop"])
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (1 + len(held)), ctypes.c_int64)(loaded.addresses["loop"])
    function(out.ctypes.data, *[a.ctypes.data for a in held], padded)
    loaded.close()
    return out[:count]


def ulp_errors(got: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Distance in units in the last place of got's dtype at the exact value; 0 where both are the same special value.

    Where the exact result is subnormal, 0 is accepted (flushed).
    """
    dtype = got.dtype
    with np.errstate(all="ignore"):
        rounded = exact.astype(dtype)
        finite = np.isfinite(rounded) & np.isfinite(got)
        spacing = np.spacing(np.maximum(np.abs(rounded), np.finfo(dtype).tiny)).astype(exact.dtype)
        error = np.abs(got.astype(exact.dtype) - exact) / spacing
        flushed = (np.abs(exact) < np.finfo(dtype).tiny) & (got == 0)
        same = (np.isnan(got) & np.isnan(rounded)) | (got == rounded) & ~finite
    return np.where(flushed, 0, np.where(finite, error, np.where(same, 0, np.inf)))
