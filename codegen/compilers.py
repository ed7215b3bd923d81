"""The modules of one step to objects, on two processors where there are two: from the cache, by a helper process, or here.

The helper is given modules as they are emitted, while this process goes on lowering; what is left at the end is compiled by both.
"""

from __future__ import annotations

from . import cache
from .helper import OBJECT, Helper
from .options import CodegenOptions
from .target import Target


class Compilers:
    """`submit` each module as soon as its text is there; `objects` waits for all. `help`: whether a helper is worth its start."""

    def __init__(self, target: Target, options: CodegenOptions, name: str, help: bool = False) -> None:
        self.target, self.options, self.name = target, options, name
        self._objects: dict[str, bytes] = {}
        self._submitted: set[str] = set()
        self._helper = Helper(target, OBJECT, self._made, help)

    def submit(self, text: str) -> None:
        self._submitted.add(text)
        found = cache.recalled_object(text, self.target, self.options)
        if found is not None:
            self._objects[text] = found
        else:
            self._helper.add(text)

    def objects(self, texts: tuple[str, ...]) -> list[bytes]:
        """The objects of these modules, in order; those not submitted yet are compiled now. Raises InvalidText."""
        for text in texts:
            if text not in self._submitted:
                self.submit(text)
        try:
            while (mine := self._helper.take()) is not None:
                self._keep(mine, cache.compiled_object(mine, self.target, self.name))
        finally:
            self.close()
        for text in texts:
            if text not in self._objects:  # the helper ended over it, or LLVM refuses it: then this says why
                self._keep(text, cache.compiled_object(text, self.target, self.name))
        return [self._objects[text] for text in texts]

    def close(self) -> None:
        """Nothing more will come; waits for what the helper is at."""
        self._helper.close()

    def _made(self, text: str, content: bytes) -> None:
        cache.COUNTERS.compiled += 1
        self._keep(text, content)

    def _keep(self, text: str, content: bytes) -> None:
        cache.keep_object(text, self.target, self.options, content)
        self._objects[text] = content
