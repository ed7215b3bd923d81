"""keras.preprocessing.text and .sequence of Keras 2, as Keras has them for the same texts and numbers."""

import json
import random

import numpy as np
import pytest

from kcompile.preprocessing import sequence, text
from kcompile.preprocessing.text import Tokenizer

TEXTS = ["The cat sat on the mat.", "The dog ate my homework! the end", "cats & dogs", ["The", "Cat", "x"]]
NEW = ["the unknown cat", "dog dog MAT", ""]


def fitted(**arguments):
    tokenizer = Tokenizer(**arguments)
    tokenizer.fit_on_texts(TEXTS)
    return tokenizer


def test_words_and_numbers():
    tokenizer = fitted()
    assert list(tokenizer.word_index) == ["the", "cat", "sat", "on", "mat", "dog", "ate", "my", "homework", "end", "cats", "dogs", "x"]
    assert tokenizer.word_counts["the"] == 5 and tokenizer.word_docs["the"] == 3 and tokenizer.index_docs[2] == 2
    assert tokenizer.document_count == 4 and tokenizer.index_word[13] == "x"
    assert tokenizer.texts_to_sequences(NEW) == [[1, 2], [6, 6, 5], []]
    assert tokenizer.sequences_to_texts([[1, 2], [99, 5]]) == ["the cat", "mat"]


@pytest.mark.parametrize(("arguments", "expected"), [
    ({"num_words": 4}, [[1, 2], [], []]), ({"oov_token": "<u>"}, [[2, 1, 3], [7, 7, 6], []]),
    ({"oov_token": "<u>", "num_words": 4}, [[2, 1, 3], [1, 1, 1], []]), ({"nb_words": 4}, [[1, 2], [], []]),
])
def test_rare_and_unknown_words(arguments, expected):
    assert fitted(**arguments).texts_to_sequences(NEW) == expected


def test_matrices():
    tokenizer = fitted(num_words=7)
    np.testing.assert_array_equal(tokenizer.texts_to_matrix(NEW), [[0, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 1], [0] * 7])
    np.testing.assert_array_equal(tokenizer.texts_to_matrix(NEW, "count")[1], [0, 0, 0, 0, 0, 1, 2])
    np.testing.assert_allclose(tokenizer.texts_to_matrix(NEW, "freq")[1], [0, 0, 0, 0, 0, 1 / 3, 2 / 3])
    np.testing.assert_allclose(tokenizer.texts_to_matrix(NEW, "tfidf")[1, 5:], [np.log(3), (1 + np.log(2)) * np.log(3)])


def test_characters_and_analyzers():
    tokenizer = Tokenizer(char_level=True)
    tokenizer.fit_on_texts(["Abba"])
    assert tokenizer.word_index == {"a": 1, "b": 2}
    tokenizer = Tokenizer(analyzer=lambda line: line.split("-"))
    tokenizer.fit_on_texts(["A-b", "b"])
    assert tokenizer.word_index == {"b": 1, "A": 2}


def test_json_and_back():
    tokenizer = fitted(oov_token="?")
    config = json.loads(tokenizer.to_json())
    assert config["class_name"] == "Tokenizer" and json.loads(config["config"]["word_index"])["?"] == 1
    again = text.tokenizer_from_json(tokenizer.to_json())
    assert again.texts_to_sequences(NEW) == tokenizer.texts_to_sequences(NEW) and again.get_config() == tokenizer.get_config()
    again.fit_on_texts(["more cat"])
    assert again.document_count == 5 and again.word_docs["cat"] == 3
    for bad in ("{}", "[1]", "no", '{"config": {"word_counts": 3}}'):
        with pytest.raises(ValueError, match=r"not what Tokenizer\.to_json"):
            text.tokenizer_from_json(bad)


