"""Owns the `.keras` format: a zip of metadata.json, config.json, model.weights.h5 and, for some layers, files under assets/."""

from __future__ import annotations

import datetime
import io
import json
import stat
import zipfile
from typing import Any, BinaryIO

from .errors import ModelFileError

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
LARGEST_JSON = 1 << 28
_DEEPEST_JSON = 200
_LARGEST_RATIO = 100  # beyond this and _SMALL bytes, a compressed member is taken for a zip bomb
_SMALL = 1 << 26
_SMALL_JSON = 1 << 23
_MOST_MEMBERS = 100_000


def metadata_of(version: str, notes: dict[str, Any]) -> dict[str, Any]:
    """What metadata.json says. `notes` is kcompile's own part, at which Keras does not look."""
    return {"keras_version": version, "date_saved": datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S"), "kcompile": notes}


def write_archive(file: BinaryIO, config: dict[str, Any], weights: bytes, notes: dict[str, Any], version: str,
                  assets: dict[str, bytes] | None = None) -> None:
    """Write the members, uncompressed as Keras does. assets: {path below assets/: bytes}."""
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(METADATA, json.dumps(metadata_of(version, notes)))
        archive.writestr(CONFIG, json.dumps(config))
        archive.writestr(WEIGHTS, weights)
        for name, content in (assets or {}).items():
            archive.writestr(f"assets/{name}", content)


class Archive:
    """An opened `.keras` file whose members have been checked. Raises ModelFileError for anything that is no such file."""

    def __init__(self, data: bytes, what: str) -> None:
        self.what = what
        if data.count(b"PK\x01\x02") > _MOST_MEMBERS:
            raise ModelFileError(f"{what}: a zip file of more than {_MOST_MEMBERS} members, which no model has")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            members = self._zip.infolist()
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, IndexError, UnicodeDecodeError) as error:
            raise ModelFileError(f"{what}: not a whole zip file ({error})") from None
        names = [member.filename for member in members]
        for member in members:
            self._check(member, len(data))
        ends = 0
        for member in sorted(members, key=lambda member: member.header_offset):
            if member.header_offset < ends:
                raise ModelFileError(f"{what}: member {member.filename!r} of the zip file lies over another one: a zip bomb, or a damaged "
                                     "file")
            ends = member.header_offset + member.compress_size
        if len(set(names)) != len(names):
            raise ModelFileError(f"{what}: a member appears twice in the zip file")
        for name in (CONFIG, WEIGHTS):
            if name not in names:
                raise ModelFileError(f"{what}: there is no {name} in the zip file, so it is no `.keras` file")
        self._names = names

    def _check(self, member: zipfile.ZipInfo, size: int) -> None:
        name = member.filename
        if name.startswith(("/", "\\")) or "\\" in name or "\0" in name or ".." in name.split("/") or (len(name) > 1 and name[1] == ":"):
            raise ModelFileError(f"{self.what}: member {name!r} of the zip file points outside it")
        mode = member.external_attr >> 16
        if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ModelFileError(f"{self.what}: member {name!r} of the zip file is a link or a device")
        if member.compress_size > size or member.file_size > max(_SMALL, _LARGEST_RATIO * member.compress_size):
            raise ModelFileError(f"{self.what}: member {name!r} declares {member.file_size} bytes out of {member.compress_size} compressed "
                                 "ones: a zip bomb, or a damaged file")

    def read(self, name: str, most: int | None = None) -> bytes:
        """A member's bytes, checked against its checksum. Raises ModelFileError."""
        import zlib

        declared = self._zip.getinfo(name).file_size
        if most is not None and declared > min(most, max(_SMALL_JSON, _LARGEST_RATIO * self._zip.getinfo(name).compress_size)):
            raise ModelFileError(f"{self.what}: {name} is larger ({declared} bytes) than any model's")
        try:
            with self._zip.open(name) as member:
                data = member.read(declared + 1)
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError, ValueError, IndexError) as error:
            raise ModelFileError(f"{self.what}: {name} is damaged ({error})") from None
        if len(data) != declared:
            raise ModelFileError(f"{self.what}: {name} is damaged: {declared} bytes are declared, {len(data)} are there")
        return data

    def config(self) -> dict[str, Any]:
        return parse_json(self.read(CONFIG, LARGEST_JSON), f"{self.what}: {CONFIG}")

    def metadata(self) -> dict[str, Any]:
        return parse_json(self.read(METADATA, LARGEST_JSON), f"{self.what}: {METADATA}") if METADATA in self._names else {}

    def weights(self) -> bytes:
        return self.read(WEIGHTS)

    def assets(self) -> dict[str, bytes]:
        """{path below assets/: bytes}."""
        return {name.removeprefix("assets/"): self.read(name) for name in self._names
                if name.startswith("assets/") and not name.endswith("/")}


def parse_json(data: bytes | str, what: str) -> dict[str, Any]:
    """A JSON object, not nested too deep for what follows. Raises ModelFileError."""
    try:
        found = json.loads(data)
    except RecursionError:
        raise ModelFileError(f"{what} is nested too deep") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise ModelFileError(f"{what} is not valid JSON ({error})") from None
    if not isinstance(found, dict):
        raise ModelFileError(f"{what} does not hold a JSON object")
    level: list[Any] = [found]
    for _ in range(_DEEPEST_JSON):
        level = [item for node in level for item in (node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())]
        if not level:
            return found
    raise ModelFileError(f"{what} is nested deeper than {_DEEPEST_JSON} levels")
