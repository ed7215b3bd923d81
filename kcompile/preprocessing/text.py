"""keras.preprocessing.text of Keras 2: texts into word numbers. New programs use layers.TextVectorization."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..suggest import suggest_names

__all__ = ["Tokenizer", "hashing_trick", "one_hot", "text_to_word_sequence", "tokenizer_from_json"]

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
MODES = ("binary", "count", "tfidf", "freq")


def text_to_word_sequence(input_text: str, filters: str = FILTERS, lower: bool = True, split: str = " ") -> list[str]:
    """The words of a text: lowered, every character of `filters` taken as `split`, cut there; no empty words."""
    if not isinstance(input_text, str):
        raise TypeError(f"`input_text` must be a str, received {type(input_text).__name__}")
    text = (input_text.lower() if lower else input_text).translate({ord(character): split for character in filters})
    return [word for word in text.split(split) if word]


def one_hot(input_text: str, n: int, filters: str = FILTERS, lower: bool = True, split: str = " ",
            analyzer: Callable[[str], Iterable[str]] | None = None) -> list[int]:
    """`hashing_trick` with Python's own hash, which differs from run to run."""
    return hashing_trick(input_text, n, hash, filters, lower, split, analyzer)


def hashing_trick(text: str, n: int, hash_function: Any = None, filters: str = FILTERS, lower: bool = True, split: str = " ",
                  analyzer: Callable[[str], Iterable[str]] | None = None) -> list[int]:
    """A number in 1 ... n - 1 for each word; two words may share one.

    hash_function: "md5" for numbers that are the same in every run, a function of a word, or None for Python's hash. Raises ValueError.
    """
    if n < 2:
        raise ValueError(f"`n` must be 2 or more, received n={n!r}")
    if hash_function not in (None, "md5") and not callable(hash_function):
        raise ValueError(f"`hash_function` must be 'md5', a function or None; received {hash_function!r}")
    number = _md5 if hash_function == "md5" else hash_function or hash
    words = text_to_word_sequence(text, filters, lower, split) if analyzer is None else analyzer(text)
    return [number(word) % (n - 1) + 1 for word in words]


def _md5(word: str) -> int:
    return int(hashlib.md5(word.encode()).hexdigest(), 16)


