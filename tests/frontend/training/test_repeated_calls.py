"""predict_on_batch again and again: the second call takes a short way, and must see everything that the long one would."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile
from kcompile import layers


@pytest.fixture
def model():
    kcompile.utils.set_random_seed(3)
    return kcompile.Sequential([kcompile.Input((4,)), layers.Dense(5, activation="relu"), layers.Dense(2)])


def rows(count, dtype="float32"):
    return np.random.default_rng(count).random((count, 4)).astype(dtype)


def by_hand(model, x):
    """The prediction in float64, without kcompile."""
    value = np.asarray(x, "float64")
    for layer in model.layers:
        kernel, bias = layer.get_weights()
        value = value @ kernel.astype("float64") + bias
        if layer.activation.__name__ == "relu":
            value = np.maximum(value, 0)
    return value


def agrees(model, x):
    found = model.predict_on_batch(x)
    assert isinstance(found, np.ndarray) and found.dtype == np.float32
    np.testing.assert_allclose(found, by_hand(model, x), rtol=1e-4, atol=1e-5)


def test_other_data_other_sizes_other_forms(model):
    for x in (rows(3), rows(3) + 1, rows(7), rows(1), rows(3, "float64"), rows(3).tolist(), np.asfortranarray(rows(5)), rows(8)[::2],
              *(rows(n) for n in range(1, 40)), rows(3)):
        agrees(model, x)


def test_results_are_not_shared(model):
    first = model.predict_on_batch(rows(3))
    second = model.predict_on_batch(rows(3))
    third = model.predict_on_batch(rows(3))
    assert not np.shares_memory(second, third)
    third[:] = 0
    np.testing.assert_array_equal(first, second)


def test_new_weights_are_seen(model):
    for scale in (1, 2, 3):
        model.set_weights([scale * np.ones_like(w) for w in model.get_weights()])
        agrees(model, rows(3))
    model.layers[0].kernel.assign(np.zeros((4, 5)))
    agrees(model, rows(3))
    model.compile("sgd", "mse")
    model.fit(rows(8), np.ones((8, 2)), verbose=0)
    agrees(model, rows(3))


def test_a_larger_batch_in_between_does_not_disturb(model):
    x = rows(2)
    first = model.predict_on_batch(x)
    for size in (2, 500, 2, 3000, 2):
        model.predict(rows(size), batch_size=size, verbose=0)
        np.testing.assert_array_equal(model.predict_on_batch(x), first)


def test_another_layer_is_seen(model):
    for _ in range(3):
        agrees(model, rows(3))
    model.add(layers.Dense(3))
    for _ in range(2):
        agrees(model, rows(3))
    model.pop()
    for _ in range(2):
        agrees(model, rows(3))


def test_wrong_data_is_still_refused(model):
    for _ in range(3):
        agrees(model, rows(3))
    with pytest.raises(ValueError):
        model.predict_on_batch(rows(3)[:, :3])
    with pytest.raises(ValueError, match="0 samples"):
        model.predict_on_batch(rows(3)[:0])


def test_a_fixed_batch_size_holds():
    model = kcompile.Sequential([kcompile.Input((4,), batch_size=3), layers.Dense(2)])
    for _ in range(3):
        agrees(model, rows(3))
    with pytest.raises(ValueError, match="fixed batch size of 3"):
        model.predict_on_batch(rows(4))


def test_an_index_out_of_range_is_found_every_time():
    model = kcompile.Sequential([kcompile.Input((2,), dtype="int32"), layers.Embedding(5, 3)])
    for _ in range(3):
        assert model.predict_on_batch(np.array([[0, 4]], "int32")).shape == (1, 2, 3)
    with pytest.raises(ValueError, match=r"outside 0 \.\.\. 4"):
        model.predict_on_batch(np.array([[0, 5]], "int32"))


def test_freezing_a_weight_is_seen(model):
    model.compile("sgd", "mse")
    x, y = rows(8), np.ones((8, 2))
    model.train_on_batch(x, y)
    for holder in (model.layers[0].kernel, model.layers[0]):
        for frozen in (True, False, True, False):
            holder.trainable = not frozen
            before = model.layers[0].kernel.numpy()
            model.train_on_batch(x, y)
            assert (model.layers[0].kernel.numpy() == before).all() == frozen


def test_a_property_of_the_user_is_asked_every_time():
    class Moody(layers.Dense):
        calls = True

        @property
        def trainable(self):
            return type(self).calls

        @trainable.setter
        def trainable(self, value):
            pass
    model = kcompile.Sequential([kcompile.Input((4,)), Moody(2)])
    model.compile("sgd", "mse")
    keys = []
    for Moody.calls in (True, False, True):
        model.train_on_batch(rows(4), np.ones((4, 2)))
        keys.append(next(iter(model._runners)))
    assert keys[0] == keys[2] != keys[1]
