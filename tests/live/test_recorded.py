"""kcompile against the recorded losses of Keras: no other engine is needed."""
import numpy as np
import pytest

from .cases import CASES
from .compare import complaints, limit, number_distance, summary
from .record import allowance, recorded
from .runner import outcome, prepared, train_by_fit
from .spec import BATCH, ROWS, STEPS

RECORDED = recorded()
EPOCHS = STEPS * BATCH // ROWS
BY_STEPS = [name for name in RECORDED if not name.startswith("fit_")]


@pytest.fixture(scope="module")
def keras():
    import kcompile
    return kcompile


def test_every_case_is_recorded():
    assert set(RECORDED) == set(CASES), "run live.record again"


@pytest.mark.parametrize("name", RECORDED)
def test_as_keras(keras, name):
    """Losses step by step, metrics, predictions, evaluation, weights."""
    entry = RECORDED[name]
    case = CASES[name]
    wrong = complaints(summary(outcome(keras, case)), entry["expected"], allowance(case, entry["distance"]))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", BY_STEPS)
def test_one_call_of_fit(keras, name):
    """The same 20 steps as four epochs of one `fit`: an epoch's loss is the mean over its steps."""
    entry = RECORDED[name]
    model, _, data = prepared(keras, CASES[name])
    steps = np.reshape(entry["expected"]["logs"]["loss"], (EPOCHS, -1))
    losses = train_by_fit(model, data, epochs=EPOCHS)["loss"]
    distance = number_distance(losses, steps.mean(axis=1))
    allowed = limit(allowance(CASES[name], entry["distance"]).get("loss", 0.0))
    assert distance <= allowed, f"{distance:.1e} from Keras, allowed {allowed:.1e}: {losses}, Keras has {steps.mean(axis=1)}"
