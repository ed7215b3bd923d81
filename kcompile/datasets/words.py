"""What the two sets of texts share: texts as lists of word numbers, of which rare, frequent and unknown ones can be replaced."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from .sources import locate


@dataclass(frozen=True)
class WordOptions:
    """The arguments of `load_data` that say what becomes of the word numbers. Raises ValueError for what cannot be meant."""

    num_words: int | None
    skip_top: int
    maxlen: int | None
    start_char: int | None
    oov_char: int | None
    index_from: int | None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            optional = value is None and name != "skip_top"
            if not optional and (isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0):
                raise ValueError(f"`{name}` must be a number of 0 or more{'' if name == 'skip_top' else ', or None'}; received "
                                 f"{name}={value!r}")


class Texts:
    """Texts as one array of word numbers and the length of each text: thousands of lists at the speed of numpy."""

    def __init__(self, words: Any, lengths: Any) -> None:
        self.words, self.lengths = words, lengths

    @classmethod
    def of(cls, lists: Any, file: str) -> Texts:
        """From an array of lists of numbers. Raises OSError for anything else."""
        if any(not isinstance(text, list) for text in lists):
            raise OSError(f"{file} holds texts that are not lists of word numbers")
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        try:
            words = np.fromiter(chain.from_iterable(lists), np.int64, int(lengths.sum()))
        except (TypeError, ValueError, OverflowError):
            raise OSError(f"{file} holds texts that are not lists of word numbers") from None
        return cls(words, lengths)

    def shifted(self, options: WordOptions) -> Texts:
        """Every number raised by `index_from`, and `start_char` before each text; nothing of both is done where it is None."""
        words = self.words + options.index_from if options.index_from else self.words
        if options.start_char is None:
            return Texts(words, self.lengths)
        return Texts(np.insert(words, np.cumsum(self.lengths) - self.lengths, options.start_char), self.lengths + 1)

    def kept(self, keep: Any) -> Texts:
        """The texts where `keep` is True."""
        return Texts(self.words[np.repeat(keep, self.lengths)], self.lengths[keep])

    def cut(self, skip_top: int, num_words: int, oov_char: int | None) -> Texts:
        """Numbers outside skip_top <= number < num_words become `oov_char`, or are left out where it is None."""
        known = (self.words >= skip_top) & (self.words < num_words)
        if oov_char is not None:
            return Texts(np.where(known, self.words, oov_char), self.lengths)
        ends = np.cumsum(self.lengths)
        counts = np.concatenate([[0], np.cumsum(known)])
        return Texts(self.words[known], counts[ends] - counts[ends - self.lengths])

    def lists(self) -> Any:
        """An array of Python lists."""
        found = np.empty(len(self.lengths), object)
        words = self.words.tolist()
        start = 0
        for number, length in enumerate(self.lengths.tolist()):
            found[number] = words[start:start + length]
            start += length
        return found


def shuffled(rng: np.random.RandomState, texts: Any, labels: Any, file: str) -> tuple[Any, Any]:
    """Texts and labels in an order of the generator, as Keras orders them. Raises OSError where they are not as many."""
    if len(texts) != len(labels):
        raise OSError(f"{file} holds {len(texts)} texts and {len(labels)} labels")
    order = np.arange(len(texts))
    rng.shuffle(order)
    return texts[order], labels[order]


def shorter(texts: Texts, labels: Any, maxlen: int | None) -> tuple[Texts, Any]:
    """The texts of fewer than `maxlen` words (with the start mark), and their labels. Raises ValueError when none is left."""
    if not maxlen:
        return texts, labels
    keep = texts.lengths < maxlen
    if not keep.any():
        raise ValueError(f"`maxlen={maxlen}` leaves no text: the shortest has {int(texts.lengths.min())} words with its start mark, and "
                         "only texts of fewer than `maxlen` are kept")
    return texts.kept(keep), labels[keep]


def word_index(name: str, path: str) -> dict[str, int]:
    """Word -> its number, of a JSON file. Raises OSError when the file is neither on disk nor to be had, or is something else."""
    found = locate(name, path)
    try:
        index = json.loads(found.read_text(encoding="utf-8"))
    except ValueError as error:
        raise OSError(f"{found} is damaged: {error}") from None
    if not isinstance(index, dict):
        raise OSError(f"{found} holds no index of words")
    return index