def test_words_of_a_text():
    assert text.text_to_word_sequence("a,b c\td", "!,", lower=False) == ["a", "b", "c\td"]
    assert text.text_to_word_sequence("One, TWO;  three!") == ["one", "two", "three"]
    assert text.hashing_trick("Hello, big big World", 50, "md5") == HASHED
    assert all(1 <= number < 5 for number in text.one_hot("a b c d e f", 5))


HASHED = [12, 40, 40, 23]


@pytest.mark.parametrize(("call", "error", "word"), [
    (lambda: Tokenizer(num_word=3), TypeError, "num_word"), (lambda: Tokenizer().fit_on_texts("one text"), TypeError, "`texts`"),
    (lambda: Tokenizer().fit_on_texts([3]), TypeError, "`texts`"),
    (lambda: Tokenizer().sequences_to_matrix([[1]]), ValueError, "num_words"),
    (lambda: fitted().texts_to_matrix(NEW, "x"), ValueError, "`mode`"),
    (lambda: Tokenizer(num_words=3).sequences_to_matrix([[1]], "tfidf"), ValueError, "tfidf"),
    (lambda: text.hashing_trick("a", 1), ValueError, "`n`"), (lambda: text.hashing_trick("a", 9, "sha"), ValueError, "`hash_function`"),
    (lambda: text.text_to_word_sequence(b"a"), TypeError, "`input_text`"),
    (lambda: sequence.TimeseriesGenerator([1, 2], [1], 1), ValueError, "received 2 and 1"),
    (lambda: sequence.TimeseriesGenerator([1, 2], [1, 2], 5), ValueError, "`length=5`"),
    (lambda: sequence.TimeseriesGenerator([1, 2], [1, 2], 1, stride=0), ValueError, "`stride`"),
])
def test_mistakes(call, error, word):
    with pytest.raises(error, match=word):
        call()


def test_timeseries_generator():
    data = np.arange(30)
    generator = sequence.TimeseriesGenerator(data, data * 2, 5, sampling_rate=2, stride=3, batch_size=2, start_index=2, end_index=25)
    assert len(generator) == 4
    windows, targets = generator[0]
    assert windows.tolist() == [[2, 4, 6], [5, 7, 9]] and targets.tolist() == [14, 20]
    assert [len(generator[number][1]) for number in range(4)] == [2, 2, 2, 1]
    windows, targets = sequence.TimeseriesGenerator(data, data, 3, reverse=True)[0]
    assert windows[0].tolist() == [2, 1, 0] and len(windows) == 27
    windows, targets = sequence.TimeseriesGenerator(data, data, 3, shuffle=True, batch_size=9)[0]
    assert (windows[:, -1] + 1 == targets).all() and len(targets) == 9


def test_skipgrams():
    random.seed(1)
    couples, labels = sequence.skipgrams([1, 2, 0, 3, 4, 5], 10, window_size=2, seed=4)
    assert [couples, labels] == SKIPGRAMS
    state = random.getstate()
    assert sequence.skipgrams([1, 0, 2], 5, 2, 0.0, False) == ([[1, 2], [2, 1]], [1, 1]) and random.getstate() == state
    assert sequence.skipgrams([1, 2], 5, 1, 0.5, False, categorical=True)[1] == [[0, 1], [0, 1], [1, 0]]
    assert sequence.skipgrams([0], 5) == ([], [])


# what Keras 3.15's keras._legacy.preprocessing gives for the same state of Python's random numbers
SKIPGRAMS = [[[3, 8], [2, 4], [4, 4], [3, 7], [3, 5], [2, 5], [1, 1], [5, 2], [3, 4], [5, 3], [4, 3], [1, 2],
              [4, 1], [2, 1], [2, 3], [3, 7], [5, 8], [3, 2], [5, 4], [4, 5]],
             [0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 0, 1, 1, 0, 0, 1, 1, 1]]


def test_sampling_table():
    np.testing.assert_allclose(sequence.make_sampling_table(7)[[0, 1, 6]], [0.00315225, 0.00315225, 0.01212381], rtol=1e-5)
    assert (sequence.make_sampling_table(5, 1e9) == 1).all()
