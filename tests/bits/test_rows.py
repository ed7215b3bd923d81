"""A row's prediction has the same bits whatever batch it comes in, and wherever in the batch it stands."""

from __future__ import annotations

import numpy as np
import pytest

from .models import TABLE, compiled, labels

BATCHES = (1, 7, 32, 33)
ROWS = 66


@pytest.mark.parametrize("name", TABLE)
def test_same_bits_in_any_batch(name: str) -> None:
    model, data, outputs = compiled(name)
    x = data(ROWS)
    model.fit(x, labels(outputs, ROWS), batch_size=16, epochs=1, verbose=0)  # so that moving statistics are no round numbers
    whole = model.predict(x, batch_size=ROWS, verbose=0)
    assert np.isfinite(whole).all() and len(np.unique(whole)) > 1
    for batch in BATCHES:
        np.testing.assert_array_equal(model.predict(x, batch_size=batch, verbose=0), whole, err_msg=f"in batches of {batch}")


@pytest.mark.parametrize("name", TABLE)
def test_same_bits_at_any_place_of_a_batch(name: str) -> None:
    model, data, _ = compiled(name)
    x = data(33)
    rolled = np.roll(x, 5, axis=0)
    np.testing.assert_array_equal(np.roll(model.predict_on_batch(x), 5, axis=0), model.predict_on_batch(rolled))
