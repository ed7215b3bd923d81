"""IMDB: 50,000 reviews of films as lists of word numbers; 1 where the writer liked the film. Number n is the n-th most frequent word."""

from __future__ import annotations

from typing import Any

import numpy as np

from .pickles import load_arrays
from .sources import locate
from .words import Texts, WordOptions, shorter, shuffled, word_index

_PARTS = ("x_train", "y_train", "x_test", "y_test")


def load_data(path: str = "imdb.npz", num_words: int | None = None, skip_top: int = 0, maxlen: int | None = None, seed: int = 113,
              start_char: int | None = 1, oov_char: int | None = 2, index_from: int | None = 3,
              **kwargs: Any) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """((x_train, y_train), (x_test, y_test)): 25,000 lists of numbers in an array of objects, and int64 [25000]; the same for testing.

    path: the name of the file in the cache; seed: of the order of the reviews. Every number is raised by `index_from` and `start_char`
    put before each review; then only reviews shorter than `maxlen` are kept, and numbers outside skip_top <= number < num_words
    become `oov_char` (are left out where it is None). Raises ValueError or TypeError for arguments that cannot be meant, OSError when
    the file is neither on disk nor to be had.
    """
    if "nb_words" in kwargs:  # the name of Keras 1
        num_words = kwargs.pop("nb_words")
    if kwargs:
        raise TypeError(f"imdb.load_data got unexpected arguments: {', '.join(sorted(kwargs))}")
    options = WordOptions(num_words, skip_top, maxlen, start_char, oov_char, index_from)
    file = locate("imdb.npz", path)
    x_train, y_train, x_test, y_test = load_arrays(file, _PARTS, "the reviews of IMDB")
    rng = np.random.RandomState(seed)
    parts = []
    for texts, labels in ((x_train, y_train), (x_test, y_test)):
        texts, labels = shuffled(rng, texts, labels, str(file))
        parts.append(shorter(Texts.of(texts, str(file)).shifted(options), labels, maxlen))
    limit = num_words or max(int(texts.words.max(initial=0)) for texts, _ in parts)  # so that, as in Keras, the greatest number is unknown
    (x_train, y_train), (x_test, y_test) = ((texts.cut(skip_top, limit, oov_char).lists(), labels) for texts, labels in parts)
    return (x_train, y_train), (x_test, y_test)


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """Word -> its number, before `index_from` is added. Raises OSError when the file is neither on disk nor to be had."""
    return word_index("imdb_word_index.json", path)
