"""Archives from elsewhere: unpacked into a fresh folder, and never outside it.

Only plain files and folders are unpacked. A member that is anything else, or whose name leads out of the folder, makes the whole archive
refused; nothing of it is left behind then.
"""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

FORMATS = ("tar", "zip")
_LARGE = 1 << 26  # bytes of a member from which on the free space of the disk is looked at


class ArchiveError(ValueError):
    """What is no archive, is damaged, or would write outside its folder."""


@dataclass(frozen=True)
class Member:
    """One entry of an archive: its name as written there, its kind ("file", "folder" or what else it is), size, and how to read it."""

    name: str
    kind: str
    size: int
    executable: bool
    open: Callable[[], IO[bytes]]


def formats_of(archive_format: str | list[str] | tuple[str, ...] | None) -> list[str]:
    """The formats to try for an `archive_format` argument. Raises ValueError for names of no format."""
    if archive_format is None:
        return []
    formats = list(FORMATS) if archive_format == "auto" else [archive_format] if isinstance(archive_format, str) else list(archive_format)
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise ValueError(f"`archive_format` must be 'auto', 'tar', 'zip', a list of those, or None; received {archive_format!r}")
    return formats


def extract(archive: Path, folder: Path, formats: list[str]) -> None:
    """Unpack an archive as `folder`, which is replaced as a whole, and only when everything went well. Raises ArchiveError."""
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with _reported(archive):
            temporary.mkdir()
            for member in members(archive, formats):
                _write(member, temporary)
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)
        else:
            folder.unlink(missing_ok=True)
        try:
            os.replace(temporary, folder)
        except OSError:
            if not folder.is_dir():  # else another process has unpacked it at the same time
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read_members(archive: Path, names: set[str], formats: list[str], limit: int) -> dict[str, bytes]:
    """The contents of some files of an archive; nothing is written to disk. Raises ArchiveError, also for one larger than `limit` bytes."""
    found: dict[str, bytes] = {}
    with _reported(archive):
        for member in members(archive, formats):
            if member.name.removeprefix("./") in names and member.kind == "file":
                if member.size > limit:
                    raise ArchiveError(f"its member {member.name!r} has {member.size} bytes, at most {limit} were expected")
                with member.open() as source:
                    found[member.name.removeprefix("./")] = source.read(limit)
            if len(found) == len(names):
                break
    return found


@contextmanager
def _reported(archive: Path) -> Iterator[None]:
    """Errors of the readers and of ourselves, as one error that names the archive."""
    try:
        yield
    except ArchiveError as error:
        raise ArchiveError(f"{archive}: {error}") from None
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ArchiveError(f"{archive} is damaged or cannot be read: {error}") from None
    except (IsADirectoryError, NotADirectoryError, FileExistsError) as error:
        raise ArchiveError(f"{archive}: two of its members are in each other's way: {error.filename}") from None


def members(archive: Path, formats: list[str]) -> Iterator[Member]:
    """All members in order. Raises ArchiveError for a file that is no archive of these formats."""
    if "tar" in formats and tarfile.is_tarfile(archive):
        yield from _tar_members(archive)
    elif "zip" in formats and zipfile.is_zipfile(archive):
        yield from _zip_members(archive)
    else:
        raise ArchiveError(f"this is not an archive of format {' or '.join(formats) or 'None'}")


def safe_name(member: Member) -> Path:
    """The path of a member below the folder. Raises ArchiveError for what may not be unpacked."""
    if member.kind not in ("file", "folder"):
        raise ArchiveError(f"its member {member.name!r} is a {member.kind}; only files and folders are unpacked")
    parts = [part for part in member.name.split("/") if part not in ("", ".")]
    if member.name.startswith("/") or "\0" in member.name or ".." in parts:
        raise ArchiveError(f"its member {member.name!r} would be written outside the folder it is unpacked into")
    return Path(*parts)


def _write(member: Member, folder: Path) -> None:
    path = folder / safe_name(member)
    if member.kind == "folder":
        path.mkdir(parents=True, exist_ok=True)
        return
    if member.size > _LARGE and member.size > shutil.disk_usage(folder).free:
        raise ArchiveError(f"its member {member.name!r} has {member.size} bytes, more than is free on the disk")
    path.parent.mkdir(parents=True, exist_ok=True)
    with member.open() as source, open(path, "wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
    if member.executable:
        path.chmod(path.stat().st_mode | stat.S_IXUSR)


_TAR_KINDS = {tarfile.SYMTYPE: "symbolic link", tarfile.LNKTYPE: "hard link", tarfile.CHRTYPE: "device", tarfile.BLKTYPE: "device",
              tarfile.FIFOTYPE: "named pipe"}


def _tar_members(archive: Path) -> Iterator[Member]:
    with tarfile.open(archive) as tar:
        for entry in tar:
            kind = "file" if entry.isreg() else "folder" if entry.isdir() else _TAR_KINDS.get(entry.type, "special file")

            def source(entry: tarfile.TarInfo = entry) -> IO[bytes]:
                reader = tar.extractfile(entry)
                assert reader is not None  # it is a plain file
                return reader

            yield Member(entry.name, kind, entry.size, bool(entry.mode & stat.S_IXUSR), source)


def _zip_members(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as zipped:
        for entry in zipped.infolist():
            mode = entry.external_attr >> 16
            form = stat.S_IFMT(mode)
            kind = "folder" if entry.is_dir() else "file" if form in (0, stat.S_IFREG) else \
                "symbolic link" if form == stat.S_IFLNK else "special file"
            if entry.flag_bits & 1:
                raise ArchiveError(f"its member {entry.filename!r} is encrypted")

            def source(entry: zipfile.ZipInfo = entry) -> IO[bytes]:
                return zipped.open(entry)

            # the name as stored: zipfile cuts the visible one at a NUL
            yield Member(entry.orig_filename, kind, entry.file_size, bool(mode & stat.S_IXUSR), source)
