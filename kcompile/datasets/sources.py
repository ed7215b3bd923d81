"""Where the files of the data sets come from: KCOMPILE_DATASETS first, then Keras's cache, then the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..options import option
from ..utils.files import DownloadError, get_file


@dataclass(frozen=True)
class DataFile:
    """One file of a data set: its name in the cache, its canonical address and its sha256 digest."""

    name: str
    origin: str
    sha256: str


def locate(file: DataFile, path: str | None = None) -> Path:
    """The file on disk, downloaded if need be. `path`: another name in the cache, or an absolute path.

    A file of that name in the folder KCOMPILE_DATASETS is taken as it is. Raises OSError that says which file to put where.
    """
    name = path or file.name
    folder: Path | None = option("KCOMPILE_DATASETS")
    if folder is not None:
        if not folder.is_dir():
            raise NotADirectoryError(f"KCOMPILE_DATASETS={folder} is not a folder")
        own = folder / Path(name).name
        if own.is_file():
            return own
    try:
        return Path(get_file(name, origin=file.origin, file_hash=file.sha256))
    except DownloadError as error:
        where = f"{folder}, which KCOMPILE_DATASETS names" if folder is not None else "a folder that KCOMPILE_DATASETS names"
        raise DownloadError(f"{error} Or put {Path(name).name} into {where}.") from None
