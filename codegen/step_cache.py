"""Whole steps on disk: what lowering, scheduling and emission made of a program, so that a second process skips them.

An entry is keyed on the program's text, the target, and a digest of the source of ir/ and codegen/: whoever changes a
strategy gets new entries. It lies beside the object code, under the same rules (see cache.py), as JSON.
"""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

from ..ir.program import Program
from ..ir.text.programs import print_program
from ..ir.types import parse_dim
from . import cache
from .nest import Trips
from .options import CodegenOptions
from .step import KernelCall, NativeKernel, StepCode, step_code
from .target import Target


def cached_step_code(program: Program, target: Target, options: CodegenOptions) -> StepCode:
    """As `step_code`, from the cache where it is there."""
    folder = cache.trusted_folder(options)
    if folder is None:
        cache.COUNTERS.lowered += 1
        return step_code(program, target)
    key = hashlib.sha256("\0".join((source_digest(), repr(target), print_program(program))).encode()).hexdigest()
    found = cache.read_entry(folder / key)
    if found is not None:
        cache.COUNTERS.recalled += 1
        return decode(found)
    code = step_code(program, target)
    cache.COUNTERS.lowered += 1
    cache.write_entry(folder, key, encode(code), options.cache_bytes)
    return code


@functools.cache
def source_digest() -> str:
    """A digest of every module of ir/ and codegen/."""
    digest = hashlib.sha256()
    here = Path(__file__).resolve().parent
    for folder in (Path(__file__).parent, Path(__file__).parent.parent / "ir"):
        for path in sorted(folder.resolve().rglob("*.py")):
            digest.update(path.relative_to(here.parent).as_posix().encode() + b"\0")
            digest.update(path.read_bytes())
    return digest.hexdigest()


def encode(code: StepCode) -> bytes:
    """A step as the bytes of an entry."""
    kernels = list(dict.fromkeys(call.kernel for call in code.calls))
    return json.dumps({
        "modules": code.modules,
        "frame_words": code.frame_words,
        "kernels": [[k.name, k.symbols, [[str(extent), step] for extent, step in k.trips.factors]] for k in kernels],
        "calls": [[kernels.index(c.kernel), c.arrays, c.barrier, c.trips_word, c.dims_word, c.args_word] for c in code.calls],
    }).encode()


def decode(data: bytes) -> StepCode:
    """The step of an entry; the reverse of `encode`."""
    found = json.loads(data)
    kernels = [NativeKernel(name, tuple(symbols), Trips(tuple((parse_dim(extent), step) for extent, step in factors)))
               for name, symbols, factors in found["kernels"]]
    calls = tuple(KernelCall(kernels[k], tuple(arrays), barrier, *words) for k, arrays, barrier, *words in found["calls"])
    return StepCode(tuple(found["modules"]), calls, found["frame_words"])
