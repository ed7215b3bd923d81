"""A compiled step as data: the text of its kernels' modules, the calls that it makes, the frame that these read, and the storage of
its buffers.

The runtime makes the calls (`kc_step`): it shares the trips of each kernel among threads, and lets them meet where a call asks for it.
A frame is a table of 64-bit words: the shared words of the call, the table of calls, then for each call its number of trips, its dims
and its array pointers. So the text holds no address, no layer's name and no batch size, and equal programs give equal texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from kcompile.common.struct import struct

from ..ir.program import Buffer, Lifetime, root_of
from ..ir.types import DimLike
from .runtime import layout
from .runtime.helping import FUNCTIONS
from .target import LINE
from .trips import Trips

WHOLE = 1 << 62  # more samples than there are


@struct(frozen=True)
class PanelKernel:
    """The function that fills a panel of `size` bytes from the argument number `source` of its kernel: both are its arguments."""

    name: str
    source: int
    size: int
    trips: Trips


@struct(frozen=True)
class NativeKernel:
    """What a call of a kernel's function must pass: dims for `symbols`, a share of `trips`, and after its arrays the panels. `unit`:
    the trips of a sample, where samples come one after the other; 0 where trips are no part of one sample or a call copies operands.
    `asks`: for how many lines of what its thread will do next it asks in a sample (see runtime/errands.py). `piece`: the least trips that
    are worth a call of their own, or are claimed inside of one (see runtime/claims.py), 0 where neither can be.
    `inside`: whether a call asks for its trips itself when it comes to them (see runtime/layout.py): for pieces, once it has done what
    comes before them, or for its share of each pass; then `stack` is that of the sums which wait from one to the next.
    `cost`: rough instructions of a trip. `stack`: the bytes of a thread's stack that it takes."""

    name: str
    symbols: tuple[str, ...]
    trips: Trips
    panels: tuple[PanelKernel, ...] = ()
    unit: int = 0
    asks: int = 0
    piece: int = 0
    cost: int = 0
    stack: int = 0
    inside: int = layout.ALL_AT_ONCE


@struct(frozen=True)
class KernelCall:
    """One call of the step. `arrays` are buffer names in the order of the function's arguments, names of panels after them; words are
    the frame's. `together`: how many calls, this one among them, every thread goes through with so many samples at a time (`samples`)
    before it takes the next ones; 0 for those inside, 1 for a call of its own. `private`: of arrays that no other call sees but those, so
    that they lie in a thread's own memory: which of `arrays`, the bytes of a sample, and where it begins. `asked`: what the calls that
    go together ask for meanwhile, of what they will use: the word of the frame with an array's address, the bytes of a sample, and 1
    where it is for the next samples, 0 for those that they are at."""

    kernel: NativeKernel
    arrays: tuple[str, ...]
    barrier: bool
    trips_word: int
    dims_word: int
    args_word: int
    together: int = 1
    samples: int = 0
    private: tuple[tuple[int, int, int], ...] = ()
    asked: tuple[tuple[int, int, int], ...] = ()


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
        owner: str = root_of(self.buffers, name)
        return owner


@struct(frozen=True)
class KeptPanel:
    """A panel of one step: its kernel, the buffer that it is made of, and the frame's word with that one's address."""

    kernel: PanelKernel
    source: str
    word: int


@struct(frozen=True)
class StepCode:
    """`panels`: by the name under which calls have them (see kept.py). `rows`: params of which calls are given a table with the address of
    each row, and the bytes of one. `work`: (points, vector instructions a point) of each equation;
    see work.py."""

    modules: tuple[str, ...]
    calls: tuple[KernelCall, ...]
    frame_words: int
    storage: Storage
    work: tuple[tuple[DimLike, float], ...]
    panels: Mapping[str, KeptPanel] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)

    def functions(self) -> list[str]:
        """The names of all native functions."""
        own = {call.kernel.name for call in self.calls} | {panel.kernel.name for panel in self.panels.values()}
        return sorted({*own, *FUNCTIONS} if self.helped else own)

    @property
    def helped(self) -> bool:
        """Whether threads take over passes of a call: then the functions for that are in a module of it."""
        return any(call.kernel.inside == layout.EACH_PASS for call in self.calls)

    def instructions(self, symbols: Mapping[str, int]) -> float:
        """An estimate of the vector instructions of one step."""
        return sum((points if isinstance(points, int) else points.evaluate(symbols)) * cost for points, cost in self.work)


def call_table(code: StepCode, addresses: Mapping[str, int], together: bool = True) -> list[int]:
    """What the runtime reads of the calls.

    Not `together`: each call shares out all of its trips by itself, whatever a sample is; threads meet before each that needs another."""
    calls: list[list[int]] = []
    private: list[int] = []
    most = 0
    told = layout.STEPS_HEAD + layout.STEP_WORDS * len(code.calls)
    for number, call in enumerate(code.calls):
        words = addresses[call.kernel.name], call.trips_word, call.dims_word, call.args_word
        if together and call.together != 1:
            place = told + len(private) if call.private or call.asked else 0
            calls.append(call_words(*words, call.barrier and number > 0, call.together, call.samples, call.kernel.unit, place,
                                    max(1, call.samples // 4)))
            if place:
                private += [len(call.arrays), len(call.private), *(word for one in call.private for word in one)]
                most = max([most, *(begin + call.samples * size for _, size, begin in call.private)])
            if call.together and call.asked:
                calls[-1][layout.STEP_ASKED] = told + len(private)
                private += [len(call.asked), *(word for one in call.asked for word in one)]
        else:
            meets = number > 0 and (call.barrier or not call.together)
            calls.append(call_words(*words, meets, piece=call.kernel.piece, cost=call.kernel.cost))
            if call.kernel.inside and len(call.arrays) <= layout.MOST_ARGS:  # its thread has words of its own before the arguments
                calls[-1][layout.STEP_PRIVATE], calls[-1][layout.STEP_INSIDE] = told + len(private), call.kernel.inside
                private += [len(call.arrays), 0]
                if call.kernel.inside == layout.EACH_PASS:
                    most = max(most, call.kernel.stack + LINE)  # dead lanes are read, not used
            elif call.kernel.inside:
                calls[-1][layout.STEP_PIECE] = 0
    helping = [addresses[name] for name in FUNCTIONS] if code.helped else ()
    return [*table_of(calls, most, helping), *private]


def table_of(calls: list[list[int]], private: int = 0, helping: Sequence[int] = ()) -> list[int]:
    """Calls as the runtime reads them. `private`: the bytes that each thread needs for itself; `helping`: the addresses of FUNCTIONS, where
    there is a call with passes that others take over."""
    return [len(calls), private, *(helping or [0] * len(FUNCTIONS)), *(word for words in calls for word in words)]


def call_words(address: int, trips: int, dims: int, args: int, meets: bool, together: int = 1, samples: int = WHOLE,
               unit: int = 1, private: int = 0, piece: int = 0, cost: int = 0) -> list[int]:
    """The words of one call: its kernel's address, its words of the frame, whether threads meet before it, how many calls go through
    the samples together, how many of these at a time, the trips of one, the word of the table that tells its private arrays,
    and that of what is asked for, which is entered later, the least samples that a thread claims, 0 for shares that stay, the
    instructions of a trip, 0 for shares that are always equal, and whether a call asks for trips itself, which is entered later, too."""
    return [address, trips, dims, args, meets, together, samples, unit, private, 0, piece, cost, 0]


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
    for panel in code.panels.values():
        if panel.word not in words.setdefault(panel.source, []):
            words[panel.source].append(panel.word)
    return {name: tuple(found) for name, found in words.items()}
