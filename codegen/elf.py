"""Relocatable objects of x86-64 (ELF) put into memory, without LLVM: a process that finds its steps in the cache never loads llvmlite.

LLVM's own loader serves everything else (module.py). What our texts lead to is little: code, constants, calls of the C library, and
distances between them. An object that asks for more raises Unsupported, and is none of ours.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

_PAGE = mmap.PAGESIZE
_MACHINE_X86_64 = 62
_PROGRAM, _SYMBOLS, _ZEROS, _RELOCATIONS = 1, 2, 8, 4  # types of sections
_WRITTEN, _OCCUPIES, _THREAD_LOCAL = 1, 2, 0x400  # flags of sections
_UNWINDING = 0x70000001  # the type of .eh_frame: for debuggers and exceptions, of which there are none here
_UNDEFINED, _RESERVED = 0, 0xFF00  # section numbers of symbols
_ABSOLUTE, _DISTANCE, _CALL, _GOT = 1, 2, 4, (9, 41, 42)  # R_X86_64_64, PC32, PLT32, GOTPCREL and its two relaxable forms
_CODE_ALIGNMENT = 64  # a loop lies in the same cache lines in whatever step it is
_JUMP = b"\xff\x25\2\0\0\0\xcc\xcc"  # jmp to the address that follows these 8 bytes


class Unsupported(Exception):
    """An object that this loader does not understand."""


class Section(NamedTuple):
    """A row of an object's table of sections."""

    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry: int


class Symbol(NamedTuple):
    name: str
    is_global: bool
    section: int
    value: int


class Object:
    """One object file, read. Raises Unsupported."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        if content[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<HH", content, 16) != (1, _MACHINE_X86_64):
            raise Unsupported("not a relocatable object of x86-64")
        (table,) = struct.unpack_from("<Q", content, 40)
        size, count = struct.unpack_from("<HH", content, 58)
        self.sections = [Section(*struct.unpack_from("<IIQQQQIIQQ", content, table + n * size)) for n in range(count)]
        self.loaded = [n for n, s in enumerate(self.sections)
                       if s.flags & _OCCUPIES and s.size and s.type in (_PROGRAM, _ZEROS)]  # .eh_frame has a type of its own
        for n in self.loaded:
            if self.sections[n].flags & (_WRITTEN | _THREAD_LOCAL):
                raise Unsupported("it has data that is written")
        self.symbols = [symbol for s in self.sections if s.type == _SYMBOLS for symbol in self._symbols(s)]

    def _symbols(self, section: Section) -> Iterator[Symbol]:
        texts = self.sections[section.link].offset
        for name, info, _, number, value, _ in struct.iter_unpack("<IBBHQQ", self.bytes_of(section)):
            start = texts + name
            yield Symbol(self.content[start:self.content.index(b"\0", start)].decode(), info >> 4 != 0, number, value)

    def bytes_of(self, section: Section) -> bytes:
        return bytes(section.size) if section.type == _ZEROS else self.content[section.offset:section.offset + section.size]

    def relocations(self) -> Iterator[tuple[int, int, int, Symbol, int]]:
        """(section, offset in it, kind, symbol, addend)."""
        for section in self.sections:
            if section.type == _RELOCATIONS and section.info in self.loaded:
                for offset, info, addend in struct.iter_unpack("<QQq", self.bytes_of(section)):
                    yield section.info, offset, info & 0xFFFFFFFF, self.symbols[info >> 32], addend


class Image:
    """Objects in executable memory, which is given back when this is collected. `symbols`: the address of each global name.

    Raises Unsupported for an object that is not understood, KeyError for a name that nobody defines, ValueError for one defined twice.
    """

    def __init__(self, contents: Iterable[bytes], imports: Mapping[str, int]) -> None:
        objects = [Object(content) for content in contents]
        places: list[dict[int, int]] = []  # of each object: where its sections lie
        size = 0
        for item in objects:
            found = {}
            for n in item.loaded:
                alignment = max(item.sections[n].alignment, _CODE_ALIGNMENT)
                found[n] = size = -(-size // alignment) * alignment
                size += item.sections[n].size
            places.append(found)
        foreign = {symbol.name for item in objects for symbol in item.symbols if symbol.section == _UNDEFINED and symbol.name}
        slots = -(-size // 16) * 16  # for each foreign name a jump, then its address
        self._memory = mmap.mmap(-1, max(_PAGE, slots + 16 * len(foreign)), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS,
                                 mmap.PROT_READ | mmap.PROT_WRITE)
        self._start = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self.symbols: dict[str, int] = {}
        for item, found in zip(objects, places, strict=True):
            for symbol in item.symbols:
                if symbol.is_global and symbol.section in found:
                    if symbol.name in self.symbols:
                        raise ValueError(f"{symbol.name} is defined twice")
                    self.symbols[symbol.name] = self._start + found[symbol.section] + symbol.value
        jumps: dict[str, int] = {}
        for name in sorted(foreign - self.symbols.keys()):
            jumps[name] = slots + 16 * len(jumps)
            self._memory[jumps[name]:jumps[name] + 16] = _JUMP + struct.pack("<Q", imports[name] if name in imports else _in_process(name))
        for item, found in zip(objects, places, strict=True):
            for n, place in found.items():
                self._memory[place:place + item.sections[n].size] = item.bytes_of(item.sections[n])
            for relocation in item.relocations():
                self._relocate(found, jumps, *relocation)
        _protect(self._start, len(self._memory))

    def _relocate(self, places: Mapping[int, int], jumps: Mapping[str, int], section: int, offset: int, kind: int, symbol: Symbol,
                  addend: int) -> None:
        place = places[section] + offset
        if symbol.section in places:
            address = self._start + places[symbol.section] + symbol.value
        elif symbol.section == _UNDEFINED and symbol.name in self.symbols:
            address = self.symbols[symbol.name]
        elif symbol.section == _UNDEFINED and kind in (_CALL, _DISTANCE):
            address = self._start + jumps[symbol.name]
        elif symbol.section == _UNDEFINED and kind in _GOT:
            address, kind = self._start + jumps[symbol.name] + len(_JUMP), _DISTANCE
        else:
            raise Unsupported(f"{symbol.name or 'a section'} is reached in a way that is not known (relocation {kind})")
        if kind == _ABSOLUTE:
            self._memory[place:place + 8] = struct.pack("<q", address + addend)
        elif kind in (_DISTANCE, _CALL):
            self._memory[place:place + 4] = struct.pack("<i", address + addend - self._start - place)
        else:
            raise Unsupported(f"relocation {kind} is not known")

    def close(self) -> None:
        self.symbols = {}
        self._memory.close()

    def keep_forever(self) -> None:
        """Not even the end of the interpreter gives this memory back."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._memory))


def _in_process(name: str) -> int:
    """The address of a function of the C library, or of whatever else is loaded. Raises KeyError."""
    try:
        found: int | None = ctypes.cast(getattr(_process(), name), ctypes.c_void_p).value
    except AttributeError:
        raise KeyError(name) from None
    assert found is not None
    return found


def _process() -> Any:
    return ctypes.CDLL(None)


def _protect(start: int, size: int) -> None:
    """What is executed is not written any more."""
    library = ctypes.CDLL(None, use_errno=True)
    library.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    if library.mprotect(start, size, mmap.PROT_READ | mmap.PROT_EXEC):
        import os

        raise OSError(ctypes.get_errno(), f"code cannot be made executable: {os.strerror(ctypes.get_errno())}")
