"""Measured tiles in place of estimated ones: KCOMPILE_TUNE=1.

A kernel's few best register tiles by the cost model (tiles.py) are compiled, run on arrays of random numbers, and the fastest is taken.
Only tiles are compared, and only those under which every sum is taken in the same order: a measured choice never changes the bits of a
result. What was found is kept in the cache, under the kernel's text, the target and the source of the compiler.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kcompile.common.struct import struct

from ..ir.types import DType, evaluate_dim
from . import cache, miss
from .arena import aligned
from .emit import emit
from .nest import Nest
from .nest_text import print_nest
from .options import CodegenOptions
from .row_table import RowTable
from .runtime.layout import WORDS_BEFORE
from .strategy import plan, tile_choices
from .target import Target
from .text_builder import join
from .tiles import Tile

if TYPE_CHECKING:
    from ..ir.kernel import Kernel
    from .step import NativeKernel

CANDIDATES = 4
BATCH = 32  # what every symbol is while tiles are measured
SECONDS = 0.02  # of measuring each candidate
ROOM = 64  # elements behind a panel, for dead lanes
PLACED = 16  # bytes past a line: where numpy's larger arrays begin, which a system call places behind its own words
WORTH_IT = 0.97  # another tile must take less than this much of the time of the cost model's
ORDER_OF_SUMS = ("rfactor(", "block(", "refill(", "repack(")  # steps that decide in which order a sum is taken


@struct(frozen=True)
class Measured:
    """Seconds of one run with each candidate, the cost model's first."""

    tiles: tuple[Tile, ...]
    seconds: tuple[float, ...]

    @property
    def best(self) -> Tile | None:
        """The tile to take; None to leave it to the cost model."""
        fastest = min(range(len(self.tiles)), key=self.seconds.__getitem__, default=0)
        return self.tiles[fastest] if self.tiles and self.seconds[fastest] < WORTH_IT * self.seconds[0] else None

    def __str__(self) -> str:
        parts = (f"{tile} {1e6 * seconds:.1f} us" for tile, seconds in zip(self.tiles, self.seconds, strict=True))
        return f"{', '.join(parts)}: {self.best or 'the first'} is taken"


def compile_tuned(kernel: Kernel, target: Target, name: str, along: bool, options: CodegenOptions) -> tuple[str, NativeKernel]:
    """Like step_text.compile_kernel, with measured tiles."""
    from .lower import lower
    from .step_text import emit_kernel

    nest = lower(kernel, along)
    measured = measured_tiles(nest, target, options)
    if measured is not None:
        miss.report(options.cache_log, name, f"tiles {measured}", kind="kernel")
    return emit_kernel(plan(nest, target, measured.best if measured else None), target, name)


def argument_table(addresses: Sequence[int]) -> ctypes.Array[ctypes.c_void_p]:
    """What a native function takes, outside of a step: before its arguments stands that there is nothing to claim or to ask for."""
    whole = (ctypes.c_void_p * (WORDS_BEFORE + max(1, len(addresses))))(*[None] * WORDS_BEFORE, *addresses)
    table: ctypes.Array[ctypes.c_void_p] = (ctypes.c_void_p * max(1, len(addresses))).from_buffer(
        whole, WORDS_BEFORE * ctypes.sizeof(ctypes.c_void_p))
    return table


def measured_tiles(nest: Nest, target: Target, options: CodegenOptions) -> Measured | None:
    """From the cache, or measured now and kept; None where there is nothing to choose."""
    scheduled = candidates(nest, target)
    if len(scheduled) < 2:
        return None
    folder = cache.trusted_folder(options)
    key = _key(nest, target)
    found = cache.read_entry(folder / key) if folder is not None else None
    if found is not None:
        return _decoded(found)
    measured = Measured(tuple(scheduled), _race(calls_of(scheduled.values(), target)))
    if folder is not None:
        cache.write_entry(folder, key, _encoded(measured), options.cache_bytes)
    return measured


def candidates(nest: Nest, target: Target) -> dict[Tile, Nest]:
    """The best tiles by the cost model, the one it takes first, that leave every sum in the same order."""
    found: dict[Tile, Nest] = {}
    order: list[str] = []
    for tile in tile_choices(nest, target)[:CANDIDATES]:
        scheduled = plan(nest, target, tile)
        sums = [step for step in scheduled.steps if step.startswith(ORDER_OF_SUMS)]
        if not found:
            order = sums
        if sums == order:
            found[tile] = scheduled
    return found


