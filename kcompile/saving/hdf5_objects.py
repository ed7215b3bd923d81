"""Owns the reading of HDF5 object headers: datatypes, dataspaces, layouts, attributes and links, out of untrusted bytes.

Every offset and length is checked before it is used, so damaged files end in a ModelFileError, never in a crash or a long wait.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..ir.types import bf16
from .errors import ModelFileError

UNDEFINED = 0xFFFFFFFFFFFFFFFF
_FLOATS = {(2, 5, 10): "f2", (4, 8, 23): "f4", (8, 11, 52): "f8", (2, 8, 7): "bfloat16"}


class Bytes:
    """The file's bytes with checked access. `what` names the file in errors."""

    def __init__(self, data: bytes, what: str) -> None:
        self.data = memoryview(data)
        self.raw = data
        self.what = what
        self.heaps: dict[int, dict[int, tuple[int, int]]] = {}  # address of a global heap -> {object: (place, length)}
        self._spent: dict[str, int] = {}

    def spend(self, what: str, size: int) -> None:
        """Count bytes of parts that lie apart in an honest file. Raises ModelFileError when they are more than the file has.

        So a small file whose parts lie over one another cannot ask for more work than a large one.
        """
        spent = self._spent[what] = self._spent.get(what, 0) + size
        if spent > len(self.data):
            raise self.fail(f"damaged or hostile HDF5 file: its {what} lie over one another")

    def fail(self, problem: str) -> ModelFileError:
        return ModelFileError(f"{self.what}: {problem}")

    def at(self, offset: int, size: int) -> memoryview:
        """`size` bytes from `offset`. Raises ModelFileError beyond the end of the file."""
        if offset < 0 or size < 0 or offset + size > len(self.data):
            raise self.fail(f"the file is truncated or damaged: it refers to {size} bytes at {offset}, but holds {len(self.data)}")
        return self.data[offset:offset + size]

    def numbers(self, layout: str, offset: int) -> tuple[Any, ...]:
        return struct.unpack("<" + layout, self.at(offset, struct.calcsize("<" + layout)))

    def signature(self, offset: int, expected: bytes, what: str) -> None:
        if bytes(self.at(offset, 4)) != expected:
            raise self.fail(f"damaged HDF5 file: no {what} at {offset}")


@dataclass
class Datatype:
    """How elements are stored: a numpy dtype, or variable-length strings (`vlen`), whose elements are references of 16 bytes."""

    size: int
    dtype: np.dtype[Any] | None
    vlen: bool = False


@dataclass
class Header:
    """What the messages of one object say."""

    shape: tuple[int, ...] | None = None
    is_null: bool = False
    datatype: Datatype | None = None
    storage: tuple[int, int] | None = None  # address and bytes of a contiguous data set
    inline: memoryview | None = None  # the data of a compact one
    attributes: dict[str, Any] = field(default_factory=dict)
    links: list[tuple[str, int]] = field(default_factory=list)
    symbol_table: tuple[int, int] | None = None
    is_group: bool = False


def read_datatype(source: Bytes, data: memoryview) -> Datatype:
    """The datatype of a message. Raises ModelFileError for those that model files never hold."""
    if len(data) < 8:
        raise source.fail("damaged HDF5 file: a datatype is cut short")
    kind, version = data[0] & 15, data[0] >> 4
    bits, size = data[1] | data[2] << 8 | data[3] << 16, struct.unpack_from("<I", data, 4)[0]
    if version not in (1, 2, 3) or size == 0 or size > 1 << 24:
        raise source.fail(f"damaged HDF5 file: a datatype of version {version} and {size} bytes")
    order = ">" if bits & 1 else "<"
    if kind == 0 and size in (1, 2, 4, 8):
        return Datatype(size, np.dtype(f"{order}{'i' if bits & 8 else 'u'}{size}"))
    if kind == 1 and len(data) >= 20:
        name = _FLOATS.get((size, data[13], data[15]))
        if name == "bfloat16":
            return Datatype(2, bf16.numpy)
        if name is not None:
            return Datatype(size, np.dtype(order + name))
    if kind == 3:
        return Datatype(size, np.dtype(f"S{size}"))
    if kind == 5 and size == 2:
        return Datatype(2, np.dtype("V2"))  # how bfloat16 was stored by older writers
    if kind == 8 and size == 1:
        return Datatype(1, np.dtype(bool))  # numpy's booleans
    if kind == 9 and bits & 15 == 1 and size == 16:
        return Datatype(16, None, vlen=True)
    raise source.fail(f"an HDF5 datatype of class {kind} and {size} bytes, which no model file holds")


