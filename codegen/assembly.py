"""Modules as assembly, for people: by this process and a helper, or by a process of its own for a foreign target."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence

from .helper import Helper
from .module import COMPILING, llvm_binding, machine_of, parse
from .object_code import ASSEMBLY, Binding, head_of
from .target import Target


def assembly(text: str, target: Target) -> str:
    """Assembly of a module's text. Raises InvalidText, and ValueError for a foreign target that cannot express it."""
    return Assembler(target).run([text])[0]


class Assembler:
    """`run` gives the assembly of each module. `start` before it, where there will be much to do: a helper then takes its share.

    A foreign target is tried in a process of its own: LLVM ends it on a failure.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self._foreign = target.triple != llvm_binding().get_process_triple()
        self._found: dict[str, str] = {}
        self._helper = Helper(target, ASSEMBLY, lambda text, content: self._found.update({text: content.decode()}))

    def start(self) -> None:
        if not self._foreign:
            self._helper.start()

    def close(self) -> None:
        self._helper.close()

    def run(self, texts: Iterable[str]) -> list[str]:
        """Texts may be made as they are asked for: the helper is at the first while the last are made. Raises as `assembly`."""
        if self._foreign:
            return _in_a_process(list(texts), self.target)
        given: list[str] = []
        seen: set[str] = set()
        try:
            for text in (_marked(text, self.target) for text in texts):
                given.append(text)
                if text not in seen:
                    seen.add(text)
                    self._helper.add(text)
            while (mine := self._helper.take()) is not None:
                self._found[mine] = _here(mine, self.target)
        finally:
            self.close()
        return [self._found[text] if text in self._found else _here(text, self.target) for text in given]


def foreign_assemblies(texts: Sequence[str], target: Target) -> list[str]:
    """Assembly for any triple that llvmlite was built with; may end the process."""
    binding = llvm_binding()
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    return [_here(_marked(text, target), target) for text in texts]


def _in_a_process(texts: Sequence[str], target: Target) -> list[str]:
    for text in texts:
        parse(text)
    program = ("import sys, pickle; texts, target = pickle.load(sys.stdin.buffer); "
               "from kcompile.codegen import assembly; sys.stdout.buffer.write(pickle.dumps(assembly.foreign_assemblies(texts, target)))")
    import pickle

    done = subprocess.run([sys.executable, "-c", program], input=pickle.dumps((list(texts), target)), capture_output=True, check=False)
    if done.returncode:
        tail = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise ValueError(f"target {target.name!r} cannot express this program: {' '.join(tail)}")
    found: list[str] = pickle.loads(done.stdout)
    return found


def _marked(text: str, target: Target) -> str:
    """The text as a step's modules have it: beginning with the lines that say how it is compiled."""
    from .step_text import head_for
    return text if head_of(text) else head_for(text, target) + text


def _here(marked: str, target: Target) -> str:
    with COMPILING:
        module = parse(marked.removeprefix(head_of(marked)))  # so that an error counts lines as the text does
        return Binding().emit(module, marked, machine_of(target), ASSEMBLY).decode()
