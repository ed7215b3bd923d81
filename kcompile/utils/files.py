"""Files from the network, checked and cached: `get_file`."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..config import keras_home
from ..progress import Progbar, print_message

_CHUNK = 1 << 16
_TIMEOUT_SECONDS = 30


class DownloadError(OSError):
    """A file that is neither on disk nor to be had over the network."""


def get_file(fname: str | os.PathLike[str] | None = None, origin: str | None = None, untar: bool = False, md5_hash: str | None = None,
             file_hash: str | None = None, cache_subdir: str = "datasets", hash_algorithm: str = "auto", extract: bool = False,
             archive_format: str | list[str] | None = "auto", cache_dir: str | os.PathLike[str] | None = None,
             force_download: bool = False) -> str:
    """The path of a file, downloaded from `origin` unless it is in the cache already.

    The cache is `cache_dir/cache_subdir`, by default `~/.keras/datasets` (`$KERAS_HOME/datasets`). file_hash: md5 (32 digits)
    or sha256 (64): a cached file with another digest is downloaded again, a downloaded one is an error. extract: unpack a tar
    or zip archive, and return the folder. Raises DownloadError (an OSError) that says where the file can be put by hand.
    """
    if origin is None:
        raise ValueError("Please specify the `origin` argument (URL of the file to download).")
    file_hash, hash_algorithm = _expected_digest(file_hash, md5_hash, hash_algorithm)
    name = os.fspath(fname) if fname else _name_of(origin)
    if os.path.isabs(name):
        folder, name = os.path.split(name)
        cache = Path(folder)
    else:
        cache = Path(cache_dir if cache_dir is not None else keras_home()).expanduser() / cache_subdir
    target = cache / name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(f"cannot make the folder {target.parent} for {origin}: {error}") from None
    unpack = extract or untar
    if untar and not name.endswith((".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")):
        target = cache / f"{name}.tar.gz"
    fresh = target.exists() and not force_download
    if fresh and file_hash and not validate_file(target, file_hash, hash_algorithm):
        print_message(f"A local file was found, but its {hash_algorithm} digest is not the expected {file_hash}: downloading again.")
        fresh = False
    if not fresh:
        _download(origin, target, file_hash, hash_algorithm)
    if not unpack:
        return str(target)
    unpacked = cache / name if untar and target.name != name else cache / f"{_stem(name)}_extracted"
    if not unpacked.exists() or not fresh:
        _extract(target, unpacked, "tar" if untar else archive_format)
    return str(unpacked)


def validate_file(path: str | os.PathLike[str], file_hash: str, hash_algorithm: str = "auto") -> bool:
    """Whether a file has this md5 or sha256 digest."""
    _, algorithm = _expected_digest(file_hash, None, hash_algorithm)
    return hash_file(path, algorithm) == str(file_hash).lower()


def hash_file(path: str | os.PathLike[str], algorithm: str = "sha256") -> str:
    """The digest of a file in hexadecimal."""
    digest = hashlib.new(algorithm)
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _expected_digest(file_hash: str | None, md5_hash: str | None, algorithm: str) -> tuple[str | None, str]:
    if file_hash is None and md5_hash is not None:
        file_hash, algorithm = md5_hash, "md5"
    if algorithm == "auto":
        algorithm = "sha256" if file_hash is None or len(file_hash) == 64 else "md5"
    if algorithm not in ("md5", "sha256"):
        raise ValueError(f"`hash_algorithm` must be 'auto', 'md5' or 'sha256', received {algorithm!r}")
    return file_hash.lower() if file_hash else None, algorithm


def _name_of(origin: str) -> str:
    from urllib.parse import unquote, urlsplit

    name = os.path.basename(unquote(urlsplit(origin).path))
    if not name:
        raise ValueError(f"Can't parse the file name from the origin provided: '{origin}'. Please specify the `fname` argument.")
    return name


def _stem(name: str) -> str:
    for ending in (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".tar", ".zip"):
        if name.endswith(ending):
            return name[:-len(ending)]
    return name


def _download(origin: str, target: Path, file_hash: str | None, algorithm: str) -> None:
    """Write the file under a temporary name, and move it into place only when its digest is right."""
    import urllib.error
    import urllib.request

    print_message(f"Downloading data from {origin}")
    temporary = target.with_name(f"{target.name}.{os.getpid()}.part")
    by_hand = f"Without a network, put the file at {target} yourself."
    try:
        try:
            with urllib.request.urlopen(origin, timeout=_TIMEOUT_SECONDS) as response, open(temporary, "wb") as file:
                total = int(response.headers.get("Content-Length") or 0) or None
                _copy(response.read, file.write, total)
        except urllib.error.HTTPError as error:
            raise DownloadError(f"cannot download {origin}: HTTP {error.code} {error.reason}. {by_hand}") from None
        except (urllib.error.URLError, OSError) as error:
            raise DownloadError(f"cannot download {origin}: {getattr(error, 'reason', error)}. {by_hand}") from None
        if file_hash:
            found = hash_file(temporary, algorithm)
            if found != file_hash:
                raise DownloadError(f"{origin} has {algorithm} digest {found}, expected {file_hash}: an incomplete or changed file. "
                                    f"{by_hand}")
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _copy(read: Callable[[int], bytes], write: Callable[[bytes], Any], total: int | None) -> None:
    bar = Progbar(total, unit_name="B")
    done = 0
    while chunk := read(_CHUNK):
        write(chunk)
        done += len(chunk)
        if total is None or done < total:
            bar.update(done)
    if total is not None and done < total:
        raise OSError(f"the connection ended after {done} of {total} bytes")
    bar.update(done, finalize=True)


def _extract(archive: Path, folder: Path, archive_format: str | list[str] | None) -> None:
    """Unpack into a fresh folder. Raises ValueError for what is no archive."""
    formats = ["tar", "zip"] if archive_format == "auto" else [archive_format] if isinstance(archive_format, str) else archive_format or []
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        if "tar" in formats and tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tar:
                tar.extractall(temporary, filter="data")
        elif "zip" in formats and zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                zipped.extractall(temporary)
        else:
            raise ValueError(f"{archive} is not an archive of format {' or '.join(formats) or 'None'}")
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
