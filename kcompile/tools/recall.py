"""What a tool printed before is printed again where nothing that it came from has changed: a tenth of a second in place of one or two.

A text is kept with the files that were read while the model was loaded (its own file, the modules it imports, data), and under
a key of everything else that can matter: the arguments, the working folder, the environment, this compiler's source, the
packages installed, the processor. A program that prints, writes, starts processes or opens connections while it is loaded is
run every time. What depends on the clock or on chance cannot be seen; KCOMPILE_CACHE=off is for such.

Imports nothing large: the point of it is to be there before numpy is.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO

TOOLS = ("show", "explain", "memory")
PASSING = frozenset({"_", "SHLVL", "OLDPWD", "PWD", "COLUMNS", "LINES", "TERM", "NO_COLOR", "WINDOWID"})  # never change a text
ACTING = ("subprocess.", "socket.", "urllib.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "glob.", "os.remove", "os.rename",
          "os.mkdir", "os.rmdir", "shutil.", "tempfile.")  # events after which a text is not kept
SMALL = 1 << 20  # bytes up to which a file's content counts, above it its time and size
PACKAGE = Path(__file__).resolve().parents[1]


class Recall:
    """One call of a tool: `known` before it, `watching` around what runs the user's code, `keep` after it."""

    def __init__(self, arguments: Sequence[str]) -> None:
        environment = sorted((name, value) for name, value in os.environ.items() if name not in PASSING)
        self.key = _digest(repr((list(arguments), os.getcwd(), sys.version, environment, _sources(), _packages(), _processor())).encode())
        self.read: set[str] = set()
        self.acted = self.active = False
        sys.addaudithook(self._heard)  # it cannot be taken away again: for the one call that a process makes
        global current
        current = self

    def known(self) -> str | None:
        """The text of an equal call, if every file it read is as it was."""
        from ..codegen.cache import read_entry
        folder = _folder()
        found = None if folder is None else read_entry(folder / self.key)
        if found is None:
            return None
        entry = json.loads(found)
        same = all(_state(path) == state for path, state in entry["files"].items())
        return str(entry["text"]) if same else None

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Notes what is read inside, and whether anything is done that a recalled text would leave undone."""
        from ..config import keras_home, load
        load()  # makes keras.json where there is none: that is no act of the user's
        self.read.add(os.path.join(keras_home(), "keras.json"))
        saved = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = _Tee(sys.stdout, self), _Tee(sys.stderr, self)
        self.active = True
        try:
            yield
        finally:
            self.active = False
            sys.stdout, sys.stderr = saved

    def keep(self, text: str) -> None:
        from ..codegen.cache import write_entry
        from ..codegen.options import CodegenOptions
        folder = _folder()
        if folder is None or self.acted:
            return
        own = {file for module in list(sys.modules.values()) if isinstance(file := getattr(module, "__file__", None), str)}
        files = {os.path.abspath(path) for path in own | self.read}
        states = {path: _state(path) for path in sorted(files) if not _installed(path)}
        write_entry(folder, self.key, json.dumps({"files": states, "text": text}).encode(), CodegenOptions().cache_bytes)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.active or (arguments and isinstance(arguments[0], str) and _bytecode(arguments[0])):
            return
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            path, mode, flags = arguments
            name = os.path.abspath(os.fsdecode(path))
            writes = any(c in mode for c in "wax+") if isinstance(mode, str) else bool(flags & (os.O_WRONLY | os.O_RDWR))
            if not _installed(name):
                self.acted |= writes
                self.read.add(name)
        elif event == "os.scandir" and isinstance(arguments[0], (str, bytes)):
            self.read.add(os.path.abspath(os.fsdecode(arguments[0])))
        elif event.startswith(ACTING):
            self.acted = True


current: Recall | None = None


def watching() -> AbstractContextManager[None]:
    """Around what runs the user's code: of the call that is to be kept, if one is."""
    return nullcontext() if current is None else current.watch()


class _Tee:
    """A stream that tells whether anything was written to it."""

    def __init__(self, stream: TextIO, watcher: Recall) -> None:
        self._stream, self._watcher = stream, watcher

    def write(self, text: str) -> int:
        self._watcher.acted = True
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _folder() -> Path | None:
    from ..codegen.cache import trusted_folder
    from ..codegen.options import CodegenOptions
    from ..options import option
    return trusted_folder(CodegenOptions(cache_dir=option("KCOMPILE_CACHE")))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _state(path: str) -> str:
    """What a file is now: its content, or for a large one (or a folder) its time and size."""
    try:
        status = os.stat(path)
        if status.st_size > SMALL or not os.path.isfile(path):
            return f"{status.st_mtime_ns} {status.st_size} {status.st_ino}"
        with open(path, "rb") as file:
            return _digest(file.read())
    except OSError as error:
        return f"no file: {type(error).__name__}"


_COVERED = (sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), *map(str, (PACKAGE, PACKAGE / "ir", PACKAGE / "codegen")))
_PLACES = tuple({os.path.join(os.path.realpath(place), "") for place in _COVERED})


def _installed(path: str) -> bool:
    """Whether the key covers it: this package, Python and what is installed, the cache itself; and what the system says of itself."""
    real = os.path.realpath(path) if os.path.islink(path) else os.path.join(_real_folder(os.path.dirname(path)), os.path.basename(path))
    return real.startswith((*_PLACES, "/proc/", "/sys/", "/dev/", _cache_place()))


@lru_cache(maxsize=1024)
def _real_folder(path: str) -> str:
    """Hundreds of modules lie in a few folders: following the links of each path again takes a tenth of a second."""
    return os.path.realpath(path)


def _bytecode(path: str) -> bool:
    """Whether Python keeps compiled modules there: what an import writes is no act of the user's."""
    return "__pycache__" in path or ".pyc" in os.path.basename(path) or bool(sys.pycache_prefix and path.startswith(sys.pycache_prefix))


@lru_cache(maxsize=1)
def _cache_place() -> str:
    from ..options import option
    folder = option("KCOMPILE_CACHE")
    return os.path.join(os.path.realpath(folder), "") if folder is not None else "/dev/"


def _sources() -> list[tuple[str, int, int]]:
    """Time and size of every module of this package."""
    found: list[tuple[str, int, int]] = []
    waiting = [str(PACKAGE)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.name.endswith(".py"):
                    status = entry.stat()
                    found.append((entry.path, status.st_mtime_ns, status.st_size))
                elif entry.is_dir() and not entry.name.startswith(("__", ".")):
                    waiting.append(entry.path)
    return sorted(found)


def _packages() -> list[tuple[str, int]]:
    """When anything was last installed: the time of the folders that packages lie in."""
    return [(place, os.stat(place).st_mtime_ns) for place in sys.path if place.endswith("-packages") and os.path.isdir(place)]


def _processor() -> tuple[str, int]:
    """What the code generator asks of this machine."""
    try:
        with open("/proc/cpuinfo", "rb") as file:
            lines = file.read(1 << 14).split(b"\n\n")[0].splitlines()
    except OSError:
        lines = []
    facts = sorted(line for line in lines if line.startswith((b"model name", b"flags", b"Features", b"cache size")))
    return _digest(b"\n".join(facts)), len(os.sched_getaffinity(0))
