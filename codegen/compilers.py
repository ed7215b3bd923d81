"""The modules of one step to objects, on two processors where there are two: from the cache, by a helper process, or here.

llvmlite compiles one module at a time in a process, so a second processor needs a second process. It is given modules as
they are emitted, while this one goes on lowering; what is left at the end is compiled by both. A helper that cannot be
started, or that ends, changes nothing but the time.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path

from . import cache
from .options import CodegenOptions
from .target import Target


class Compilers:
    """`submit` each module as soon as its text is there; `objects` waits for all. `help`: whether a helper is worth its start."""

    def __init__(self, target: Target, options: CodegenOptions, name: str, help: bool = False) -> None:
        self.target, self.options, self.name = target, options, name
        self._objects: dict[str, bytes] = {}
        self._submitted: set[str] = set()
        self._waiting: deque[str] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._helper: threading.Thread | None = None
        if help and target.cores > 1 and can_spawn():
            self._helper = threading.Thread(target=self._serve, name="kcompile compiler", daemon=True)
            self._helper.start()

    def submit(self, text: str) -> None:
        self._submitted.add(text)
        found = cache.recalled_object(text, self.target, self.options)
        if found is not None:
            self._objects[text] = found
            return
        with self._changed:
            self._waiting.append(text)
            self._changed.notify()

    def objects(self, texts: tuple[str, ...]) -> list[bytes]:
        """The objects of these modules, in order; those not submitted yet are compiled now. Raises InvalidText."""
        for text in texts:
            if text not in self._submitted:
                self.submit(text)
        try:
            while self._waiting:
                with contextlib.suppress(IndexError):  # the helper has just taken the last one
                    text = self._waiting.pop()
                    self._keep(text, cache.compiled_object(text, self.target, self.name))
        finally:
            self.close()
        for text in texts:
            if text not in self._objects:  # the helper ended over it, or LLVM refuses it: then this says why
                self._keep(text, cache.compiled_object(text, self.target, self.name))
        return [self._objects[text] for text in texts]

    def close(self) -> None:
        """Nothing more will come; waits for what the helper is at."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._helper is not None:
            self._helper.join()
            self._helper = None

    def _keep(self, text: str, content: bytes) -> None:
        cache.keep_object(text, self.target, self.options, content)
        self._objects[text] = content

    def _serve(self) -> None:
        """The helper's thread here: gives it one module after another."""
        with contextlib.suppress(OSError):  # no process, or one that ended: what it did not do is done here
            self._talk()

    def _talk(self) -> None:
        import llvmlite

        script = Path(__file__).with_name("object_code.py")
        command = [sys.executable, "-I", "-S", str(script), str(Path(llvmlite.__file__).parents[1])]
        target = {"triple": self.target.triple, "cpu": self.target.cpu, "features": self.target.features}
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(json.dumps(target).encode() + b"\n")
            while True:
                with self._changed:
                    while not self._waiting and not self._closed:
                        self._changed.wait()
                    if not self._waiting:
                        break
                    text = self._waiting.popleft()
                given = text.encode()
                process.stdin.write(len(given).to_bytes(8, "little") + given)
                process.stdin.flush()
                head = process.stdout.read(8)
                size = int.from_bytes(head, "little")
                content = process.stdout.read(size)
                if len(head) < 8 or len(content) < size:
                    break
                if content:
                    cache.COUNTERS.compiled += 1
                    self._keep(text, content)


def can_spawn() -> bool:
    """Whether sys.executable is a Python that can run a file."""
    return bool(sys.executable) and not getattr(sys, "frozen", False) and os.access(sys.executable, os.X_OK)