class Tokenizer:
    """Numbers the words of texts: 1 is the most frequent, or `oov_token`, which stands for unknown words, where that is given.

    num_words: only numbers below it are used; filters, lower, split: as in `text_to_word_sequence`; char_level: characters are the
    words; analyzer: a function from a text to its words. A text given as a list is a list of words. Raises TypeError for other arguments.

    word_index: word -> number; index_word: number -> word; word_counts: word -> how often; word_docs, index_docs: in how many texts.
    """

    def __init__(self, num_words: int | None = None, filters: str = FILTERS, lower: bool = True, split: str = " ", char_level: bool = False,
                 oov_token: str | None = None, analyzer: Callable[[str], Iterable[str]] | None = None, **kwargs: Any) -> None:
        if "nb_words" in kwargs:  # the name of Keras 1
            num_words = kwargs.pop("nb_words")
        self.document_count: int = kwargs.pop("document_count", 0)
        if kwargs:
            raise TypeError(f"Tokenizer got unexpected arguments: {', '.join(sorted(kwargs))}")
        self.num_words, self.filters, self.lower, self.split = num_words, filters, lower, split
        self.char_level, self.oov_token, self.analyzer = char_level, oov_token, analyzer
        self.word_counts: dict[str, int] = OrderedDict()
        self.word_docs: dict[str, int] = defaultdict(int)
        self.index_docs: dict[int, int] = defaultdict(int)
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    def _words(self, text: Any) -> Iterable[str]:
        if isinstance(text, list):
            return [word.lower() for word in text] if self.lower else text
        if not isinstance(text, str):
            raise TypeError(f"`texts` must be a list of strings, or of lists of words; found {text!r} of type {type(text).__name__}")
        if self.char_level:
            return text.lower() if self.lower else text
        return text_to_word_sequence(text, self.filters, self.lower, self.split) if self.analyzer is None else self.analyzer(text)

    @staticmethod
    def _texts(texts: Any) -> Any:
        if isinstance(texts, (str, bytes)):
            raise TypeError(f"`texts` must be a list of strings, received one: {texts!r:.80}")
        return texts

    def fit_on_texts(self, texts: Iterable[Any]) -> None:
        """Count the words of texts, and number all words seen so far by their frequency, equal ones by their first appearance."""
        for text in self._texts(texts):
            self.document_count += 1
            words = list(self._words(text))
            for word in words:
                self.word_counts[word] = self.word_counts.get(word, 0) + 1
            for word in set(words):
                self.word_docs[word] += 1
        ordered = sorted(self.word_counts, key=lambda word: -self.word_counts[word])
        known = ([] if self.oov_token is None else [self.oov_token]) + ordered
        self.word_index = {word: number for number, word in enumerate(known, 1)}
        self.index_word = {number: word for word, number in self.word_index.items()}
        for word, count in self.word_docs.items():
            self.index_docs[self.word_index[word]] = count

    def fit_on_sequences(self, sequences: Any) -> None:
        """Count in how many sequences each number is, for mode "tfidf" without texts."""
        self.document_count += len(sequences)
        for sequence in sequences:
            for number in set(sequence):
                self.index_docs[number] += 1

    def _known(self, number: int | None) -> int | None:
        """A number as it may be used: that of `oov_token` for an unknown or too rare word, None where there is no such token."""
        if number is None or (self.num_words and number >= self.num_words):
            return None if self.oov_token is None else self.word_index.get(self.oov_token)
        return number

    def texts_to_sequences(self, texts: Iterable[Any]) -> list[list[int]]:
        """A list of word numbers for each text; words without one are left out."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[Any]) -> Iterator[list[int]]:
        """As texts_to_sequences, one by one."""
        for text in self._texts(texts):
            numbers = (self._known(self.word_index.get(word)) for word in self._words(text))
            yield [number for number in numbers if number is not None]

    def sequences_to_texts(self, sequences: Iterable[Any]) -> list[str]:
        """The words of numbers, joined by spaces."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Any]) -> Iterator[str]:
        """As sequences_to_texts, one by one."""
        for sequence in sequences:
            numbers = (self._known(number if number in self.index_word else None) for number in sequence)
            yield " ".join(self.index_word[number] for number in numbers if number is not None)

    def texts_to_matrix(self, texts: Iterable[Any], mode: str = "binary") -> Any:
        """`sequences_to_matrix` of the texts' numbers."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: Any, mode: str = "binary") -> Any:
        """float64 [texts, num_words]: for each number whether it is there ("binary"), how often ("count"), its share ("freq"), or "tfidf".

        Raises ValueError for other modes, and before anything has been fitted.
        """
        if mode not in MODES:
            raise ValueError(f"`mode` must be one of {', '.join(MODES)}; received mode={mode!r}")
        if not self.num_words and not self.word_index:
            raise ValueError("give Tokenizer `num_words`, or call fit_on_texts() before sequences_to_matrix()")
        if mode == "tfidf" and not self.document_count:
            raise ValueError("mode='tfidf' needs fit_on_texts() or fit_on_sequences() first")
        width = self.num_words or len(self.word_index) + 1
        matrix = np.zeros((len(sequences), width))
        for row, sequence in zip(matrix, sequences, strict=True):
            for number, count in Counter(sequence).items():
                if number < width:
                    row[number] = self._weight(number, count, len(sequence), mode)
        return matrix

    def _weight(self, number: int, count: int, length: int, mode: str) -> float:
        if mode == "tfidf":
            return (1 + math.log(count)) * math.log(1 + self.document_count / (1 + self.index_docs.get(number, 0)))
        return {"binary": 1.0, "count": float(count), "freq": count / length}[mode]

    def get_config(self) -> dict[str, Any]:
        """The arguments, and the counts as JSON texts."""
        plain = {name: getattr(self, name) for name in ("num_words", "filters", "lower", "split", "char_level", "oov_token",
                                                        "document_count")}
        return plain | {name: json.dumps(getattr(self, name)) for name in _COUNTS}

    def to_json(self, **kwargs: Any) -> str:
        """Everything as JSON, for `tokenizer_from_json`; kwargs: for json.dumps."""
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)


_COUNTS = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """The Tokenizer that `to_json` wrote, here or in Keras. Raises ValueError for anything else."""
    try:
        config = dict(json.loads(json_string)["config"])
        counts = {name: json.loads(config.pop(name)) for name in _COUNTS}
        tokenizer = Tokenizer(**config)
        for name in ("index_docs", "index_word"):  # JSON has no numbers as keys
            counts[name] = {int(number): value for number, value in counts[name].items()}
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"`json_string` is not what Tokenizer.to_json() writes: {type(error).__name__}: {error}") from None
    for name, value in counts.items():
        setattr(tokenizer, name, defaultdict(int, value) if name.endswith("_docs") else value)
    return tokenizer


suggest_names(__name__)
