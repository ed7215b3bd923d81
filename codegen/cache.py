"""Object code on disk, keyed on what it was made from.

An entry is a file named by the sha256 of the LLVM text, the target and the compiler's version; its first line of
defence is a checksum of name and content, so that an entry that is damaged, or another's, is compiled again and
replaced. The folder must belong to the user and be writable by nobody else: object code from elsewhere would be run as
the user. Files appear whole (written aside, then renamed); what a killed process left aside is removed by the next
writer. The least recently used entries go first.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import secrets
import stat
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..common.users_code import warn
from .object_code import CODE_GENERATION_LEVEL
from .options import CodegenOptions

if TYPE_CHECKING:
    from .target import Target

_MAGIC = b"kcompile object 2\n"
_SWEEP_EVERY = 64  # writes between two looks at the folder's size
_ASIDE = ".aside-"


@dataclass
class Counters:
    """What this process did: modules compiled, modules taken from the disk; programs lowered, and taken from the disk."""

    compiled: int = 0
    loaded: int = 0
    lowered: int = 0
    recalled: int = 0

    def add(self, what: str) -> None:
        """One more; any thread may compile."""
        with _lock:
            setattr(self, what, getattr(self, what) + 1)


def _renew_lock() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
COUNTERS = Counters()
_lock = threading.Lock()  # renewed in a child process, where nobody may be left to release it
_refused: set[Path] = set()
_full: set[Path] = set()  # nothing more is written there; what is there is still read
_writes = 0


def object_for(text: str, target: Target, options: CodegenOptions, name: str = "kcompile") -> bytes:
    """Object code of a module's text, from the cache where it is there. Raises InvalidText."""
    key = cache_key(text, target)
    found = recalled_object(key, options)
    if found is None:
        found = compiled_object(text, target, name)
        keep_object(key, options, found)
    return found


def recalled_object(key: str, options: CodegenOptions) -> bytes | None:
    """What the cache has under the key of a module's text."""
    folder = trusted_folder(options)
    found = read_entry(folder / key) if folder is not None else None
    if found is not None:
        COUNTERS.add("loaded")
    return found


def compiled_object(text: str, target: Target, name: str) -> bytes:
    """Compiled in this process. Raises InvalidText."""
    from .module import object_code

    COUNTERS.add("compiled")
    return object_code(text, target, name)


def keep_object(key: str, options: CodegenOptions, content: bytes) -> None:
    """Into the cache, if there is one."""
    folder = trusted_folder(options)
    if folder is not None:
        write_entry(folder, key, content, options.cache_bytes)


def cache_key(text: str, target: Target) -> str:
    """Everything the object code depends on, and nothing else: no paths, no names of layers."""
    parts = (compiler(), str(CODE_GENERATION_LEVEL), target.triple, target.cpu, target.features, text)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@functools.cache
def compiler() -> str:
    """llvmlite's version, and how large its library is: builds of one version with different LLVMs differ in that. The library is
    not loaded for it, which takes 50 MB: whoever finds everything in the cache needs none of it."""
    import llvmlite

    library = Path(llvmlite.__file__).parent / "binding"
    sizes = [str(file.stat().st_size) for file in sorted(library.glob("*llvmlite*")) if file.suffix in (".so", ".dylib", ".dll")]
    return " ".join([llvmlite.__version__, *sizes])


def trusted_folder(options: CodegenOptions) -> Path | None:
    """The cache's folder, made if need be; None where there is to be no cache, and, with one warning, where the folder
    cannot be made or trusted."""
    folder = options.cache_dir
    if folder is None or folder in _refused:
        return None
    try:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        _refuse(folder, f"cannot be made: {error.strerror}")
        return None
    if hasattr(os, "getuid") and found.st_uid != os.getuid():
        _refuse(folder, "belongs to another user")
        return None
    if stat.S_IMODE(found.st_mode) & 0o022:
        _refuse(folder, "can be written by other users (chmod 700 makes it safe)")
        return None
    return folder


def _refuse(folder: Path, why: str, what: str = "object code", noted: set[Path] = _refused) -> None:
    with _lock:
        new = folder not in noted
        noted.add(folder)
    if new:
        warn(f"{what} is not cached: {folder} {why}", RuntimeWarning)


def read_entry(path: Path) -> bytes | None:
    """The content of an entry, or None where there is none or its checksum fails. Marks it as used now."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    start = len(_MAGIC) + 32
    content = data[start:]
    if not data.startswith(_MAGIC) or _checksum(path.name, content) != data[len(_MAGIC):start]:
        return None
    _touch(path)
    return content


def _checksum(key: str, content: bytes) -> bytes:
    return hashlib.sha256(key.encode() + content).digest()


def _touch(path: Path) -> None:
    with contextlib.suppress(OSError):  # evicted just now by another process; or only readable, and then it is never evicted from
        os.utime(path)


def write_entry(folder: Path, key: str, content: bytes, limit: int) -> None:
    """Store an entry; the folder is brought under `limit` bytes now and then. Where it cannot be written to, one warning says so."""
    global _writes
    if folder in _full:
        return
    aside = folder / f"{_ASIDE}{os.getpid()}-{secrets.token_hex(4)}"
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_MAGIC + _checksum(key, content) + content)
            os.replace(aside, folder / key)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
    except OSError as error:
        _refuse(folder, f"cannot be written: {error.strerror}", "what is compiled from here on", _full)
        return
    with _lock:
        _writes += 1
        due = _writes % _SWEEP_EVERY == 1
    if due:
        with contextlib.suppress(OSError):  # somebody removed the folder, or its files are not ours to remove
            sweep(folder, limit)


def sweep(folder: Path, limit: int) -> None:
    """Remove what dead processes left aside, then the least recently used entries until `limit` bytes remain."""
    entries: list[tuple[float, int, str]] = []
    with os.scandir(folder) as found:  # thousands of entries: a Path for each costs more than all the rest
        for entry in found:
            try:
                status = entry.stat()
            except FileNotFoundError:
                continue  # another process swept it
            if entry.name.startswith(_ASIDE):
                if not _alive(entry.name) or time.time() - status.st_mtime > 3600:
                    _remove(entry.path)
            elif len(entry.name) == 64:
                entries.append((status.st_mtime, status.st_size, entry.path))
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= limit:
            break
        _remove(path)
        total -= size


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # another process was faster
        os.unlink(path)


def _alive(name: str) -> bool:
    """Whether the process that is writing a file of this name still runs."""
    number = name[len(_ASIDE):].split("-")[0]
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True
