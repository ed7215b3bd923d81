"""Large weights get their initial values when they are first asked for: the same values, made once."""

import numpy as np
import pytest

import kcompile as keras
from kcompile.inspection import show


def _model():
    keras.utils.set_random_seed(3)
    return keras.Sequential([keras.Input((256,)), keras.layers.Dense(128), keras.layers.Dense(3)])


def test_the_values_do_not_depend_on_when_they_are_made():
    model = _model()
    kernel = model.layers[0].kernel
    assert kernel._memory is None and kernel.shape == (256, 128) and kernel.count_params() == 256 * 128
    keras.utils.set_random_seed(7)
    keras.random.normal((5,))
    late = kernel.numpy()
    early = keras.initializers.GlorotUniform(seed=model.layers[0].kernel_initializer.seed)((256, 128), "float32")
    np.testing.assert_array_equal(late, np.asarray(early))
    assert kernel.array is kernel.array and kernel.array.ctypes.data % 64 == 0
    for a, b in zip(_model().get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_weight_and_its_slots_begin_at_different_places_of_a_page():
    model = _model()
    model.compile("adam", "mse")
    model.fit(np.zeros((8, 256), "float32"), np.zeros((8, 3), "float32"), verbose=0)
    large = [v.array for v in (*model.weights, *model.optimizer.variables) if v.array.nbytes > 100_000]
    places = [array.ctypes.data % 4096 for array in large]
    assert len(places) == 3 and all(min((a - b) % 4096, (b - a) % 4096) >= 512 for a in places for b in places if a != b)
    assert len(set(places)) == 3


def test_looking_at_a_model_makes_none_of_them():
    model = _model()
    model.compile("adam", "mse")
    assert "kernel" in show(model, "traced")
    assert model.layers[0].kernel._memory is None and model.optimizer.variables[2]._memory is None
    model.memory_plan(8)
    assert model.layers[0].kernel._memory is None


@pytest.mark.parametrize("initializer", ["zeros", "ones", "he_normal", "random_uniform", "truncated_normal"])
def test_assigned_before_they_are_made(initializer):
    variable = keras.Variable(initializer, shape=(200, 200), dtype="float32")
    assert variable._memory is None
    variable.assign(np.full((200, 200), 2.0))
    assert (variable.numpy() == 2).all()


def test_numbers_that_may_change_are_used_at_once():
    spread = keras.Variable(2.0)
    variable = keras.Variable(keras.initializers.RandomNormal(stddev=spread, seed=1), shape=(200, 200), dtype="float32")
    assert variable._memory is not None
    spread.assign(0.0)
    assert variable.numpy().std() == pytest.approx(2, rel=0.02)


def test_an_initializer_that_gives_other_values_each_time_is_used_at_once():
    initializer = keras.initializers.RandomNormal(seed=keras.random.SeedGenerator(1))
    first, second = (keras.Variable(initializer, shape=(200, 200), dtype="float32") for _ in range(2))
    assert first._memory is not None and (first.numpy() != second.numpy()).any()