def calls_of(nests: Iterable[Nest], target: Target) -> list[_Call]:
    """All on the same arrays: each with its own, they would be measured on what the others have pushed out of the cache."""
    calls: list[_Call] = []
    for nest in nests:
        calls.append(_Call(nest, target, calls[0].arrays if calls else None))
    return calls


class _Call:
    """One scheduled nest as native code, with arrays to run on: those of another schedule of the same nest, or its own."""

    def __init__(self, nest: Nest, target: Target, arrays: Mapping[str, npt.NDArray[Any]] | None = None) -> None:
        from .module import Loaded, object_code

        self._loaded = Loaded([object_code(join([emit(nest, target, "candidate")]), target, nest.name)], ["candidate"])
        signature = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
        self._function = signature(self._loaded.addresses["candidate"])
        symbols = dict.fromkeys(nest.symbols, BATCH)
        self.arrays = _arrays(nest, symbols, arrays)
        self._tables = {name: RowTable(n * nest.dtype_of(name).size, self.arrays[name].size // n) for name, n in nest.by_row.items()}
        for name, table in self._tables.items():
            table.fill(self.arrays[name].ctypes.data)
        self._args = argument_table([self._tables[name].address if name in self._tables else self.arrays[name].ctypes.data
                                     for name in nest.arguments])
        self._dims = (ctypes.c_int64 * max(1, len(symbols)))(*symbols.values())
        self._trips = nest.trips.evaluate(symbols)

    def seconds(self) -> float:
        """Of one run, on one thread."""
        start = time.perf_counter()
        self._function(ctypes.addressof(self._args), ctypes.addressof(self._dims), 0, self._trips)
        return time.perf_counter() - start

    def close(self) -> None:
        self._loaded.close()


def _race(calls: list[_Call]) -> tuple[float, ...]:
    """The least of several runs of each, in turn: what disturbs one disturbs the others too."""
    try:
        least = [call.seconds() for call in calls]
        end = time.perf_counter() + SECONDS * len(calls)
        while time.perf_counter() < end:
            least = [min(old, call.seconds()) for old, call in zip(least, calls, strict=True)]
        return tuple(least)
    finally:
        for call in calls:
            call.close()


def _arrays(nest: Nest, symbols: Mapping[str, int], known: Mapping[str, npt.NDArray[Any]] | None = None) -> dict[str, npt.NDArray[Any]]:
    """Random numbers, and zeros for integers, which may be indices; where those of a step begin, at a line: elsewhere every other vector
    lies in two lines, and tiles that load more look worse than they are. What is read row by row is the caller's, as numpy placed it."""
    generator = np.random.default_rng(0)
    out: dict[str, npt.NDArray[Any]] = {}
    for name, kind in nest.arrays.items():
        if known is not None:
            out[name] = known[name]
            continue
        shape = tuple(evaluate_dim(d, symbols) for d in kind.shape)
        numbers = generator.random(shape, np.float32) if kind.dtype.is_float else np.zeros(shape)
        out[name] = _aligned(numbers, kind.dtype, PLACED if name in nest.by_row else 0)
    panels = {name: _aligned(generator.random(panel.elements + ROOM), panel.dtype) for name, panel in nest.panels.items()}
    return {**{name: out[nest.in_place.get(name, name)] for name in out}, **panels}


def _aligned(numbers: npt.NDArray[Any], dtype: DType, past: int = 0) -> npt.NDArray[Any]:
    """The numbers so many bytes past the beginning of a line."""
    array = aligned(past // dtype.size + numbers.size, dtype.numpy)[past // dtype.size:].reshape(numbers.shape)
    array[...] = numbers
    return array


def _key(nest: Nest, target: Target) -> str:
    from .step_cache import source_digest

    return hashlib.sha256("\0".join(("tiles", print_nest(nest), repr(target), source_digest())).encode()).hexdigest()


def _encoded(measured: Measured) -> bytes:
    rows = [[tile.vectors, dict(tile.rows), seconds] for tile, seconds in zip(measured.tiles, measured.seconds, strict=True)]
    return json.dumps(rows).encode()


def _decoded(content: bytes) -> Measured:
    found = json.loads(content)
    return Measured(tuple(Tile(vectors, rows) for vectors, rows, _ in found), tuple(seconds for _, _, seconds in found))