def read_dataspace(source: Bytes, data: memoryview) -> tuple[tuple[int, ...], bool]:
    """(shape, whether it is the null space). Raises ModelFileError."""
    if len(data) < 4 or data[0] not in (1, 2) or data[1] > 32:
        raise source.fail("damaged HDF5 file: a dataspace that is none")
    start = 8 if data[0] == 1 else 4
    if len(data) < start + 8 * data[1]:
        raise source.fail("damaged HDF5 file: a dataspace is cut short")
    shape = struct.unpack_from(f"<{data[1]}Q", data, start)
    return shape, data[0] == 2 and data[3] == 2


def count_of(source: Bytes, shape: tuple[int, ...], itemsize: int) -> int:
    """The number of elements; a shape that the whole file could not hold is refused."""
    total = 1
    for extent in shape:
        total *= extent
    if total * itemsize > len(source.data):
        raise source.fail(f"damaged or hostile HDF5 file: a shape {shape} of {total * itemsize} bytes is declared, more than the file "
                          "holds")
    return total


def _string(data: Any) -> str:
    return bytes(data).split(b"\0")[0].decode("utf-8", "replace")


def _attribute(source: Bytes, data: memoryview) -> tuple[str, Any]:
    if len(data) < 8 or data[0] not in (1, 2, 3):
        raise source.fail("damaged HDF5 file: an attribute that is none")
    version = data[0]
    if version > 1 and data[1]:
        raise source.fail("an HDF5 attribute of a shared type, which no model file holds")
    name_size, type_size, space_size = struct.unpack_from("<HHH", data, 2)
    place = 9 if version == 3 else 8
    parts = []
    for size in (name_size, type_size, space_size):
        if place + size > len(data):
            raise source.fail("damaged HDF5 file: an attribute is cut short")
        parts.append(data[place:place + size])
        place += size if version > 1 else -(-size // 8) * 8
    name = _string(parts[0])
    datatype = read_datatype(source, parts[1])
    shape, is_null = read_dataspace(source, parts[2])
    if is_null:
        return name, None
    count = count_of(source, shape, datatype.size)
    if place + count * datatype.size > len(data):
        raise source.fail(f"damaged HDF5 file: the value of attribute {name!r} is cut short")
    raw = data[place:place + count * datatype.size]
    values: Any
    if datatype.vlen:
        values = [_heap_string(source, raw[16 * n:16 * n + 16]) for n in range(count)]
    elif datatype.dtype is not None and datatype.dtype.kind == "S":
        values = [_string(raw[datatype.size * n:datatype.size * (n + 1)]) for n in range(count)]
    else:
        values = np.frombuffer(raw, datatype.dtype, count).tolist()
    return name, values if shape else values[0]


def _heap_string(source: Bytes, reference: memoryview) -> str:
    """The string that a reference into a global heap stands for."""
    size, address, index = struct.unpack("<IQI", reference)
    if size == 0:
        return ""
    if address not in source.heaps:
        source.heaps[address] = _heap_objects(source, address)
    place, length = source.heaps[address].get(index, (0, -1))
    if size > length:
        raise source.fail(f"damaged HDF5 file: a string is missing from the global heap at {address}")
    source.spend("strings", size)
    return bytes(source.at(place, size)).decode("utf-8", "replace").rstrip("\0")


def _heap_objects(source: Bytes, address: int) -> dict[int, tuple[int, int]]:
    """{number: (place, length)} of the objects of a global heap."""
    source.signature(address, b"GCOL", "global heap")
    version, total = source.numbers("B3xQ", address + 4)
    if version != 1:
        raise source.fail("damaged HDF5 file: a global heap of unknown version")
    source.at(address, total)
    source.spend("global heaps", total)
    found: dict[int, tuple[int, int]] = {}
    place, end = address + 16, address + total
    while place + 16 <= end:
        number, _, length = source.numbers("HH4xQ", place)
        if number == 0:
            break
        found.setdefault(number, (place + 16, length))
        place += 16 + -(-length // 8) * 8
    return found


def _link(source: Bytes, data: memoryview) -> tuple[str, int]:
    """(name, address) of a hard link in a message. Raises ModelFileError for every other kind of link."""
    if len(data) < 3 or data[0] != 1:
        raise source.fail("damaged HDF5 file: a link that is none")
    flags, place, kind = data[1], 2, 0
    if flags & 8:
        kind, place = data[place], place + 1
    place += (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
    width = 1 << (flags & 3)
    length = int.from_bytes(data[place:place + width], "little")
    place += width
    if kind != 0:
        raise source.fail("the file holds a soft or external HDF5 link; a model file reaches nothing outside itself")
    if place + length + 8 > len(data):
        raise source.fail("damaged HDF5 file: a link is cut short")
    return _string(data[place:place + length]), struct.unpack_from("<Q", data, place + length)[0]


def _layout(source: Bytes, data: memoryview, header: Header) -> None:
    if len(data) < 4 or data[0] not in (3, 4):
        raise source.fail("an HDF5 data layout of a version that no model file has")
    if data[1] == 0:
        size = struct.unpack_from("<H", data, 2)[0]
        if 4 + size > len(data):
            raise source.fail("damaged HDF5 file: a compact data set is cut short")
        header.inline = data[4:4 + size]
    elif data[1] == 1 and len(data) >= 18:
        header.storage = struct.unpack_from("<QQ", data, 2)
    elif data[1] == 3:
        raise source.fail("the file holds a virtual HDF5 data set; a model file reaches nothing outside itself")
    else:
        raise source.fail("the file holds a chunked HDF5 data set, which Keras does not write: store the weights contiguously")


def _message(source: Bytes, header: Header, kind: int, flags: int, data: memoryview) -> None:
    if flags & 2 and kind in (1, 3, 5, 8, 12):
        raise source.fail("a shared HDF5 message, which no model file holds")
    if kind == 0x01:
        header.shape, header.is_null = read_dataspace(source, data)
    elif kind == 0x02:
        header.is_group = True
        if len(data) < 18:
            raise source.fail("damaged HDF5 file: link information is cut short")
        if struct.unpack_from("<Q", data, 2 + (8 if data[1] & 1 else 0))[0] != UNDEFINED:
            raise source.fail("a group with densely stored links, which Keras does not write")
    elif kind == 0x03:
        header.datatype = read_datatype(source, data)
    elif kind == 0x06:
        header.is_group = True
        header.links.append(_link(source, data))
    elif kind == 0x07:
        raise source.fail("the file holds an HDF5 data set with external storage; a model file reaches nothing outside itself")
    elif kind == 0x08:
        _layout(source, data, header)
    elif kind == 0x0B:
        raise source.fail("the file holds a compressed HDF5 data set, which Keras does not write")
    elif kind == 0x0C:
        name, value = _attribute(source, data)
        header.attributes[name] = value
    elif kind == 0x11:
        if len(data) < 16:
            raise source.fail("damaged HDF5 file: a symbol table is cut short")
        header.is_group = True
        header.symbol_table = struct.unpack_from("<QQ", data)
    elif kind == 0x15 and len(data) >= 10 and struct.unpack_from("<Q", data, 2 + (2 if data[1] & 1 else 0))[0] != UNDEFINED:
        raise source.fail("an object with densely stored attributes, which Keras does not write")


def read_header(source: Bytes, address: int) -> Header:
    """All messages of the object at an address, continuation blocks included. Raises ModelFileError."""
    header = Header()
    second = bytes(source.at(address, 4)) == b"OHDR"
    if second:
        version, flags = source.numbers("BB", address + 4)
        start = address + 6 + (16 if flags & 32 else 0) + (4 if flags & 16 else 0)
        width = 1 << (flags & 3)
        size = int.from_bytes(source.at(start, width), "little")
        blocks = [(start + width, size)]
        prefix = 4 + (2 if flags & 4 else 0)
    else:
        version, size = source.numbers("B7xI", address)
        blocks = [(address + 16, size)]
        prefix = 8
    if version != (2 if second else 1):
        raise source.fail(f"damaged HDF5 file: no object header at {address}")
    seen = {blocks[0][0]}
    while blocks:
        place, size = blocks.pop(0)
        block = source.at(place, size)
        source.spend("object headers", size)
        offset = 0
        while offset + prefix <= size:
            if second:
                kind, length, flags = struct.unpack_from("<BHB", block, offset)
            else:
                kind, length, flags = struct.unpack_from("<HHB", block, offset)
            data = block[offset + prefix:offset + prefix + length]
            if len(data) < length:
                raise source.fail(f"damaged HDF5 file: a message of the object at {address} is cut short")
            offset += prefix + length
            if kind == 0x10:
                if length < 16:
                    raise source.fail("damaged HDF5 file: a continuation is cut short")
                where, extent = struct.unpack_from("<QQ", data)
                if second:
                    source.signature(where, b"OCHK", "continuation block")
                    where, extent = where + 4, extent - 8
                if where in seen:
                    raise source.fail("damaged HDF5 file: an object header that continues in a loop")
                seen.add(where)
                blocks.append((where, extent))
            else:
                _message(source, header, kind, flags, data)
    return header
