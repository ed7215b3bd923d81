"""Owns the reading of HDF5 files as a tree of groups and arrays, without libhdf5: model files come from strangers.

Read is what libhdf5 writes by default for Keras: groups, contiguous or compact arrays, attributes. Everything else (links to elsewhere,
external or virtual storage, filters, loops) is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..ir.types import bf16
from .errors import ModelFileError
from .hdf5_objects import UNDEFINED, Bytes, Header, count_of, read_header

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MOST_OBJECTS = 1_000_000
_DEEPEST = 100
_LONGEST_NAME = 1 << 14


@dataclass
class Group:
    """A group: its path in the file, attributes (strings, numbers, lists of them) and members by name."""

    path: str
    attributes: dict[str, Any] = field(default_factory=dict)
    members: dict[str, Group | npt.NDArray[Any]] = field(default_factory=dict)
    stored: int = 0  # bytes of all arrays below it

    def group(self, path: str) -> Group | None:
        """The group at a path below this one, or None."""
        found = self.get(path)
        return found if isinstance(found, Group) else None

    def get(self, path: str) -> Group | npt.NDArray[Any] | None:
        """The group or array at a path below this one, or None."""
        here: Group | npt.NDArray[Any] | None = self
        for part in path.split("/") if path else ():
            if not isinstance(here, Group):
                return None
            here = here.members.get(part)
        return here

    def arrays(self) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        """(path, array) of everything below, in order."""
        for name, member in self.members.items():
            path = f"{self.path}/{name}" if self.path else name
            if isinstance(member, Group):
                yield from member.arrays()
            else:
                yield path, member


def read_hdf5(data: bytes, what: str) -> Group:
    """The whole file. `what` names it in errors. Raises ModelFileError for anything damaged or not meant for weights."""
    source = Bytes(data, what)
    if data[:8] != SIGNATURE:
        raise source.fail("not an HDF5 file (its first bytes are wrong)")
    return _Reader(source).root()


class _Reader:
    def __init__(self, source: Bytes) -> None:
        self.source = source
        self.seen: set[int] = set()
        self.stored = 0

    def root(self) -> Group:
        source = self.source
        version = source.numbers("B", 8)[0]
        if version in (0, 1):
            sizes = source.numbers("BB", 13)
            start = 24 if version == 0 else 28
            base, _, end = source.numbers("QQQ", start)
            address = source.numbers("Q", start + 40)[0]
        elif version in (2, 3):
            sizes = source.numbers("BB", 9)
            base, _, end, address = source.numbers("QQQQ", 12)
        else:
            raise source.fail(f"an HDF5 superblock of version {version}, which is not known")
        if sizes != (8, 8) or base != 0:
            raise source.fail("an HDF5 file with offsets that are not of 8 bytes, or with a user block, which no model file has")
        if end > len(source.data):
            raise source.fail(f"the file is truncated: {end} bytes are declared, {len(source.data)} are there")
        root = self.object("", address, 0)
        if not isinstance(root, Group):
            raise source.fail("damaged HDF5 file: the root is not a group")
        return root

    def object(self, path: str, address: int, depth: int) -> Group | npt.NDArray[Any]:
        if address in self.seen:
            raise self.source.fail(f"object '{path}' is linked twice: a loop of hard links")
        self.seen.add(address)
        if depth > _DEEPEST or len(self.seen) > _MOST_OBJECTS:
            raise self.source.fail(f"groups nested deeper than {_DEEPEST}, or more than {_MOST_OBJECTS} objects")
        header = read_header(self.source, address)
        if header.symbol_table is not None:
            header.links += self.symbols(*header.symbol_table)
        if header.is_group:
            group = Group(path, header.attributes)
            before = self.stored
            for name, where in header.links:
                if not name or "/" in name or name in group.members:
                    raise self.source.fail(f"damaged HDF5 file: a member {name!r} of group '{path}'")
                group.members[name] = self.object(f"{path}/{name}" if path else name, where, depth + 1)
            group.stored = self.stored - before
            return group
        return self.array(path, header)

    def array(self, path: str, header: Header) -> npt.NDArray[Any]:
        source, datatype = self.source, header.datatype
        if header.shape is None or datatype is None or datatype.dtype is None or header.is_null:
            raise source.fail(f"'{path}' is neither a group nor an array of numbers")
        count = count_of(source, header.shape, datatype.size)
        size = count * datatype.size
        self.stored += size
        if self.stored > len(source.data):
            raise source.fail(f"damaged or hostile HDF5 file: the arrays up to '{path}' take more bytes than the file has")
        if header.inline is not None:
            if len(header.inline) < size:
                raise source.fail(f"array '{path}' of shape {header.shape} is cut short")
            raw = header.inline[:size]
        elif header.storage is not None:
            address, stored = header.storage
            if count == 0:
                raw = source.at(0, 0)
            elif address == UNDEFINED or stored < size:
                raise source.fail(f"array '{path}' of shape {header.shape} needs {size} bytes, which were never written")
            else:
                raw = source.at(address, size)
        else:
            raise source.fail(f"array '{path}' has no data")
        array = np.frombuffer(raw, datatype.dtype, count).reshape(header.shape)
        dtype = header.attributes.get("dtype")
        if dtype == "bfloat16" and datatype.size == 2:
            array = array.view(bf16.numpy)
        if array.dtype.kind == "V" and dtype != "bfloat16" and array.dtype.name != "bfloat16":
            raise source.fail(f"array '{path}' is of an opaque type")
        return array

    def symbols(self, tree: int, heap: int) -> list[tuple[str, int]]:
        """(name, address) of the members of a group in the older form: a B-tree of symbol nodes, names in a local heap."""
        source = self.source
        source.signature(heap, b"HEAP", "local heap")
        size, _, names = source.numbers("QQQ", heap + 8)
        source.at(names, size)
        found: list[tuple[str, int]] = []
        waiting, seen = [tree], {tree}
        while waiting:
            node = waiting.pop(0)
            if bytes(source.at(node, 4)) == b"TREE":
                kind, _, used = source.numbers("BBH", node + 4)
                if kind != 0:
                    raise source.fail(f"damaged HDF5 file: a B-tree of kind {kind} in place of a group's")
                children = [source.numbers("Q", node + 32 + 16 * n)[0] for n in range(used)]
                for child in children:
                    if child in seen:
                        raise source.fail("damaged HDF5 file: a B-tree with a loop")
                    seen.add(child)
                waiting[:0] = children
                continue
            source.signature(node, b"SNOD", "symbol node")
            used = source.numbers("H", node + 6)[0]
            for n in range(used):
                name, address, cache = source.numbers("QQI", node + 8 + 40 * n)
                if cache == 2:
                    raise source.fail("the file holds a soft HDF5 link; a model file reaches nothing outside itself")
                stop = source.raw.find(b"\0", names + name, names + min(size, name + _LONGEST_NAME)) if name < size else -1
                if stop < 0:
                    raise source.fail("damaged HDF5 file: a name outside its heap, or too long")
                found.append((source.raw[names + name:stop].decode("utf-8", "replace"), address))
                if len(found) > _MOST_OBJECTS:
                    raise source.fail(f"a group of more than {_MOST_OBJECTS} members")
        return found


__all__ = ["SIGNATURE", "Group", "ModelFileError", "read_hdf5"]
