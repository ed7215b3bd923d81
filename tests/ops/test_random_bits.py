"""random_bits is good enough to draw from: balance, mean, variance, independence of neighbours in every direction."""

import numpy as np
import pytest

from kcompile.ir.op import OPS

COUNT = 1 << 16


def bits(first, second, count=COUNT):
    return OPS["random_bits"].reference(np.array([first, second], np.uint32), shape=(count,))


def uniform(first, second, count=COUNT):
    return bits(first, second, count) / 2.0**32


KEYS = [(0, 0), (0, 1), (1, 0), (1337, 42), (2**32 - 1, 2**32 - 1), (0x80000000, 0)]


@pytest.mark.parametrize("key", KEYS)
def test_moments(key):
    u = uniform(*key)
    assert abs(u.mean() - 0.5) < 5 * (1 / 12 / COUNT) ** 0.5
    assert abs(u.var() - 1 / 12) < 5 * (1 / 180 / COUNT) ** 0.5


@pytest.mark.parametrize("key", KEYS)
def test_every_bit_is_balanced(key):
    ones = np.unpackbits(bits(*key).view(np.uint8)).reshape(COUNT, 32).mean(axis=0)
    assert np.abs(ones - 0.5).max() < 5 * 0.5 / COUNT**0.5


@pytest.mark.parametrize("key", KEYS)
def test_values_fill_the_range_evenly(key):
    counts = np.bincount((bits(*key) >> np.uint32(24)).astype(np.int64), minlength=256)
    expected = COUNT / 256
    chi_squared = float(((counts - expected) ** 2 / expected).sum())
    assert 255 - 5 * (2 * 255) ** 0.5 < chi_squared < 255 + 5 * (2 * 255) ** 0.5


@pytest.mark.parametrize("lag", [1, 2, 3, 7, 16, 28, 784, 1024])
def test_neighbouring_elements_are_uncorrelated(lag):
    u = uniform(7, 3)
    assert abs(np.corrcoef(u[:-lag], u[lag:])[0, 1]) < 5 / COUNT**0.5


def _unlike(a, b):
    """Neither correlated, nor equal at more places than chance allows, at any shift up to 64 either way."""
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / COUNT**0.5
    flipped = np.unpackbits((a ^ b).view(np.uint8)).mean()
    assert abs(flipped - 0.5) < 5 * 0.5 / (COUNT * 32) ** 0.5
    for shift in range(1, 65):
        assert np.count_nonzero(a[shift:] == b[:-shift]) <= 2
        assert np.count_nonzero(a[:-shift] == b[shift:]) <= 2


@pytest.mark.parametrize("delta", [1, 2, 3, 16, 1 << 8, 1 << 31])
def test_neighbouring_keys_give_unrelated_streams(delta):
    base = bits(5, 9)
    _unlike(base, bits(5 + delta, 9))
    _unlike(base, bits(5, 9 + delta))
    _unlike(base, bits(5 + delta, 9 + delta))


def test_streams_of_consecutive_keys_at_one_element():
    """What one element of a dropout mask sees over the steps."""
    column = np.array([bits(11, step, 4) for step in range(4096)])[:, 0].copy()
    u = column / 2.0**32
    assert abs(u.mean() - 0.5) < 5 * (1 / 12 / 4096) ** 0.5
    assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) < 5 / 4096**0.5
    ones = np.unpackbits(column.view(np.uint8)).reshape(4096, 32).mean(axis=0)
    assert np.abs(ones - 0.5).max() < 5 * 0.5 / 4096**0.5


@pytest.mark.parametrize("which", ["element", "first", "second"])
def test_one_flipped_input_bit_flips_half_of_the_output(which):
    count = 2048
    base = bits(3, 4, 1 << 12)[:count]
    for bit in range(32 if which != "element" else 11):
        if which == "element":
            other = bits(3, 4, 1 << 12)[np.arange(count) ^ (1 << bit)]
        else:
            other = bits(3 ^ (1 << bit), 4, count) if which == "first" else bits(3, 4 ^ (1 << bit), count)
        flips = np.unpackbits((base ^ other).view(np.uint8)).reshape(count, 32).mean(axis=0)
        assert np.abs(flips - 0.5).max() < 6 * 0.5 / count**0.5


def test_the_stream_is_fixed():
    """Saved seeds must go on giving the same dropout masks."""
    assert bits(1, 2, 3).tolist() == [2684536577, 2221094844, 2978517212]
