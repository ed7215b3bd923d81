"""A second process that turns modules into objects or assembly, beside this one.

llvmlite compiles one module at a time in a process, so a second processor needs a second process. A helper that cannot be
started, or that ends, changes nothing but the time: what it did not make is left for this process.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO

from .target import Target

AHEAD = 2  # modules that a helper is given at a time


class Helper:
    """Modules that wait to be compiled: `add` and `take` are this process's, from the other end the helper takes what it can.

    `made(text, content)` is called, in another thread, for each module that the helper has compiled.
    """

    def __init__(self, target: Target, kind: str, made: Callable[[str, bytes], None]) -> None:
        self.target, self.kind, self.made = target, kind, made
        self.waiting: deque[str] = deque()
        self._changed = threading.Condition()
        self._closed = self._ended = False
        self._given: deque[str] = deque()  # to the helper, which has not answered yet
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the process, where there is a second processor for it. Until then, and without one, modules only wait."""
        if self.thread is None and self.target.cores > 1 and can_spawn():
            self.thread = threading.Thread(target=self._serve, name="kcompile compiler", daemon=True)
            self.thread.start()

    def add(self, text: str) -> None:
        with self._changed:
            self.waiting.append(text)
            self._changed.notify_all()

    def take(self) -> str | None:
        """The module that came last, for the caller to compile; None when the helper has the rest."""
        with contextlib.suppress(IndexError):
            return self.waiting.pop()
        return None

    def finish(self) -> None:
        """Nothing more will come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing more will come; waits for what the helper is at."""
        self.finish()
        if self.thread is not None:
            self.thread.join()
            self.thread = None

    def next(self) -> str | None:
        """The module that came first, waited for; None when nothing more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self.waiting or self._closed)
            with contextlib.suppress(IndexError):  # `take` has just taken the last one
                return self.waiting.popleft()
        return None

    def _next_for_helper(self) -> str | None:
        """The same for the helper, which is given one module beside the one that it is at: the next is there when it is done, even if this
        process is busy. Not when nothing more will come: then others may be free earlier."""
        def is_time() -> bool:
            return self._ended or (self._closed and not self.waiting) \
                or (bool(self.waiting) and len(self._given) < (1 if self._closed else AHEAD))

        with self._changed:
            self._changed.wait_for(is_time)
            if self._ended or not self.waiting:
                return None
            self._given.append(self.waiting.popleft())
            return self._given[-1]

    def _serve(self) -> None:
        """The helper's thread here: gives it one module after another."""
        with contextlib.suppress(OSError):  # no process, or one that ended: what it did not do is done here
            self._talk()

    def _talk(self) -> None:
        import llvmlite

        script = Path(__file__).with_name("object_code.py")
        command = [sys.executable, "-I", "-S", str(script), self.kind, str(Path(llvmlite.__file__).parents[1]),
                   self.target.triple, self.target.cpu, self.target.features]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            given, answers = process.stdin, process.stdout
            assert given is not None and answers is not None
            listener = threading.Thread(target=self._listen, args=(answers,), name="kcompile compiler", daemon=True)
            listener.start()
            try:
                while (text := self._next_for_helper()) is not None:
                    content = text.encode()
                    given.write(len(content).to_bytes(8, "little") + content)
                    given.flush()
            finally:
                with contextlib.suppress(OSError):
                    given.close()
                listener.join()

    def _listen(self, answers: IO[bytes]) -> None:
        """Takes what the helper makes, in the order in which it was given."""
        while True:
            head = answers.read(8)
            size = int.from_bytes(head, "little")
            content = answers.read(size)
            with self._changed:
                self._ended = len(head) < 8 or len(content) < size
                text = self._given.popleft() if not self._ended else ""
                self._changed.notify_all()
            if self._ended:
                return
            if content:
                self.made(text, content)


def can_spawn() -> bool:
    """Whether sys.executable is a Python that can run a file."""
    return bool(sys.executable) and not getattr(sys, "frozen", False) and os.access(sys.executable, os.X_OK)
