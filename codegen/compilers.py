"""The modules of one step to objects: from the cache, by LLVM in a helper process while this one goes on lowering, and then by both.

llvmlite compiles one module at a time in a process. On two processors a step that is worth the start of a helper has one processor for
what Python does and one for LLVM; whoever waits for the last modules lends a hand. With more processors, and for steps that are
not worth a helper, a thread of this process compiles beside the lowering: llvmlite lets go of the interpreter's lock meanwhile. All
begin as soon as it is known that something will be compiled, with the runtime, and are ready when the first module comes.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping

from . import cache
from .garbage import collect
from .helper import Helper
from .object_code import OBJECT
from .options import CodegenOptions
from .runtime.pool import missing_runtime, pool
from .target import Target

SWITCH_SECONDS = 0.0005  # how long a thread that comes out of LLVM waits for the one that lowers; Python's own 5 ms are a module's time


class Compilers:
    """`submit` each module as soon as its text is there; `objects` waits for all. `meanwhile`: what this process has to do anyway, done
    while a helper compiles the last modules."""

    def __init__(self, target: Target, options: CodegenOptions, name: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.target, self.options, self.name, self.meanwhile = target, options, name, meanwhile
        self._objects: dict[str, bytes] = {}
        self._keys: dict[str, str] = {}  # in the cache, of every text that was submitted
        self._helper: Helper | None = None
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._quick = contextlib.ExitStack()

    def start(self, help: bool) -> None:
        """Modules will come. `help`: so many that a second process is worth its start."""
        self._helper = Helper(self.target, OBJECT, self._made)
        if help:
            self._helper.start()
        helped = self._helper.thread is not None
        if helped and self.target == Target.host(self.options) and (text := missing_runtime(self.options)) is not None:
            self.submit(text)
        if self.target.cores > (2 if helped else 1):
            self._thread = threading.Thread(target=self._serve, name="kcompile compiler", daemon=True)
            self._thread.start()
        if helped or self._thread is not None:
            self._quick.enter_context(_quick_switches())

    def submit(self, text: str) -> None:
        """Raises nothing: what LLVM has to say about a text comes from `objects`."""
        self._keys[text] = key = cache.cache_key(text, self.target)
        found = cache.recalled_object(key, self.options)
        if found is not None:
            self._objects[text] = found
        elif self._helper is not None:
            self._helper.add(text)

    @property
    def made(self) -> Mapping[str, bytes]:
        """Every object so far, by its text."""
        return self._objects

    def objects(self, texts: tuple[str, ...]) -> list[bytes]:
        """The objects of these modules, in order; those not submitted yet are compiled now. Raises InvalidText."""
        for text in texts:
            if text not in self._keys:
                self.submit(text)
        if self._helper is not None and self._helper.thread is not None:
            collect()
            self.meanwhile()
        self.close()
        if self._error is not None:
            raise self._error
        for text in texts:
            if text not in self._objects:  # there is no thread; or the helper ended over it, or LLVM refuses it: then this says why
                self._compile(text)
        return [self._objects[text] for text in texts]

    def close(self) -> None:
        """Nothing more will come; waits until what was submitted is compiled."""
        if self._helper is not None:
            self._helper.finish()
            if self._thread is not None:
                self._thread.join()
            elif self._helper.thread is not None:
                self._work()
            self._helper.close()
            self._quick.close()
        self._helper = self._thread = None

    def give_up(self) -> None:
        """What was submitted is not wanted any more; waits for the modules that are being compiled."""
        if self._helper is not None:
            self._helper.waiting.clear()
        self.close()

    def _serve(self) -> None:
        """The thread's."""
        try:
            pool(self.options, self._objects)
        except BaseException as error:
            self._error = error
        self._work()

    def _work(self) -> None:
        """Compiles here what nobody has begun, until nothing more will come."""
        helper = self._helper
        assert helper is not None
        try:
            while self._error is None and (text := helper.next()) is not None:
                self._compile(text)
        except BaseException as error:
            self._error = error

    def _compile(self, text: str) -> None:
        self._keep(text, cache.compiled_object(text, self.target, self.name))

    def _made(self, text: str, content: bytes) -> None:
        cache.COUNTERS.add("compiled")
        self._keep(text, content)

    def _keep(self, text: str, content: bytes) -> None:
        cache.keep_object(self._keys[text], self.options, content)
        self._objects[text] = content


_switching = threading.Lock()
_switchers = 0
_usual = 0.0


def _in_child() -> None:
    """Those that asked for quick switches are threads of the parent."""
    global _switching, _switchers
    _switching = threading.Lock()
    if _switchers:
        _switchers = 0
        sys.setswitchinterval(_usual)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


@contextlib.contextmanager
def _quick_switches() -> Iterator[None]:
    """Threads of Python take turns more often, until the last of those that asked for it is done."""
    global _switchers, _usual
    with _switching:
        if not _switchers:
            _usual = sys.getswitchinterval()
            sys.setswitchinterval(min(_usual, SWITCH_SECONDS))
        _switchers += 1
    try:
        yield
    finally:
        with _switching:
            _switchers -= 1
            if not _switchers:
                sys.setswitchinterval(_usual)
