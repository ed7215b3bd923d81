"""keras.preprocessing.sequence: sequences of numbers. All but pad_sequences is of Keras 2."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from ..suggest import suggest_names
from ..utils.py_dataset import PyDataset
from ..utils.sequences import pad_sequences

__all__ = ["TimeseriesGenerator", "make_sampling_table", "pad_sequences", "skipgrams"]


class TimeseriesGenerator(PyDataset):
    """Batches of windows: (the `length` steps before step n, target of step n).

    data, targets: arrays or lists of one length; sampling_rate: between the steps of a window; stride: between windows;
    start_index, end_index: the first and last step that are used; shuffle: windows at random; reverse: the last step first. New
    programs use utils.timeseries_dataset_from_array. Raises ValueError.
    """

    def __init__(self, data: Any, targets: Any, length: int, sampling_rate: int = 1, stride: int = 1, start_index: int = 0,
                 end_index: int | None = None, shuffle: bool = False, reverse: bool = False, batch_size: int = 128, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if len(data) != len(targets):
            raise ValueError(f"`data` and `targets` must be of one length; received {len(data)} and {len(targets)}")
        for name, value in (("length", length), ("sampling_rate", sampling_rate), ("stride", stride), ("batch_size", batch_size)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"`{name}` must be a whole number of 1 or more, received {name}={value!r}")
        self.data, self.targets, self.length = data, targets, length
        self.sampling_rate, self.stride, self.shuffle, self.reverse, self.batch_size = sampling_rate, stride, shuffle, reverse, batch_size
        self.start_index = start_index + length
        self.end_index = len(data) - 1 if end_index is None else end_index
        if self.start_index > self.end_index:
            raise ValueError(f"`start_index={start_index}` and `length={length}` leave no step before end_index={self.end_index}")

    def __len__(self) -> int:
        span = self.batch_size * self.stride
        return (self.end_index - self.start_index + span) // span

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """(windows [batch, steps, ...], targets [batch, ...])."""
        if self.shuffle:
            rows = np.random.randint(self.start_index, self.end_index + 1, size=self.batch_size)
        else:
            first = self.start_index + self.batch_size * self.stride * index
            rows = np.arange(first, min(first + self.batch_size * self.stride, self.end_index + 1), self.stride)
        windows = np.array([self.data[row - self.length:row:self.sampling_rate] for row in rows])
        return (windows[:, ::-1] if self.reverse else windows), np.array([self.targets[row] for row in rows])


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> Any:
    """float64 [size]: the probability to keep the word of each rank, by Zipf's law; rarer words are kept more often."""
    rank = np.arange(size)
    rank[:1] = 1
    inverse_frequency = rank * (np.log(rank) + 0.577) + 0.5 - 1 / (12.0 * rank)
    return np.minimum(1.0, np.sqrt(sampling_factor * inverse_frequency))


def skipgrams(sequence: Any, vocabulary_size: int, window_size: int = 4, negative_samples: float = 1.0, shuffle: bool = True,
              categorical: bool = False, sampling_table: Any = None, seed: int | None = None) -> tuple[list[list[int]], list[Any]]:
    """(pairs of words, labels): 1 for words at most window_size apart, 0 for `negative_samples` as many pairs with a random word.

    0 is no word; categorical: labels are [0, 1] and [1, 0]; sampling_table: the probability to keep each word. The random numbers are
    those of Python's `random`; `seed` is of the order alone, as in Keras.
    """
    yes, no = ([0, 1], [1, 0]) if categorical else (1, 0)
    couples, labels = [], []
    for place, word in enumerate(sequence):
        if not word or (sampling_table is not None and sampling_table[word] < random.random()):
            continue
        for other in range(max(0, place - window_size), min(len(sequence), place + window_size + 1)):
            if other != place and sequence[other]:
                couples.append([word, sequence[other]])
                labels.append(yes)
    if negative_samples > 0 and couples:
        count = int(len(labels) * negative_samples)
        words = [couple[0] for couple in couples]
        random.shuffle(words)
        couples += [[words[number % len(words)], random.randint(1, vocabulary_size - 1)] for number in range(count)]
        labels += [no] * count
    if shuffle:
        order = list(range(len(couples)))
        random.Random(random.randint(0, 10_000_000) if seed is None else seed).shuffle(order)
        couples, labels = [couples[number] for number in order], [labels[number] for number in order]
    return couples, labels


suggest_names(__name__)
