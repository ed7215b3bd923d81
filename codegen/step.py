"""A compiled step as data: the text of its kernels' modules, the calls that it makes, the frame that these read, and the storage of
its buffers.

The runtime makes the calls (`kc_step`): it shares the trips of each kernel among threads, and lets them meet where a call asks for it.
A frame is a table of 64-bit words: the shared words of the call, the table of calls, then for each call its number of trips, its dims
and its array pointers. So the text holds no address, no layer's name and no batch size, and equal programs give equal texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from kcompile.ir.struct import struct

from ..ir.program import Buffer, Lifetime
from ..ir.types import DimLike
from .trips import Trips


@struct(frozen=True)
class PanelKernel:
    """The function that fills a panel of `size` bytes from the argument number `source` of its kernel: both are its arguments."""

    name: str
    source: int
    size: int
    trips: Trips


@struct(frozen=True)
class NativeKernel:
    """What a call of a kernel's function must pass: dims for `symbols`, a share of `trips`, and after its arrays the panels."""

    name: str
    symbols: tuple[str, ...]
    trips: Trips
    panels: tuple[PanelKernel, ...] = ()


@struct(frozen=True)
class KernelCall:
    """One call of the step. `arrays` are buffer names in the order of the function's arguments, names of panels after them; words are
    the frame's."""

    kernel: NativeKernel
    arrays: tuple[str, ...]
    barrier: bool
    trips_word: int
    dims_word: int
    args_word: int


@struct(frozen=True)
class Storage:
    """What of a program its code needs when it runs: the fields of the same names, and the roots that some kernel writes."""

    name: str
    buffers: Mapping[str, Buffer]
    outputs: Mapping[str, str]
    lifetimes: Mapping[str, Lifetime]
    written: frozenset[str]

    def root(self, name: str) -> str:
        """The buffer that owns the storage of `name`."""
        while self.buffers[name].of:
            name = self.buffers[name].of
        return name


@struct(frozen=True)
class KeptPanel:
    """A panel of one step: its kernel, and the buffer that it copies."""

    kernel: PanelKernel
    source: str


@struct(frozen=True)
class StepCode:
    """`panels`: by the name under which calls have them (see kept.py). `work`: (points, vector instructions a point) of each equation;
    see work.py."""

    modules: tuple[str, ...]
    calls: tuple[KernelCall, ...]
    frame_words: int
    storage: Storage
    work: tuple[tuple[DimLike, float], ...]
    panels: Mapping[str, KeptPanel] = field(default_factory=dict)

    def functions(self) -> list[str]:
        """The names of all native functions."""
        return sorted({call.kernel.name for call in self.calls} | {panel.kernel.name for panel in self.panels.values()})

    def instructions(self, symbols: Mapping[str, int]) -> float:
        """An estimate of the vector instructions of one step."""
        return sum((points if isinstance(points, int) else points.evaluate(symbols)) * cost for points, cost in self.work)


def call_table(code: StepCode, addresses: Mapping[str, int]) -> list[int]:
    """What the runtime reads of the calls: how many there are, then for each the kernel's address, its words of the frame, and whether
    threads meet before it."""
    table = [len(code.calls)]
    for number, call in enumerate(code.calls):
        table += [addresses[call.kernel.name], call.trips_word, call.dims_word, call.args_word, call.barrier and number > 0]
    return table


def fill_frame(code: StepCode, words: list[int], symbols: Mapping[str, int]) -> None:
    """Write the trips and dims of every call for these symbols; pointers are left alone."""
    for call in code.calls:
        words[call.trips_word] = call.kernel.trips.evaluate(symbols)
        for n, symbol in enumerate(call.kernel.symbols):
            words[call.dims_word + n] = symbols[symbol]


def pointer_words(code: StepCode) -> dict[str, tuple[int, ...]]:
    """For each buffer that owns storage, and each panel: the frame's words that hold its address."""
    words: dict[str, list[int]] = {}
    for call in code.calls:
        for n, array in enumerate(call.arrays):
            owner = array if array in code.panels else code.storage.root(array)
            words.setdefault(owner, []).append(call.args_word + n)
    return {name: tuple(found) for name, found in words.items()}
