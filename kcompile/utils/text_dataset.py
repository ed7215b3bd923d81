"""text_dataset_from_directory: text files in folders, one for each class, as a data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .directories import DirectoryOptions, Samples, check_batch_size, label_array
from .image_dataset import check_format


def text_dataset_from_directory(directory: Any, labels: Any = "inferred", label_mode: str | None = "int",
                                class_names: Sequence[str] | None = None, batch_size: int | None = 32, max_length: int | None = None,
                                shuffle: bool = True, seed: int | None = None, validation_split: float | None = None,
                                subset: str | None = None, follow_links: bool = False, format: str = "tf", verbose: bool = True) -> Any:
    """A `data.Dataset` of the .txt files in `directory`, read when they are wanted; [train, validation] for subset="both".

    Elements are texts (strings [batch], as bytes) or (texts, labels). max_length: only the first bytes of each text. The other
    arguments are those of `image_dataset_from_directory`. The data set has `class_names` and `file_paths`.

    Raises NotADirectoryError, ValueError and TypeError that name the argument; OSError for a file that cannot be read, while it is
    gone through.
    """
    options = DirectoryOptions(directory, labels, label_mode, class_names, shuffle, seed, validation_split, subset, follow_links, verbose,
                               "text files", (".txt",))
    check_batch_size(batch_size)
    check_format(format)
    if max_length is not None and (isinstance(max_length, bool) or not isinstance(max_length, (int, np.integer)) or max_length < 0):
        raise ValueError(f"`max_length` must be a whole number of 0 or more, or None; received max_length={max_length!r}")
    seed = int(np.random.randint(1_000_000)) if seed is None else seed
    made = [_dataset(part, label_mode, batch_size, max_length, shuffle and not (subset == "both" and number), seed)
            for number, part in enumerate(options.parts(options.samples(seed)))]
    return made if subset == "both" else made[0]


def _dataset(samples: Samples, label_mode: str | None, batch_size: int | None, max_length: int | None, shuffle: bool, seed: int) -> Any:
    from ..data import TensorSpec
    from .loading import FileReader, samples_dataset

    def read(path: str) -> bytes:
        with open(path, "rb") as file:
            return file.read() if max_length is None else file.read(max_length)

    labels = None if samples.labels is None else label_array(samples.labels, label_mode, len(samples.class_names or ()))
    made: Any = samples_dataset(FileReader(samples.paths, read), TensorSpec((), "string"), len(samples.paths), labels, batch_size, shuffle,
                                seed)
    made.class_names, made.file_paths = samples.class_names, samples.paths
    return made
