"""Files from the network, checked, cached and unpacked: `get_file`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..config import keras_home
from ..progress import print_message
from .download import SCHEMES, Digest, DownloadError, download, hash_file

__all__ = ["DownloadError", "get_file", "hash_file", "validate_file"]

_DIGITS = {"md5": 32, "sha256": 64}


def get_file(fname: str | os.PathLike[str] | None = None, origin: str | None = None, untar: bool = False, md5_hash: str | None = None,
             file_hash: str | None = None, cache_subdir: str = "datasets", hash_algorithm: str = "auto", extract: bool = False,
             archive_format: str | list[str] | None = "auto", cache_dir: str | os.PathLike[str] | None = None,
             force_download: bool = False) -> str:
    """The path of a file, downloaded from `origin` unless it is in the cache already.

    The cache is `cache_dir/cache_subdir`, by default `~/.keras/datasets` (`$KERAS_HOME/datasets`). fname: the name there, or an absolute
    path; by default the last part of `origin`. file_hash: md5 (32 digits) or sha256 (64): a cached file with another digest is
    downloaded again, a downloaded one is an error. A download that broke off goes on where it was, if the server can do that.

    extract: unpack a tar or zip archive and return the folder: `<stem>_extracted` beside an archive whose fname has a dot; else the
    folder has the name, and the archive the name with `_archive`. untar: the same for tar alone. Raises ValueError for arguments that
    fit nothing and for what is no safe archive, DownloadError (an OSError) that says where the file can be put by hand.
    """
    if origin is None:
        raise ValueError("Please specify the `origin` argument (URL of the file to download).")
    if urlsplit(str(origin)).scheme not in SCHEMES:
        raise ValueError(f"`origin` must be an address such as https://example.org/file.zip, received {origin!r}")
    from . import archives  # with tarfile and zipfile, which few processes need

    formats = archives.formats_of("tar" if untar else archive_format)
    if extract and not formats:
        raise ValueError("`extract=True` needs an `archive_format`, received archive_format=None")
    digest = expected_digest(file_hash, md5_hash, hash_algorithm)
    cache, name = _place(fname, origin, cache_dir, cache_subdir)
    unpack = extract or untar
    target = cache / name
    if unpack and (not fname or "." not in name):
        target, folder = cache / f"{name}_archive", cache / name
    elif unpack:
        folder = cache / f"{name.split('.')[0]}_extracted"
    fresh = _bring(origin, target, digest, force_download)
    if not unpack:
        return str(target)
    if fresh or not folder.is_dir():
        try:
            archives.extract(target, folder, formats)
        except OSError as error:
            raise OSError(f"cannot unpack {target} as {folder}: {error}") from error
    return str(folder)


def _place(fname: str | os.PathLike[str] | None, origin: str, cache_dir: str | os.PathLike[str] | None,
           cache_subdir: str) -> tuple[Path, str]:
    """The folder of the cache and the name there."""
    name = os.fspath(fname) if fname else os.path.basename(unquote(urlsplit(origin).path))
    if not name:
        raise ValueError(f"Can't parse the file name from the origin provided: '{origin}'. Please specify the `fname` argument.")
    if os.path.isabs(name):
        folder, name = os.path.split(name)
        if not name:
            raise ValueError(f"`fname` must name a file, received the folder {fname!r}")
        return Path(folder), name
    if os.sep in name or name in (".", ".."):
        raise ValueError(f"`fname` must be a name without folders, or an absolute path; received {name!r}. Its folder is "
                         "`cache_dir`/`cache_subdir`.")
    return Path(cache_dir if cache_dir is not None else keras_home()).expanduser() / cache_subdir, name


def _bring(origin: str, target: Path, digest: Digest | None, force: bool) -> bool:
    """Make sure that the target is there; whether it was downloaded now."""
    if target.is_dir():
        raise IsADirectoryError(f"cannot put {origin} at {target}: that is a folder")
    if target.exists() and not force:
        if digest is None or digest.fits(target):
            return False
        print_message(f"A local file was found, but its {digest.algorithm} digest is not the expected {digest.value}: downloading again.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(f"cannot make the folder {target.parent} for {origin}: {error}") from None
    if not os.access(target.parent, os.W_OK):
        raise DownloadError(f"cannot download {origin}: the folder {target.parent} cannot be written to; "
                            "give another `cache_dir` or set KERAS_HOME")
    download(origin, target, digest)
    return True


def validate_file(path: str | os.PathLike[str], file_hash: str, hash_algorithm: str = "auto") -> bool:
    """Whether a file has this md5 or sha256 digest."""
    digest = expected_digest(file_hash, None, hash_algorithm)
    return digest is None or digest.fits(path)


def expected_digest(file_hash: str | None, md5_hash: str | None, algorithm: str) -> Digest | None:
    """What the arguments of `get_file` say of the digest. Raises ValueError for what cannot be a digest."""
    argument = "file_hash"
    if file_hash is None and md5_hash is not None:
        argument, file_hash, algorithm = "md5_hash", md5_hash, "md5"
    if algorithm not in ("auto", *_DIGITS):
        raise ValueError(f"`hash_algorithm` must be 'auto', 'md5' or 'sha256', received {algorithm!r}")
    if not file_hash:
        return None
    if algorithm == "auto":
        algorithm = "sha256" if len(file_hash) == 64 else "md5"
    if not re.fullmatch(f"[0-9a-fA-F]{{{_DIGITS[algorithm]}}}", file_hash):
        raise ValueError(f"`{argument}` must be {_DIGITS[algorithm]} hexadecimal digits for {algorithm}, received {file_hash!r}")
    return Digest(algorithm, file_hash.lower())
