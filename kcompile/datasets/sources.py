"""Where the files of the data sets come from: KCOMPILE_DATASETS first, then Keras's cache, then the network.

The addresses, digests and places in the cache are those of Keras, so that both share what has been downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..options import option
from ..utils.archives import ArchiveError, read_members
from ..utils.files import DownloadError, get_file

_GOOGLE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_TORONTO = "https://www.cs.toronto.edu/~kriz/"


@dataclass(frozen=True)
class DataFile:
    """One file of a data set: its canonical address, its sha256 or md5 digest, its folder in the cache."""

    origin: str
    digest: str
    cache_subdir: str = "datasets"

    @property
    def name(self) -> str:
        return self.origin.rsplit("/", 1)[-1]


_FASHION = "datasets/fashion-mnist"
FILES: dict[str, DataFile] = {file.name: file for file in (
    DataFile(_GOOGLE + "mnist.npz", "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"),
    DataFile(_GOOGLE + "boston_housing.npz", "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"),
    DataFile(_GOOGLE + "california_housing.npz", "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f"),
    DataFile(_GOOGLE + "imdb.npz", "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"),
    DataFile(_GOOGLE + "imdb_word_index.json", "bfafd718b763782e994055a2d397834f"),
    DataFile(_GOOGLE + "reuters.npz", "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"),
    DataFile(_GOOGLE + "reuters_word_index.json", "4d44cc38712099c9e383dc6e5f11a921"),
    DataFile(_TORONTO + "cifar-10-python.tar.gz", "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"),
    DataFile(_TORONTO + "cifar-100-python.tar.gz", "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"),
    # Keras checks no digests of these; the md5 sums are those that the authors of Fashion-MNIST publish
    DataFile(_GOOGLE + "train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", _FASHION),
    DataFile(_GOOGLE + "train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", _FASHION),
    DataFile(_GOOGLE + "t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", _FASHION),
    DataFile(_GOOGLE + "t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79", _FASHION),
)}


def locate(name: str, path: str | None = None) -> Path:
    """One of FILES on disk, downloaded if need be. `path`: another name in the cache, or an absolute path.

    A file of that name in the folder KCOMPILE_DATASETS (those of Fashion-MNIST in its folder fashion-mnist) is taken as it is. Raises
    OSError that says which file to put where.
    """
    file = FILES[name]
    wanted = Path(path or name).name
    inside = Path(file.cache_subdir).relative_to("datasets") / wanted
    own = _own_folder()
    if own is not None and (own / inside).is_file():
        return own / inside
    try:
        return Path(get_file(path or name, origin=file.origin, file_hash=file.digest, cache_subdir=file.cache_subdir))
    except DownloadError as error:
        raise _or_own_folder(error, str(inside)) from None


def locate_archive_members(name: str, folder: str, cache_name: str, wanted: tuple[str, ...], limit: int) -> dict[str, bytes]:
    """The contents of some files of an archive of FILES, by their names below the folder that the archive holds.

    In KCOMPILE_DATASETS the folder itself or the archive may lie; `cache_name` is the archive's unpacked folder in the cache. Raises
    OSError for files that are missing or larger than `limit` bytes.
    """
    file = FILES[name]
    own = _own_folder()
    if own is not None:
        if (own / folder).is_dir():
            return _read_files(own / folder, wanted, limit)
        if (own / name).is_file():
            return _read_archive(own / name, folder, wanted, limit)
    try:
        unpacked = Path(get_file(cache_name, origin=file.origin, extract=True, file_hash=file.digest, cache_subdir=file.cache_subdir))
    except DownloadError as error:
        raise _or_own_folder(error, name) from None
    except ArchiveError as error:
        raise OSError(str(error)) from None
    return _read_files(unpacked / folder, wanted, limit)


def _own_folder() -> Path | None:
    folder: Path | None = option("KCOMPILE_DATASETS")
    if folder is not None and not folder.is_dir():
        raise NotADirectoryError(f"KCOMPILE_DATASETS={folder} is not a folder")
    return folder


def _or_own_folder(error: DownloadError, name: str) -> DownloadError:
    folder = option("KCOMPILE_DATASETS")
    where = f"{folder}, which KCOMPILE_DATASETS names" if folder is not None else "a folder that KCOMPILE_DATASETS names"
    return DownloadError(f"{error} Or put {name} into {where}.")


def _read_files(folder: Path, wanted: tuple[str, ...], limit: int) -> dict[str, bytes]:
    found = {}
    for name in wanted:
        path = folder / name
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing; remove {folder} to have it downloaded or unpacked again")
        if path.stat().st_size > limit:
            raise OSError(f"{path} has {path.stat().st_size} bytes, at most {limit} were expected")
        found[name] = path.read_bytes()
    return found


def _read_archive(archive: Path, folder: str, wanted: tuple[str, ...], limit: int) -> dict[str, bytes]:
    try:
        found = read_members(archive, {f"{folder}/{name}" for name in wanted}, ["tar"], limit)
    except ArchiveError as error:
        raise OSError(str(error)) from None
    missing = [name for name in wanted if f"{folder}/{name}" not in found]
    if missing:
        raise OSError(f"{archive} has no {folder}/{missing[0]}")
    return {name: found[f"{folder}/{name}"] for name in wanted}
