"""A compiled program: machine code, an arena, and calls of one step or of many.

    executable = compile_program(program)
    executable.run({"x": x, "dense/kernel": kernel, "loss": loss}, {"B": 32})
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..ir.arena import layout_arena
from ..ir.program import LEARNED, Program
from ..ir.types import evaluate_dim
from .arena import aligned
from .assembly import assembly
from .changes import changed
from .compilers import Compilers
from .kept import Panels
from .loop import Loop
from .loop_frames import LoopFrames
from .module import Loaded
from .options import CodegenOptions
from .row_table import RowTable
from .runtime import layout
from .runtime.pool import MARGIN, NativeCall, pool, renew_after_fork
from .step import StepCode, call_table, fill_frame, pointer_words
from .step_cache import Announce, cached_step_code
from .target import Target
from .text_builder import join

if TYPE_CHECKING:
    from .step_text import Compile

Array = npt.NDArray[Any]
FRAMES_KEPT = 32  # batch sizes whose frames an executable keeps
LOOPS_KEPT = 8  # the same, for loops over many rows
MANY_SAMPLES = 32  # for each thread, which may then have one more than another
GIVEN = ("param", "state", "output")


def compile_program(program: Program, target: Target | None = None, options: CodegenOptions | None = None,
                    compile: Compile | None = None) -> Executable:
    """Machine code for a planned program, from the cache where it is there.

    `target` None: Target.host(). `compile`: another way to make a kernel's text than lowering, scheduling and emission. Raises
    ValueError for a program that is not planned, or a target this machine is not.
    """
    if compile is None:
        from ..ir.text.programs import print_program
        return compile_text(print_program(program), lambda announce: program, target, options)
    from .step_text import step_code
    options = options or CodegenOptions()
    target = target or Target.host(options)
    _check_runs_here(target)
    return Executable(step_code(program, target, compile), target, options, Compilers(target, options, program.name))


def compile_text(text: str, program: Callable[[Announce], Program], target: Target | None = None,
                 options: CodegenOptions | None = None, meanwhile: Callable[[], None] = lambda: None) -> Executable:
    """The same, for whatever `text` tells apart: `program` makes the planned program where the cache has nothing for the text, and
    may be told beforehand of kernels that it will have.
    `meanwhile`: see Compilers."""
    options = options or CodegenOptions()
    target = target or Target.host(options)
    _check_runs_here(target)
    compilers = Compilers(target, options, "kcompile", meanwhile)
    try:
        return Executable(cached_step_code(text, program, target, options, compilers), target, options, compilers)
    finally:
        compilers.give_up()


def _check_runs_here(target: Target) -> None:
    host = Target.host()
    family, here = target.triple.split("-")[0], host.triple.split("-")[0]
    if family != here or target.vector_bytes > host.vector_bytes:
        raise ValueError(f"target {target.name!r} ({family}, {8 * target.vector_bytes}-bit vectors) cannot run on this machine "
                         f"({here}, {8 * host.vector_bytes}-bit vectors); its text and assembly can be shown")


class Frame:
    """The table that one call of the step reads, for one set of symbols. It remembers the arrays it points to weakly: the
    caller of a step keeps them alive, and they may be large."""

    def __init__(self, executable: Executable, symbols: Mapping[str, int]) -> None:
        self.symbols = dict(symbols)
        self.words = aligned(executable.code.frame_words, np.int64)
        self.view = memoryview(self.words)  # type: ignore[arg-type]
        values = [0] * executable.code.frame_words
        fill_frame(executable.code, values, symbols)
        values[layout.FRAME_CALLS] = executable.calls_for(symbols).ctypes.data
        self.words[:] = values
        self.address: int = self.words.ctypes.data
        self.arena = executable.arena
        self.moved = True  # whether it has been pointed to other arrays
        self.tables = {name: RowTable(rows, evaluate_dim(executable.program.buffers[name].type.shape[0], symbols))
                       for name, rows in executable.code.rows.items()}
        for name, table in self.tables.items():
            self.point(executable.pointers[name], table.address)
        for name, offset in executable.offsets.items():
            self.point(executable.pointers.get(name, ()), executable.arena_address + offset)
        for name, address in executable.panels.addresses().items() if executable.panels else ():
            self.point(executable.pointers[name], address)
        self.shapes = {name: tuple(evaluate_dim(d, symbols) for d in executable.program.buffers[name].stored)
                       for name in executable.given}
        self.bound: dict[str, weakref.ref[Array] | None] = dict.fromkeys(executable.given)

    def point(self, words: tuple[int, ...], address: int) -> None:
        view = self.view
        for word in words:
            view[word] = address
        self.moved = True

    def give(self, executable: Executable, name: str, address: int) -> None:
        """Point to a caller's array, or tell where its rows are."""
        if name in self.tables:
            self.tables[name].fill(address)
        else:
            self.point(executable.pointers.get(name, ()), address)

    def bind(self, executable: Executable, arrays: Mapping[str, Array]) -> None:
        """Point to the caller's arrays; only those that changed are looked at. Raises KeyError, TypeError or ValueError."""
        bound = self.bound
        for name in executable.given:
            try:
                array = arrays[name]
            except KeyError:
                raise KeyError(executable.describe(name, "no array is given for it")) from None
            known = bound[name]
            if known is None or known() is not array:
                executable.check(name, array, self.shapes[name])
                bound[name] = None  # an interrupt may come between the next two lines
                self.give(executable, name, array.ctypes.data)
                bound[name] = weakref.ref(array)


