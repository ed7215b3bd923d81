"""One file over the network: continued where it broke off, checked, and moved into place whole.

What has come so far lies beside the target as `<name>.part`, and `<name>.part.json` says of which address and version it is a part.
A lock on the former keeps two processes from downloading the same file twice. What speaks with servers is imported where something is
fetched: every process has this module, and few fetch anything.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from ..progress import Progbar, print_message

_CHUNK = 1 << 16
_TIMEOUT_SECONDS = 30
_TRIES = 5  # connections in one call that may break before it gives up
_PAUSE_SECONDS = 0.1  # before the second; longer before each that follows
SCHEMES = ("http", "https", "ftp", "file")


class DownloadError(OSError):
    """A file that is neither on disk nor to be had over the network."""


@dataclass(frozen=True)
class Digest:
    """What a file should be: the name of an algorithm of hashlib and the digest in lower-case hexadecimal."""

    algorithm: str
    value: str

    def fits(self, path: str | os.PathLike[str]) -> bool:
        return hash_file(path, self.algorithm) == self.value


def hash_file(path: str | os.PathLike[str], algorithm: str = "sha256") -> str:
    """The digest of a file in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


@dataclass
class _Part:
    """Of what a partial file is a part. `etag`, `modified`: what the server said of the version; one of them is needed to go on with it."""

    origin: str
    etag: str | None = None
    modified: str | None = None

    @property
    def validator(self) -> str | None:
        weak = self.etag is None or self.etag.startswith("W/")
        return self.modified if weak else self.etag


def download(origin: str, target: Path, digest: Digest | None) -> None:
    """Write the file at `origin` to `target`, which appears whole or not at all.

    Raises DownloadError (an OSError) that says how to do without a network.
    """
    import http.client
    import urllib.error

    by_hand = f"Without a network, put the file at {target} yourself."
    try:
        with _locked_part(target) as (file, came_meanwhile):
            if came_meanwhile and (digest is None or digest.fits(target)):
                return
            print_message(f"Downloading data from {origin}")
            _download_into(file, origin, target, digest)
    except urllib.error.HTTPError as error:
        raise DownloadError(f"cannot download {origin}: HTTP {error.code} {error.reason}. {by_hand}") from None
    except DownloadError as error:
        raise DownloadError(f"{error} {by_hand}") from None
    except (http.client.HTTPException, OSError) as error:
        raise DownloadError(f"cannot download {origin}: {_reason(error)}. {by_hand}") from None


def part_path(target: Path) -> Path:
    """Where the bytes of an unfinished download lie."""
    return target.with_name(f"{target.name}.part")


def _info_path(target: Path) -> Path:
    return target.with_name(f"{target.name}.part.json")


@contextlib.contextmanager
def _locked_part(target: Path) -> Iterator[tuple[IO[bytes], bool]]:
    """The partial file, open for ourselves alone; and whether another process brought the target while we waited for it.

    An empty one is removed at the end: there is nothing in it to go on with.
    """
    waited = False
    while True:
        file = open(part_path(target), "a+b")  # noqa: SIM115
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print_message(f"Another process is downloading {target.name}: waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
            waited = True
        except OSError:  # a file system without locks
            break
        if _is_still(file, part_path(target)):
            break
        file.close()  # the other process has moved or removed it while we waited
    try:
        yield file, waited and target.exists()
    finally:
        if _is_still(file, part_path(target)) and os.fstat(file.fileno()).st_size == 0:
            part_path(target).unlink()
            _info_path(target).unlink(missing_ok=True)
        file.close()


def _is_still(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _download_into(file: IO[bytes], origin: str, target: Path, digest: Digest | None) -> None:
    part = _known_part(target, origin)
    resumed = part is not None and os.fstat(file.fileno()).st_size > 0
    if part is None:
        file.truncate(0)
        part = _Part(origin)
    _fetch_all(file, part, target)
    if digest is not None and not digest.fits(part_path(target)):
        if resumed:  # the beginning was of another version, or damaged
            print_message(f"{target.name} does not fit together with what had come before: downloading it from the start.")
            file.truncate(0)
            part.etag = part.modified = None
            _fetch_all(file, part, target)
        found = hash_file(part_path(target), digest.algorithm)
        if found != digest.value:
            file.truncate(0)
            raise DownloadError(f"{origin} has {digest.algorithm} digest {found}, expected {digest.value}: an incomplete or changed file.")
    os.fsync(file.fileno())
    os.replace(part_path(target), target)
    _info_path(target).unlink(missing_ok=True)


def _known_part(target: Path, origin: str) -> _Part | None:
    """What the partial file is a part of, if it can be gone on with."""
    try:
        part = _Part(**json.loads(_info_path(target).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return part if part.origin == origin and part.validator else None


def _fetch_all(file: IO[bytes], part: _Part, target: Path) -> None:
    """Fetch until the file is whole; connections that break are taken up again as long as the server can continue."""
    import http.client
    import urllib.error

    for tries in range(1, _TRIES + 1):
        before = os.fstat(file.fileno()).st_size
        try:
            _fetch(file, part, target)
            return
        except urllib.error.HTTPError:
            raise
        except (http.client.HTTPException, OSError) as error:
            file.flush()
            came = os.fstat(file.fileno()).st_size
            if came == before or tries == _TRIES or part.validator is None:
                kept = f" The {came} bytes that came are kept, the next call goes on from there." if came and part.validator else ""
                if not kept:
                    file.truncate(0)
                raise DownloadError(f"cannot download {part.origin}: {_reason(error)}.{kept}") from None
            time.sleep(_PAUSE_SECONDS * tries)


def _fetch(file: IO[bytes], part: _Part, target: Path) -> None:
    """One request for what is missing. Raises OSError when the connection ends early."""
    import urllib.error
    import urllib.request

    done = os.fstat(file.fileno()).st_size
    request = urllib.request.Request(part.origin)
    if done and part.validator:
        request.add_header("Range", f"bytes={done}-")
        request.add_header("If-Range", part.validator)
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not done:
            raise
        if error.headers.get("Content-Range") == f"bytes */{done}":
            return  # everything had come already
        file.truncate(0)
        done, response = 0, urllib.request.urlopen(part.origin, timeout=_TIMEOUT_SECONDS)
    with response:
        if not _continues(response, done):
            file.truncate(0)
            done = 0
            part.etag, part.modified = response.headers.get("ETag"), response.headers.get("Last-Modified")
            _info_path(target).write_text(json.dumps(asdict(part)))
        length = response.headers.get("Content-Length")
        _copy(response.read, file.write, done, done + int(length) if length else None)
        file.flush()


def _continues(response: Any, done: int) -> bool:
    """Whether an answer begins where the file ends."""
    if getattr(response, "status", None) != 206:
        return False
    if not response.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
        raise OSError(f"asked for the bytes from {done} on, the server answered with {response.headers.get('Content-Range')!r}")
    return True


def _copy(read: Callable[[int], bytes], write: Callable[[bytes], Any], done: int, total: int | None) -> None:
    bar = Progbar(total, unit_name="B")
    if done:
        bar.update(done, finalize=False)
    while chunk := read(_CHUNK):
        write(chunk)
        done += len(chunk)
        if total is None or done < total:
            bar.update(done)
    if total is not None and done < total:
        print_message("")
        raise OSError(f"the connection ended after {done} of {total} bytes")
    bar.update(done, finalize=True)


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error or type(error).__name__)
