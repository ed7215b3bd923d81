"""pad_sequences, to_categorical, normalize: what Keras gives, and errors that name the argument."""

import numpy as np
import pytest

import kcompile as keras
from kcompile.utils import normalize, pad_sequences, to_categorical

SEQUENCES = [[1], [2, 3], [], [4, 5, 6]]


@pytest.mark.parametrize(("arguments", "expected"), [
    ({}, [[0, 0, 1], [0, 2, 3], [0, 0, 0], [4, 5, 6]]),
    ({"padding": "post"}, [[1, 0, 0], [2, 3, 0], [0, 0, 0], [4, 5, 6]]),
    ({"maxlen": 2}, [[0, 1], [2, 3], [0, 0], [5, 6]]),
    ({"maxlen": 2, "truncating": "post"}, [[0, 1], [2, 3], [0, 0], [4, 5]]),
    ({"maxlen": 4, "padding": "post", "value": 9}, [[1, 9, 9, 9], [2, 3, 9, 9], [9, 9, 9, 9], [4, 5, 6, 9]]),
    ({"maxlen": 0}, [[], [], [], []]),
])
def test_padding(arguments, expected):
    found = pad_sequences(SEQUENCES, **arguments)
    assert found.tolist() == expected and found.dtype == np.int32


def test_other_kinds_of_sequences():
    assert pad_sequences([[1.5], [2, 3]], dtype="float32", value=-1).tolist() == [[-1, 1.5], [2, 3]]
    assert pad_sequences([[[1, 2]], [[3, 4], [5, 6]]]).tolist() == [[[0, 0], [1, 2]], [[3, 4], [5, 6]]]
    assert pad_sequences([["a"], ["b", "c"]], dtype=object, value="z").tolist() == [["z", "a"], ["b", "c"]]
    assert pad_sequences((np.arange(3), [7])).tolist() == [[0, 1, 2], [0, 0, 7]]
    assert pad_sequences([]).shape == (0, 0)
    assert pad_sequences([[1.9]]).tolist() == [[1]]


@pytest.mark.parametrize(("arguments", "word"), [
    ({"padding": "left"}, "`padding`"), ({"truncating": "x"}, "`truncating`"), ({"maxlen": -1}, "`maxlen`"), ({"maxlen": 2.5}, "`maxlen`"),
    ({"sequences": 3}, "`sequences`"), ({"sequences": "abc"}, "`sequences`"), ({"sequences": [1, 2]}, "item 0 is 1 of type int"),
    ({"sequences": [[1], ["a"]]}, "sequence 1 does not fit `dtype` int32"), ({"value": "pad"}, "`value` 'pad' is text"),
    ({"sequences": [[[1, 2]], [[3]]]}, r"the items of sequence 1 have shape \(1,\), those before \(2,\)"),
])
def test_padding_mistakes(arguments, word):
    with pytest.raises(ValueError, match=word):
        pad_sequences(**{"sequences": SEQUENCES, **arguments})


def test_one_hot_rows():
    found = to_categorical([0, 2, 1])
    assert found.dtype == np.float64 and found.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert to_categorical([[1], [0]], 4).shape == (2, 4) and to_categorical(np.zeros((2, 3), int), 2).shape == (2, 3, 2)
    tensor = to_categorical(keras.ops.convert_to_tensor([1, 0]), 2)
    assert tensor.dtype == "float32" and tensor.numpy().tolist() == [[0, 1], [1, 0]]
    for labels, classes, word in (([3], 3, "label 3 is outside"), ([-1], 3, "label -1"), ([], None, "`num_classes`")):
        with pytest.raises(ValueError, match=word):
            to_categorical(labels, classes)


def test_normalized_rows():
    found = normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
    assert found.tolist() == [[0.6, 0.8], [0, 0]]
    np.testing.assert_allclose(normalize(np.array([[1, 3], [1, 1]]), axis=0, order=1), [[0.5, 0.75], [0.5, 0.25]])
    assert normalize(keras.ops.ones((2, 4))).numpy().tolist() == [[0.5] * 4] * 2
