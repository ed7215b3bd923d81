"""LLVM text to object code to memory: parse, verify, generate code, load (see assembly.py for what people read of it).

A verifier failure inside LLVM's code generator ends the process, so every text is verified first and an error names
the place in the text. Code is generated at level 1 with no passes: what is emitted is final form.
"""

from __future__ import annotations

import functools
import os
import re
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .elf import Image, Unsupported
from .object_code import OBJECT, Binding, Library, binding
from .object_code import native as quickest
from .target import Target

if TYPE_CHECKING:
    import llvmlite.binding as llvm


# Held while LLVM works on a module. How loops are reduced is one switch of the whole process (`object_code`), and a child that is forked
# meanwhile would find LLVM's own lock held by a thread that it does not have: so a fork waits for the module.
COMPILING = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=COMPILING.acquire, after_in_parent=COMPILING.release, after_in_child=COMPILING.release)


class InvalidText(Exception):
    """LLVM text that does not parse or verify: a defect of an emitter, never of a user's program."""


@functools.cache
def llvm_binding() -> Any:
    """For what only llvmlite.binding does: assembly, errors, the loader of other systems."""
    return binding()


@functools.cache
def native() -> Library | Binding:
    """For objects, and for what LLVM says of this machine."""
    return quickest()


@functools.lru_cache(maxsize=8)
def machine_of(target: Target) -> llvm.TargetMachine:
    """The binding's. Reused for every module: making one costs more than compiling a small kernel."""
    machine: llvm.TargetMachine = _machine(Binding(), target)
    return machine


@functools.lru_cache(maxsize=8)
def _native_machine(target: Target) -> Any:
    return _machine(native(), target)


def _machine(by: Library | Binding, target: Target) -> Any:
    try:
        return by.machine(target.triple, target.cpu, target.features)
    except RuntimeError as error:
        raise ValueError(f"target {target.name!r} ({target.triple}) cannot be compiled for: {error}") from None


def parse(text: str, name: str = "kcompile") -> llvm.ModuleRef:
    """A verified module. Raises InvalidText with the line at fault."""
    binding = llvm_binding()
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
    """The object file of a module's text. Raises InvalidText with the line at fault."""
    with COMPILING:
        machine = _native_machine(target)
        try:
            return native().compile(text, machine, OBJECT)
        except RuntimeError:
            parse(text, name)  # says what is wrong with it
            raise


class Loaded:
    """Object code in memory. Addresses are valid until `close`, or until this is collected.

    LLVM is asked only for objects that `elf` does not understand: of other processors and systems.
    """

    def __init__(self, objects: Iterable[bytes], exports: Iterable[str], imports: Mapping[str, int] | None = None) -> None:
        """`imports`: addresses of symbols that the objects use and that are not in the C library. Raises InvalidText."""
        contents, names = list(objects), list(exports)
        try:
            self._code: Image | _ByLLVM = Image(contents, imports or {})
            self.addresses = {name: self._code.symbols[name] for name in names}
        except Unsupported:
            self._code = _ByLLVM(contents, names, imports or {})
            self.addresses = self._code.symbols
        except (KeyError, ValueError) as error:
            raise _unlinked(error) from None

    def keep_forever(self) -> None:
        """Never unload, not even when the interpreter ends: threads may be running this code."""
        self._code.keep_forever()

    def close(self) -> None:
        """Give the memory back; calling any address afterwards is an error of the caller."""
        self.addresses = {}
        self._code.close()


class _ByLLVM:
    """What Image is, by LLVM's own loader."""

    def __init__(self, objects: list[bytes], exports: list[str], imports: Mapping[str, int]) -> None:
        binding = llvm_binding()
        self._jit = binding.create_lljit_compiler()
        builder = binding.JITLibraryBuilder()
        for content in objects:
            builder.add_object_img(content)
        builder.add_current_process()
        for name, address in imports.items():
            builder.import_symbol(name, address)
        for name in exports:
            builder.export_symbol(name)
        try:
            self._tracker = builder.link(self._jit, "kcompile")
        except RuntimeError as error:
            raise _unlinked(error) from None
        self.symbols: dict[str, int] = {name: self._tracker[name] for name in exports}

    def keep_forever(self) -> None:
        self._tracker.detach()
        self._jit.detach()

    def close(self) -> None:
        if self._tracker is not None:
            self._tracker.close()
            self._tracker = None
            self._jit.close()


def _unlinked(error: Exception) -> InvalidText:
    return InvalidText(f"object code does not link (a symbol that nobody defines, or one defined twice): {error}")
