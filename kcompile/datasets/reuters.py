"""Reuters: 11,228 news wires as lists of word numbers, in 46 topics. Number n is the n-th most frequent word."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arguments import check_split
from .pickles import load_arrays
from .sources import locate
from .words import Texts, WordOptions, shorter, shuffled, word_index


def load_data(path: str = "reuters.npz", num_words: int | None = None, skip_top: int = 0, maxlen: int | None = None,
              test_split: float = 0.2, seed: int = 113, start_char: int | None = 1, oov_char: int | None = 2,
              index_from: int | None = 3) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """((x_train, y_train), (x_test, y_test)): 8,982 lists of numbers in an array of objects, and int64 [8982]; 2,246 for testing.

    test_split: the share of the wires that are for testing; the other arguments are those of `imdb.load_data`. Raises ValueError for
    arguments that cannot be meant, OSError when the file is neither on disk nor to be had.
    """
    check_split(test_split)
    options = WordOptions(num_words, skip_top, maxlen, start_char, oov_char, index_from)
    file = locate("reuters.npz", path)
    texts, labels = load_arrays(file, ("x", "y"), "the news wires of Reuters")
    texts, labels = shuffled(np.random.RandomState(seed), texts, labels, str(file))
    wires = Texts.of(texts, str(file)).shifted(options)
    wires, labels = shorter(wires, labels, maxlen)
    limit = num_words or int(wires.words.max(initial=0))  # so that, as in Keras, the greatest number is unknown
    found = wires.cut(skip_top, limit, oov_char).lists()
    cut = int(len(found) * (1 - test_split))
    return (found[:cut], labels[:cut]), (found[cut:], labels[cut:])


def get_word_index(path: str = "reuters_word_index.json") -> dict[str, int]:
    """Word -> its number, before `index_from` is added. Raises OSError when the file is neither on disk nor to be had."""
    return word_index("reuters_word_index.json", path)


def get_label_names() -> tuple[str, ...]:
    """The names of the 46 topics, in the order of the labels."""
    return _LABELS


_LABELS = (
    "cocoa", "grain", "veg-oil", "earn", "acq", "wheat", "copper", "housing", "money-supply", "coffee", "sugar", "trade", "reserves",
    "ship", "cotton", "carcass", "crude", "nat-gas", "cpi", "money-fx", "interest", "gnp", "meal-feed", "alum", "oilseed", "gold", "tin",
    "strategic-metal", "livestock", "retail", "ipi", "iron-steel", "rubber", "heat", "jobs", "lei", "bop", "zinc", "orange", "pet-chem",
    "dlr", "gas", "silver", "wpi", "hog", "lead",
)