class _Bound:
    """A frame ready to be called."""

    def __init__(self, executable: Executable, symbols: Mapping[str, int]) -> None:
        self.frame = Frame(executable, symbols)
        self.call = NativeCall(executable.pool, executable.pool.step_entry, self.frame.address, executable.threads_for(symbols),
                               executable.code.instructions(symbols) < executable.options.small_below)
        self.call.room = executable.stack
        self.usual = self.call.threads, self.call.small
        self.frame.words[layout.FRAME_SHARED] = self.call.shared_address


class Prepared:
    """One step on arrays that stay, and on some that every call gives anew: see Executable.prepare."""

    def __init__(self, executable: Executable, arrays: Mapping[str, Array], moving: tuple[str, ...], symbols: Mapping[str, int]) -> None:
        self._executable = executable
        self._bound = _Bound(executable, symbols)
        frame = self._bound.frame
        self._words = [() if name in frame.tables else executable.pointers.get(name, ()) for name in moving]
        self._rows = [(n, name) for n, name in enumerate(moving) if name in frame.tables]
        self._arrays = [arrays[name] for name in executable.given if name not in moving]  # kept alive: the frame points to them
        for name in executable.given:
            if name not in moving:
                executable.check(name, arrays[name], frame.shapes[name])
                frame.give(executable, name, arrays[name].ctypes.data)
                frame.bound[name] = weakref.ref(arrays[name])

    def run(self, *moving: Array) -> None:
        """One step. The arrays must be what `Executable.check` asks for: it is not done again."""
        bound = self._bound
        view = bound.frame.view
        with self._executable._lock:
            for words, array in zip(self._words, moving, strict=True):
                address = array.__array_interface__["data"][0]
                for word in words:
                    view[word] = address
            for n, name in self._rows:
                bound.frame.give(self._executable, name, moving[n].ctypes.data)
            self._executable.call(bound.frame, bound.call)

    def run_copied(self, given: Array, place: Array, result: Array) -> Array:
        """One step on `given`, copied to where it is read; a copy of its result. For small arrays cheaper than looking up addresses."""
        with self._executable._lock:
            place[...] = given
            self._executable.call(self._bound.frame, self._bound.call)
            return result.copy()


