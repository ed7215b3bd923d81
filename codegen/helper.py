"""A second process that turns modules into objects or assembly, beside this one.

llvmlite compiles one module at a time in a process, so a second processor needs a second process. A helper that cannot be
started, or that ends, changes nothing but the time: what it did not make is left for this process.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from .target import Target

OBJECT, ASSEMBLY = "object", "assembly"


class Helper:
    """Modules that wait to be compiled: `add` and `take` are this process's, from the other end the helper takes what it can.

    `made(text, content)` is called, in another thread, for each module that the helper has compiled.
    """

    def __init__(self, target: Target, kind: str, made: Callable[[str, bytes], None]) -> None:
        self.target, self.kind, self.made = target, kind, made
        self.waiting: deque[str] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the process, where there is a second processor for it. Until then, and without one, modules only wait."""
        if self.thread is None and self.target.cores > 1 and can_spawn():
            self.thread = threading.Thread(target=self._serve, name="kcompile compiler", daemon=True)
            self.thread.start()

    def add(self, text: str) -> None:
        with self._changed:
            self.waiting.append(text)
            self._changed.notify()

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

    def _serve(self) -> None:
        """The helper's thread here: gives it one module after another."""
        with contextlib.suppress(OSError):  # no process, or one that ended: what it did not do is done here
            self._talk()

    def next(self) -> str | None:
        """The module that came first, waited for; None when nothing more will come."""
        with self._changed:
            while not self.waiting and not self._closed:
                self._changed.wait()
            with contextlib.suppress(IndexError):  # `take` has just taken the last one
                return self.waiting.popleft()
        return None

    def _talk(self) -> None:
        import llvmlite

        script = Path(__file__).with_name("object_code.py")
        command = [sys.executable, "-I", "-S", str(script), self.kind, str(Path(llvmlite.__file__).parents[1])]
        target = {"triple": self.target.triple, "cpu": self.target.cpu, "features": self.target.features}
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(json.dumps(target).encode() + b"\n")
            while (text := self.next()) is not None:
                given = text.encode()
                process.stdin.write(len(given).to_bytes(8, "little") + given)
                process.stdin.flush()
                head = process.stdout.read(8)
                size = int.from_bytes(head, "little")
                content = process.stdout.read(size)
                if len(head) < 8 or len(content) < size:
                    break
                if content:
                    self.made(text, content)


def can_spawn() -> bool:
    """Whether sys.executable is a Python that can run a file."""
    return bool(sys.executable) and not getattr(sys, "frozen", False) and os.access(sys.executable, os.X_OK)
