"""Losses, metrics, optimizers, schedules and callbacks give the numbers that Keras gives (keras_values.py says how they were recorded)."""

import json
from pathlib import Path

import numpy as np
import pytest

import kcompile as keras

from .keras_values import values

RECORDED = json.loads((Path(__file__).parent / "keras_values.json").read_text())
TOLERANCE = {"optimizer nadam": 1e-4, "optimizer lion": 1e-5}  # small weights that are differences of large steps


@pytest.fixture(scope="module")
def ours():
    return values(keras)


def test_every_case_is_recorded(ours):
    assert set(ours) == set(RECORDED)


@pytest.mark.parametrize("name", RECORDED)
def test_as_keras(ours, name):
    np.testing.assert_allclose(ours[name], RECORDED[name], rtol=TOLERANCE.get(name, 3e-6), atol=2e-6)
