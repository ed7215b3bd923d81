"""Whole steps on disk: what the passes, lowering, scheduling and emission made of a graph, so that a second process skips them all.

An entry is keyed on the text of what is compiled (a traced graph, or a planned program), the target, llvmlite's version, and a digest of
the source of ir/, codegen/ and what is common to them: whoever changes a pass or a strategy gets new entries. It lies beside the object
code, under the same rules (see cache.py), as JSON.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from kcompile import common
from kcompile.common.struct import replace

from ..ir.kernel import Kernel
from ..ir.program import Buffer, Lifetime, Program
from ..ir.types import DimLike, TensorType, parse_dim, parse_type
from . import cache, miss
from .compilers import Compilers
from .options import CodegenOptions
from .step import KeptPanel, KernelCall, NativeKernel, PanelKernel, StepCode, Storage
from .target import Target
from .trips import Trips

Announce = Callable[[Kernel], None] | None  # told of a kernel that the program will most likely have, where it may be compiled early
WORTH_A_HELPER = 120  # lines of a program's or a graph's text: below it a second compiler takes longer to start than it saves


def cached_step_code(text: str, program: Callable[[Announce], Program], target: Target, options: CodegenOptions,
                     compilers: Compilers) -> StepCode:
    """The step that `text` stands for, from the cache where it is there; else made of the planned program, its modules given to the
    compilers as they come."""
    folder = cache.trusted_folder(options)
    subject = text.partition("\n")[0]
    if folder is None:
        miss.report(options.cache_log, subject, "compiled, because there is no cache")
        return _made(text, program, target, options, compilers)
    parts = {"llvmlite": cache.compiler(), "source": source_digest(), "target": _digest(repr(target)), "tune": str(options.tune),
             "winograd": str(options.winograd),
             "text": _digest(text)}
    key = _digest("\0".join(parts.values()))
    found = cache.read_entry(folder / key)
    if found is not None:
        cache.COUNTERS.add("recalled")
        miss.report(options.cache_log, subject, "found in the cache")
        return decode(found)
    if options.cache_log is not None:
        miss.report(options.cache_log, subject, f"compiled, because {miss.explain(folder, subject, key, parts)}")
    code = _made(text, program, target, options, compilers)
    cache.write_entry(folder, key, encode(code), options.cache_bytes)
    miss.remember(folder, subject, parts, options.cache_bytes)
    return code


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _made(text: str, program: Callable[[Announce], Program], target: Target, options: CodegenOptions, compilers: Compilers) -> StepCode:
    cache.COUNTERS.add("lowered")
    if options.tune:  # nothing else may run while tiles are measured: the modules are compiled afterwards
        from .step_text import step_code
        from .tuning import compile_tuned
        return step_code(program(None), target, partial(compile_tuned, options=options))
    compilers.start(help=text.count("\n") > WORTH_A_HELPER)
    from .step_text import StepText  # everything that compiles is imported only where something is compiled
    step = StepText(target, emitted=compilers.submit)
    return step.code(program(step.announce))


@functools.cache
def source_digest() -> str:
    """A digest of every module of ir/, codegen/ and common/."""
    digest = hashlib.sha256()
    codegen = os.path.dirname(os.path.realpath(__file__))
    for folder in (codegen, os.path.join(os.path.dirname(codegen), "ir"), os.path.dirname(common.__file__)):
        for name, entry in sorted(_modules(folder, f"{os.path.basename(folder)}/")):
            digest.update(name.encode() + b"\0")
            with open(entry.path, "rb", buffering=0) as file:
                digest.update(file.read(entry.stat().st_size))
    return digest.hexdigest()


def _modules(folder: str, inside: str) -> list[tuple[str, os.DirEntry[str]]]:
    """(name, entry) of each module of a folder and of those in it. A Path for each would take three times as long as the digest."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                found.append((inside + entry.name, entry))
            elif entry.is_dir():
                found += _modules(entry.path, f"{inside}{entry.name}/")
    return found


def encode(code: StepCode) -> bytes:
    """A step as the bytes of an entry."""
    kernels = list(dict.fromkeys(call.kernel for call in code.calls))
    number = {kernel: n for n, kernel in enumerate(kernels)}
    storage = code.storage
    return json.dumps({
        "modules": code.modules,
        "frame_words": code.frame_words,
        "kernels": [[k.name, k.symbols, _encoded(k.trips), [_panel(p) for p in k.panels],
                     k.unit, k.asks, k.piece, k.cost, k.stack, k.inside] for k in kernels],
        "calls": [[number[c.kernel], c.arrays, c.barrier, c.trips_word, c.dims_word, c.args_word, c.together, c.samples, c.private, c.asked]
                  for c in code.calls],
        "name": storage.name,
        "buffers": [[b.name, str(b.type), b.kind, b.of, b.role, b.why, b.panels] for b in storage.buffers.values()],
        "outputs": dict(storage.outputs),
        "lifetimes": {name: [life.first, life.last] for name, life in storage.lifetimes.items()},
        "written": sorted(storage.written),
        "work": [[str(points), cost] for points, cost in code.work],
        "panels": [[name, panel.source, panel.word, _panel(panel.kernel)] for name, panel in code.panels.items()],
        "rows": dict(code.rows),
    }).encode()


def _panel(panel: PanelKernel) -> list[Any]:
    return [panel.name, panel.source, panel.size, _encoded(panel.trips)]


def _encoded(trips: Trips) -> list[list[Any]]:
    return [[str(extent), step] for extent, step in trips.factors]


def decode(data: bytes) -> StepCode:
    """The step of an entry; the reverse of `encode`."""
    found: dict[str, Any] = json.loads(data)
    kernels = [NativeKernel(name, tuple(symbols), _trips(trips),
                           tuple([_panel_kernel(panel) for panel in panels]), unit, asks, piece, cost, stack, inside)
               for name, symbols, trips, panels, unit, asks, piece, cost, stack, inside in found["kernels"]]
    calls = tuple([replace(KernelCall(kernels[k], tuple(arrays), *words), private=tuple([(n, size, begin) for n, size, begin in private]),
                           asked=tuple([(word, size, ahead) for word, size, ahead in asked]))
                   for k, arrays, *words, private, asked in found["calls"]])
    buffers = {name: Buffer(name, _type(type_), *rest) for name, type_, *rest in found["buffers"]}
    lifetimes = {name: Lifetime(first, last) for name, (first, last) in found["lifetimes"].items()}
    storage = Storage(found["name"], buffers, found["outputs"], lifetimes, frozenset(found["written"]))
    return StepCode(tuple(found["modules"]), calls, found["frame_words"], storage, tuple((_dim(p), cost) for p, cost in found["work"]),
                    {name: KeptPanel(_panel_kernel(filler), source, word) for name, source, word, filler in found["panels"]}, found["rows"])


def _panel_kernel(found: list[Any]) -> PanelKernel:
    name, source, size, trips = found
    return PanelKernel(name, source, size, _trips(trips))


def _trips(factors: list[Any]) -> Trips:
    return Trips(tuple((_dim(extent), step) for extent, step in factors))


@functools.lru_cache(maxsize=4096)
def _type(text: str) -> TensorType:
    return parse_type(text)


@functools.lru_cache(maxsize=4096)
def _dim(text: str) -> DimLike:
    return parse_dim(text)
