"""Large uniform weights have the same bits from native code as from numpy."""

import numpy as np
import pytest

import kcompile as keras
from kcompile import initial_values


@pytest.mark.parametrize("shape", [(1 << 16,), (257, 300), (3, 3, 100, 91), (20, 4096)])
@pytest.mark.parametrize("limits", [(-0.05, 0.05), (0.0, 1.0), (-0.0131, 0.7)])
def test_native_values_have_the_bits_of_numpy(monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], limits: tuple[float, float]) -> None:
    def drawn(seed: int) -> np.ndarray:
        return keras.random.uniform(shape, *limits, dtype="float32", seed=seed).numpy()
    monkeypatch.setattr(initial_values, "_asked", 0)
    slow = [drawn(seed) for seed in (0, 7, 2**31 + 5)]
    assert initial_values._asked == 3 * slow[0].size
    monkeypatch.setattr(initial_values, "_asked", initial_values.PAYS)
    made = []
    uniform = initial_values.uniform
    monkeypatch.setattr(initial_values, "uniform", lambda *given: made.append(given) or uniform(*given))
    fast = [drawn(seed) for seed in (0, 7, 2**31 + 5)]
    assert len(made) == 3
    for one, other in zip(slow, fast, strict=True):
        assert one.shape == other.shape and one.tobytes() == other.tobytes()


def test_a_weight_has_them_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initial_values, "_asked", 0)
    slow = keras.Variable(keras.initializers.GlorotUniform(seed=3), shape=(300, 301), dtype="float32")
    expected = slow.numpy()
    monkeypatch.setattr(initial_values, "_asked", initial_values.PAYS)
    fast = keras.Variable(keras.initializers.GlorotUniform(seed=3), shape=(300, 301), dtype="float32")
    assert fast.array.ctypes.data % 64 == 0 and fast.array.flags.c_contiguous
    fast.assign_add(np.ones((300, 301), np.float32))
    again = keras.Variable(keras.initializers.GlorotUniform(seed=3), shape=(300, 301), dtype="float32")
    assert again.numpy().tobytes() == expected.tobytes() != fast.numpy().tobytes()


@pytest.mark.parametrize("given", [((100,), -1.0, 1.0, "float32"), ((1 << 17,), -1.0, 1.0, "float16"), ((1 << 17,), 1.0, 1.0, "float32"),
                                   ((1 << 17,), np.ones(1 << 17), 2.0, "float32")])
def test_everything_else_stays_in_numpy(given: tuple) -> None:
    assert initial_values.takes((1 << 17,), -1.0, 1.0, "float32") and not initial_values.takes(*given)
