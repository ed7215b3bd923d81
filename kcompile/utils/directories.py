"""Files of a directory as samples with labels: which files, which classes, which subset. Shared by images and texts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..progress import print_message

LABEL_MODES = ("int", "categorical", "binary", None)
SUBSETS = ("training", "validation", "both", None)


@dataclass(frozen=True)
class Samples:
    """Files in order, the label of each (None where there are none), and the names of the classes."""

    paths: list[str]
    labels: list[Any] | None
    class_names: list[str] | None


@dataclass(frozen=True)
class DirectoryOptions:
    """The arguments that say which samples to take. Checked when it is made: ValueError and TypeError name the argument."""

    directory: Any
    labels: Any
    label_mode: str | None
    class_names: Sequence[str] | None
    shuffle: bool
    seed: int | None
    validation_split: float | None
    subset: str | None
    follow_links: bool
    verbose: bool
    what: str  # of the files, in messages: "images", "text files"
    endings: tuple[str, ...]

    def __post_init__(self) -> None:
        self._check_labels()
        self._check_split()
        if not isinstance(self.directory, (str, os.PathLike)):
            raise TypeError(f"`directory` must be a path, received {type(self.directory).__name__}")
        if not os.path.isdir(self.directory):
            kind = "is a file, not a directory" if os.path.isfile(self.directory) else "does not exist"
            raise NotADirectoryError(f"`directory` {os.fspath(self.directory)!r} {kind} (looked for it from {os.getcwd()})")

    def _check_labels(self) -> None:
        if isinstance(self.labels, np.ndarray) and self.labels.ndim == 1:
            object.__setattr__(self, "labels", self.labels.tolist())
        if not isinstance(self.labels, (list, tuple)) and self.labels not in ("inferred", None):
            raise ValueError("`labels` must be 'inferred' (the names of the subdirectories), None (no labels), or a list of whole numbers, "
                             f"one for each file in alphanumeric order of the paths; received labels={self.labels!r}")
        if self.label_mode not in LABEL_MODES:
            raise ValueError(f"`label_mode` must be 'int', 'categorical', 'binary' or None; received label_mode={self.label_mode!r}")
        if self.class_names is None:
            return
        if self.labels != "inferred" or self.label_mode is None:
            raise ValueError("`class_names` can only be given with labels='inferred' and a `label_mode`; received "
                             f"labels={self.labels!r}, label_mode={self.label_mode!r}")
        if isinstance(self.class_names, str) or not isinstance(self.class_names, (list, tuple)):
            raise ValueError(f"`class_names` must be a list of names of subdirectories, received class_names={self.class_names!r}")
        if len(set(self.class_names)) != len(self.class_names):
            raise ValueError(f"`class_names` names a class twice: {list(self.class_names)}")

    def _check_split(self) -> None:
        split = self.validation_split
        if split is not None and (isinstance(split, bool) or not isinstance(split, (int, float, np.number)) or not 0 <= split < 1):
            raise ValueError(f"`validation_split` must be a number between 0 and 1, received validation_split={split!r}")
        if self.subset not in SUBSETS:
            raise ValueError(f"`subset` must be 'training', 'validation' or 'both', received subset={self.subset!r}")
        if bool(split) != bool(self.subset):
            given, missing = (f"validation_split={split!r}", "subset") if split else (f"subset={self.subset!r}", "validation_split")
            raise ValueError(f"`{missing}` must be given with {given}: `validation_split` says which share of the files is for validation, "
                             "`subset` which part you want")
        if self.seed is not None and (isinstance(self.seed, bool) or not isinstance(self.seed, (int, np.integer))
                                      or not 0 <= self.seed < 2**32):
            raise ValueError(f"`seed` must be a whole number in 0 ... 2**32 - 1, or None; received seed={self.seed!r}")
        if split and self.shuffle and self.seed is None:
            raise ValueError("`seed` must be given with `validation_split` when the files are shuffled, so that the training and "
                             "validation subsets of two calls do not overlap (or pass shuffle=False)")

    @property
    def no_labels(self) -> bool:
        return self.labels is None or self.label_mode is None

    def samples(self, seed: int) -> Samples:
        """All files in Keras's order: by class and path, shuffled with the seed. Raises ValueError where labels do not fit them."""
        directory = os.fspath(self.directory)
        inferred = self.labels == "inferred" and not self.no_labels
        classes = self._classes(directory) if inferred else [""]
        found = [_files(os.path.join(directory, name), self.endings, self.follow_links) for name in classes]
        paths = [path for part in found for path in part]
        if not paths:
            inside = " (in its subdirectories, one for each class)" if inferred else ""
            raise ValueError(f"no {self.what} found in `directory` {directory!r}{inside}; looked for files that end in "
                             f"{', '.join(self.endings)}")
        names = None if self.no_labels else classes if inferred else [str(label) for label in sorted(set(self.labels))]
        labels = None if names is None else [number for number, part in enumerate(found) for _ in part] if inferred else \
            self._given_labels(paths, names)
        if self.label_mode == "binary" and names is not None and len(names) != 2:
            raise ValueError(f"`label_mode='binary'` needs exactly 2 classes, here are {len(names)}: {', '.join(names)}")
        if self.verbose:
            print_message(f"Found {len(paths)} files{'' if names is None else f' belonging to {len(names)} classes'}.")
        if self.shuffle:
            order = np.arange(len(paths))
            np.random.RandomState(seed).shuffle(order)
            paths = [paths[number] for number in order]
            labels = None if labels is None else [labels[number] for number in order]
        return Samples(paths, labels, names)

    def _given_labels(self, paths: list[str], names: list[str]) -> list[int]:
        wrong = [label for label in self.labels if isinstance(label, bool) or not isinstance(label, (int, np.integer))]
        if wrong:
            raise ValueError(f"`labels` must be whole numbers, received {wrong[0]!r} among them")
        if len(self.labels) != len(paths):
            raise ValueError(f"`labels` has {len(self.labels)} entries, but {len(paths)} {self.what} were found in "
                             f"{os.fspath(self.directory)!r}; it needs one for each, in alphanumeric order of the paths")
        if self.label_mode == "categorical" and not all(0 <= label < len(names) for label in self.labels):
            raise ValueError(f"`labels` must lie in 0 ... {len(names) - 1} for label_mode='categorical', since there are {len(names)} "
                             f"different ones: {', '.join(names)}")
        return [int(label) for label in self.labels]

    def _classes(self, directory: str) -> list[str]:
        present = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir() and not entry.name.startswith("."))
        if self.class_names is not None:
            missing = [name for name in self.class_names if name not in present]
            if missing:
                raise ValueError(f"`class_names` names {', '.join(map(repr, missing))}, but the subdirectories of {directory!r} are "
                                 f"{present}")
            return list(self.class_names)
        if not present:
            raise ValueError(f"`labels='inferred'` needs one subdirectory for each class, {directory!r} has none; for files without "
                             "classes pass labels=None")
        return present

    def parts(self, samples: Samples) -> list[Samples]:
        """The subset that was asked for; both for "both". Raises ValueError for one that is empty."""
        if not self.validation_split:
            return [samples]
        held = int(self.validation_split * len(samples.paths))
        if not held:
            raise ValueError(f"`validation_split={self.validation_split}` of {len(samples.paths)} {self.what} leaves none for validation")
        parts = {"training": slice(0, -held), "validation": slice(-held, None)}
        made = []
        for name in parts if self.subset == "both" else [str(self.subset)]:
            paths, labels = samples.paths[parts[name]], None if samples.labels is None else samples.labels[parts[name]]
            if self.verbose:
                print_message(f"Using {len(paths)} files for {name}.")
            made.append(Samples(paths, labels, samples.class_names))
        return made


def _files(directory: str, endings: tuple[str, ...], follow_links: bool) -> list[str]:
    """The files below a directory with one of the endings, in Keras's order: by directory, then by name."""
    found = sorted(os.walk(directory, followlinks=follow_links), key=lambda visit: visit[0])
    return [os.path.join(root, name) for root, _, names in found for name in sorted(names) if name.lower().endswith(endings)]


def label_array(labels: list[Any], label_mode: str | None, classes: int) -> Any:
    """int32 [n], float32 [n, 1] for "binary", float32 [n, classes] for "categorical"."""
    numbers = np.array(labels, np.int32)
    if label_mode == "binary":
        return numbers.astype(np.float32)[:, None]
    if label_mode == "categorical":
        return np.eye(classes, dtype=np.float32)[numbers]
    return numbers


def check_batch_size(batch_size: Any) -> None:
    """Raises ValueError unless it is None or a whole number of 1 or more."""
    if batch_size is not None and (isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1):
        raise ValueError("`batch_size` must be a whole number of 1 or more, or None for single samples; received "
                         f"batch_size={batch_size!r}")
