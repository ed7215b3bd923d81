"""LLVM text to object code to memory: parse, verify, generate code, load.

A verifier failure inside LLVM's code generator ends the process, so every text is verified first and an error names
the place in the text. Code is generated at level 1 with no passes: what is emitted is final form.
"""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .object_code import emit_object, machine_for, native, use_final_addresses
from .target import Target

if TYPE_CHECKING:
    import llvmlite.binding as llvm


class InvalidText(Exception):
    """LLVM text that does not parse or verify: a defect of an emitter, never of a user's program."""


@functools.cache
def _llvm() -> Any:
    return native()


@functools.lru_cache(maxsize=8)
def _machine(target: Target) -> llvm.TargetMachine:
    """Reused for every module: making one costs more than compiling a small kernel."""
    try:
        machine: llvm.TargetMachine = machine_for(_llvm(), target.triple, target.cpu, target.features)
    except RuntimeError as error:
        raise ValueError(f"target {target.name!r} ({target.triple}) cannot be compiled for: {error}") from None
    return machine


def parse(text: str, name: str = "kcompile") -> llvm.ModuleRef:
    """A verified module. Raises InvalidText with the line at fault."""
    binding = _llvm()
    try:
        module = binding.parse_assembly(text)
    except RuntimeError as error:
        raise InvalidText(_parse_failure(text, str(error), name)) from None
    module.name = name
    try:
        module.verify()
    except RuntimeError as error:
        raise InvalidText(_verify_failure(text, str(error), name)) from None
    return module


def _enclosing_function(lines: list[str], number: int) -> str:
    for line in reversed(lines[:number + 1]):
        found = re.match(r"define .*?@([^(\s]+)\(", line)
        if found:
            return f" in @{found[1]}"
    return ""


def _parse_failure(text: str, message: str, name: str) -> str:
    place = re.search(r":(\d+):(\d+): error: (.*)", message)
    if not place:
        return f"{name}: {message.strip()}"
    number, column = int(place[1]) - 1, int(place[2])
    lines = text.splitlines()
    line = lines[number] if number < len(lines) else ""
    return f"{name}, line {number + 1}{_enclosing_function(lines, number)}: {place[3]}\n  {line.strip()}\n  (column {column})"


def _verify_failure(text: str, message: str, name: str) -> str:
    """LLVM's verifier quotes instructions (the one at fault last) but gives no line: look it up."""
    lines = text.splitlines()
    for quoted in reversed(message.splitlines()):
        head = quoted.strip()
        number = next((n for n, line in enumerate(lines) if head and line.strip() == head), None)
        if number is None and " = " in head:
            start = head.split(" = ")[0] + " = "
            number = next((n for n, line in enumerate(lines) if line.strip().startswith(start)), None)
        if number is not None:
            return f"{name}, line {number + 1}{_enclosing_function(lines, number)}: {message.strip()}"
    return f"{name}: {message.strip()}"


def object_code(text: str, target: Target, name: str = "kcompile") -> bytes:
    """The object file of a module's text."""
    return emit_object(_llvm(), _machine(target), parse(text, name), text)


def assembly(text: str, target: Target) -> str:
    """Assembly of a module's text; see `assemblies`."""
    return assemblies([text], target)[0]


def assemblies(texts: Sequence[str], target: Target) -> list[str]:
    """Assembly of the text of each module. A foreign target is tried in a process of its own: LLVM ends it on a failure."""
    if target.triple == _llvm().get_process_triple():
        return [_assembly_here(text, target) for text in texts]
    for text in texts:
        parse(text)
    program = ("import sys, pickle; texts, target = pickle.load(sys.stdin.buffer); "
               "from kcompile.codegen import module; sys.stdout.buffer.write(pickle.dumps(module.foreign_assemblies(texts, target)))")
    import pickle

    done = subprocess.run([sys.executable, "-c", program], input=pickle.dumps((list(texts), target)), capture_output=True, check=False)
    if done.returncode:
        tail = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise ValueError(f"target {target.name!r} cannot express this program: {' '.join(tail)}")
    found: list[str] = pickle.loads(done.stdout)
    return found


def foreign_assemblies(texts: Sequence[str], target: Target) -> list[str]:
    """Assembly for any triple that llvmlite was built with; may end the process."""
    binding = _llvm()
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    return [_assembly_here(text, target) for text in texts]


def _assembly_here(text: str, target: Target) -> str:
    module = parse(text)
    module.triple = target.triple
    machine = _machine(target)
    module.data_layout = str(machine.target_data)
    from .step_text import has_final_addresses

    use_final_addresses(_llvm(), has_final_addresses(text))
    return str(machine.emit_assembly(module))


class Loaded:
    """Object code in memory. Addresses are valid until `close`, or until this is collected."""

    def __init__(self, objects: Iterable[bytes], exports: Iterable[str], imports: Mapping[str, int] | None = None) -> None:
        """`imports`: addresses of symbols that the objects use and that are not in the C library."""
        binding = _llvm()
        self._jit = binding.create_lljit_compiler()
        builder = binding.JITLibraryBuilder()
        for content in objects:
            builder.add_object_img(content)
        builder.add_current_process()
        for name, address in (imports or {}).items():
            builder.import_symbol(name, address)
        names = list(exports)
        for name in names:
            builder.export_symbol(name)
        try:
            self._tracker = builder.link(self._jit, "kcompile")
        except RuntimeError as error:
            raise InvalidText(f"object code does not link (a symbol that nobody defines, or one defined twice): {error}") from None
        self.addresses: dict[str, int] = {name: self._tracker[name] for name in names}

    def keep_forever(self) -> None:
        """Never unload, not even when the interpreter ends: threads may be running this code."""
        self._tracker.detach()
        self._jit.detach()

    def close(self) -> None:
        """Give the memory back; calling any address afterwards is an error of the caller."""
        self.addresses = {}
        if self._tracker is not None:
            self._tracker.close()
            self._tracker = None
            self._jit.close()