class Executable:
    """`program`: the storage of the program that was compiled. `given`: the buffers whose arrays a caller passes. Not for two
    threads at once: calls take turns."""

    def __init__(self, code: StepCode, target: Target, options: CodegenOptions, compilers: Compilers) -> None:
        self.code, self.target, self.options = code, target, options
        self.program = program = code.storage
        self.loaded = Loaded(compilers.objects(code.modules), code.functions())
        self.calls, self.calls_apart = [np.array(call_table(code, self.loaded.addresses, together), np.int64) for together in (True, False)]
        self.pool = pool(options, compilers.made)
        self.stack = MARGIN + int(self.calls[layout.STEPS_PRIVATE]) + max((call.kernel.stack for call in code.calls), default=0)
        self.pointers = pointer_words(code)
        self.panels = Panels(self) if code.panels else None
        self.given = tuple(b.name for b in program.buffers.values() if b.kind in GIVEN and not b.of)
        self.symbols = tuple(sorted({s for b in program.buffers.values() for s in b.type.symbols}
                                    | {s for c in self.code.calls for s in c.kernel.symbols}))
        self.written = program.written
        self.learns = any(program.buffers[name].role in LEARNED for name in program.written)
        self._largest: dict[str, int] = {}
        self.offsets: dict[str, int] = {}
        self.arena: Array = aligned(0)
        self.arena_address = 0
        self._bound: dict[tuple[int, ...], _Bound] = {}
        self._loops: dict[tuple[int, int, int | None], LoopFrames] = {}
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """A thread of the parent may have held the lock."""
        self._lock = threading.Lock()

    def run(self, arrays: Mapping[str, Array], symbols: Mapping[str, int] | None = None, threads: int | None = None) -> None:
        """One step. Every param, state and output is a C-contiguous array of its buffer's dtype and shape (of a state in panels: of
        `Buffer.stored`); outputs and states are written in place. `threads`: exactly so many; None: as many as the work is worth. Who
        has changed a weight's array otherwise than by a step says so before (changes.py).

        Raises KeyError for a missing array or symbol, TypeError for a dtype, ValueError for a shape or layout.
        """
        with self._lock:
            bound = self._bind(symbols or {})
            bound.frame.bind(self, arrays)
            call = bound.call
            wanted = bound.usual if threads is None else (threads, False)
            if wanted != (call.threads, call.small):
                call.set_threads(*wanted)
            self.call(bound.frame, call)

    def call(self, frame: Frame, call: NativeCall) -> None:
        """A call on a frame, with panels that are filled; that it changes weights is told to all who keep copies of them: to other
        threads when it is over, and before it begins, since an interrupt that came meanwhile is raised before anything is done here."""
        if self.panels is not None:
            self.panels.refresh(frame)
        if not self.learns:
            call.run()
            return
        changed()
        try:
            call.run()
        finally:
            changed()

    def prepare(self, arrays: Mapping[str, Array], moving: tuple[str, ...], symbols: Mapping[str, int]) -> Prepared:
        """A step to be run many times on the same arrays but for the buffers `moving`, whose arrays each call gives, in that order.

        Raises KeyError, TypeError or ValueError as `run` does.
        """
        with self._lock:
            self.reserve({name: symbols[name] for name in self.symbols})
            return Prepared(self, arrays, moving, symbols)

    def loop(self, feeds: Mapping[str, Array], sinks: Mapping[str, Array], arrays: Mapping[str, Array],
             order: npt.NDArray[np.int64] | None, batch_size: int, threads: int | None = None) -> Loop:
        """Many steps over the rows of `feeds` ({param: source [N, ...], any numeric dtype}) in the order of `order`
        (row numbers; None: 0..N-1), `batch_size` at a time, the last step with what is left. `sinks`: {output: array
        [N, ...]}, filled row by row in that order. `arrays`: every other buffer.

        Raises KeyError, TypeError or ValueError as `run` does, IndexError for a row number outside the sources.
        """
        with self._lock:
            return Loop(self, feeds, sinks, arrays, order, batch_size, threads)

    def _bind(self, symbols: Mapping[str, int]) -> _Bound:
        try:
            key = tuple([symbols[s] for s in self.symbols])
        except KeyError as missing:
            raise KeyError(f"program {self.program.name!r} needs the size of {missing}") from None
        bound = self._bound.get(key)
        if bound is None:
            self.reserve(symbols)
            if len(self._bound) == FRAMES_KEPT:
                del self._bound[next(iter(self._bound))]  # the oldest
            bound = self._bound[key] = _Bound(self, symbols)
        return bound

    def loop_frames(self, batch: int, tail: int, threads: int | None) -> LoopFrames:
        """Frames for loops over batches of so many rows, the last one with `tail` (0: all are whole)."""
        key = batch, tail, threads
        kept = self._loops.get(key)
        if kept is None:
            symbols = {"B": batch} if self.symbols else {}
            self.reserve(symbols)
            if len(self._loops) == LOOPS_KEPT:
                del self._loops[next(iter(self._loops))]  # the oldest
            kept = self._loops[key] = LoopFrames(self, symbols, tail, threads)
        return kept

    def reserve(self, symbols: Mapping[str, int]) -> None:
        """Make the arena large enough for these symbols. A larger one moves every temp."""
        for name in self.symbols:
            if symbols[name] < 1:
                raise ValueError(f"program {self.program.name!r}: {name} must be at least 1, not {symbols[name]}")
        if self._largest and all(symbols[s] <= self._largest[s] for s in self.symbols):
            return
        largest = {s: max(symbols[s], self._largest.get(s, 1)) for s in self.symbols}
        offsets, size = layout_arena(self.program.buffers, self.program.lifetimes, largest)
        arena = aligned(size)  # there may be no memory for it: then all stays as it is
        self._largest = {}  # until all fits together: an interrupt may come at any line
        self._bound.clear()
        self._loops.clear()
        self.offsets, self.arena, self.arena_address = offsets, arena, arena.ctypes.data
        self._largest = largest

    @property
    def most_threads(self) -> int:
        return min(self.options.threads or self.pool.cores, layout.MAX_WORKERS + 1)

    def release(self) -> None:
        """Give the memory of temps back until the next call, which takes it anew: for steps that few will run again soon."""
        with self._lock:
            self._largest, self.offsets, self.arena, self.arena_address = {}, {}, aligned(0), 0
            self._bound.clear()
            self._loops.clear()

    def threads_for(self, symbols: Mapping[str, int]) -> int:
        """One where the step is too short for what it costs to meet others."""
        most = self.most_threads
        meetings = 1 + sum(call.barrier or not call.together for call in self.code.calls)
        return most if self.code.instructions(symbols) >= self.options.single_thread_below * meetings else 1

    def calls_for(self, symbols: Mapping[str, int]) -> npt.NDArray[np.int64]:
        """The table of calls: calls go through samples together where these can be shared out evenly."""
        threads = self.most_threads
        even = all(size % threads == 0 or size >= MANY_SAMPLES * threads for size in symbols.values())
        return self.calls if even else self.calls_apart

    def check(self, name: str, array: Array, shape: tuple[int, ...]) -> None:
        """Raise unless the array is what the buffer needs."""
        wanted = self.program.buffers[name].type.dtype
        if not isinstance(array, np.ndarray):
            raise TypeError(self.describe(name, f"expected a numpy array, given {type(array).__name__}"))
        if array.dtype != wanted.numpy:
            raise TypeError(self.describe(name, f"expected {wanted.long_name}, given {array.dtype}"))
        if array.shape != shape:
            panels = self.program.buffers[name].panels
            stored = f" (panels of {panels} columns)" if panels else ""
            raise ValueError(self.describe(name, f"expected shape {shape}{stored}, given {array.shape}"))
        if not array.flags.c_contiguous:
            raise ValueError(self.describe(name, "the array is not C-contiguous"))
        if name in self.written and not array.flags.writeable:
            raise ValueError(self.describe(name, "the array is read-only but is written"))

    def describe(self, name: str, problem: str) -> str:
        buffer = self.program.buffers[name]
        return f"{self.program.name}: {buffer.kind} {name!r} ({buffer.type}): {problem}"

    def text(self) -> str:
        """The LLVM text of the whole program."""
        return join(self.code.modules)

    def assembly(self) -> str:
        return assembly(self.text(), self.target)
