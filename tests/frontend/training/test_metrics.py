"""Metrics of one's own making called on arrays: figures of Keras 3.15, configurations, errors."""

import numpy as np
import pytest

import kcompile as keras
from kcompile import losses, metrics

from .models import inputs


def test_auc():
    metric = metrics.AUC()
    assert float(metric([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])) == pytest.approx(0.75)
    metric.reset_state()
    metric.update_state([0, 0, 1, 1], [0, 0.5, 0.3, 0.9], sample_weight=[1, 0, 0, 1])
    assert float(metric.result()) == pytest.approx(1.0)
    assert metric.thresholds[0] == -1e-7 and len(metric.thresholds) == 200


@pytest.mark.parametrize(("made", "arguments"), [
    (metrics.AUC, ()), (metrics.TruePositives, ()), (metrics.Precision, ()), (metrics.PrecisionAtRecall, (0.5,))])
def test_counts_are_of_floatx(made, arguments):
    """Those of float16 would stop at 2048."""
    y, p = np.tile([0.0, 1.0, 1.0], 3000), np.random.default_rng(1).random(9000)
    results = []
    for dtype in ("float16", "float32"):
        metric = made(*arguments, dtype=dtype)
        metric.update_state(y, p)
        results.append(np.asarray(metric.result()))
        assert {str(variable.dtype) for variable in metric.variables} == {"float32"}
    assert results[0] == results[1] and results[0].dtype == np.float32


@pytest.mark.parametrize("seed", [5, 6, 20])
def test_no_count_is_less_than_nothing(seed):
    """With weights of samples the sum of all minus that of some may be, and then no threshold would have a specificity of 0."""
    rng = np.random.default_rng(seed)
    y, p, w = rng.integers(0, 2, 20), rng.uniform(0, 1, 20), rng.uniform(0, 2, 20)
    metric = metrics.SensitivityAtSpecificity(0, num_thresholds=10)
    metric.update_state(y, p, sample_weight=w)
    assert float(metric.result()) == 1.0
    assert np.asarray(metric.true_negatives).min() == 0.0


def test_a_prediction_at_a_threshold_is_counted_as_in_keras():
    """Roundings put 8 of these above thresholds that they equal (as the buckets of Keras do: 19908); told apart by > they are 19900."""
    metric = metrics.AUC(200)
    at = (np.arange(1, 200) / 199).astype("float32")
    metric.update_state(np.ones(199), at)
    assert float(np.sum(metric.true_positives.numpy())) == 19908
    assert np.sum(at > np.asarray(metric.thresholds, "float32")[:, None]) == 19900


def test_f_scores_of_classes():
    metric = metrics.F1Score(threshold=0.5)
    metric.update_state([[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]])
    np.testing.assert_allclose(np.asarray(metric.result()), [0.5, 0.8, 2 / 3], rtol=1e-5)


def test_r2_of_columns_and_adjusted():
    y, found = [[1.0, 2.0], [3.0, 5.0], [2.0, 4.0], [6.0, 1.0]], [[1.5, 2.0], [2.0, 4.0], [2.5, 4.5], [5.0, 2.0]]
    assert metrics.R2Score(None)(y, found).tolist() == pytest.approx([0.821428, 0.775], rel=1e-5)
    assert float(metrics.R2Score(num_regressors=2)(y, found)) == pytest.approx(0.717500, rel=1e-5)
    with pytest.warns(UserWarning, match="More independent predictors"):
        metrics.R2Score(num_regressors=9)(y, found)


def test_iou():
    metric = metrics.MeanIoU(3)
    metric.update_state([0, 0, 1, 1, 2, 5], [0, 1, 0, 1, 2, 1])
    assert float(metric.result()) == pytest.approx(0.5555555)
    metric.update_state([[0, 1], [2, 2]], [[1, 1], [2, 0]], sample_weight=[[1, 2], [3, 0]])
    assert float(metric.result()) == pytest.approx(0.5833333) and str(metric.dtype) == "int64"
    assert metric.total_cm.numpy().tolist() == [[1, 2, 0], [1, 3, 0], [0, 0, 4]]
    with pytest.warns(UserWarning, match="passing weight as `float`"):
        metric.update_state([0], [0], sample_weight=np.ones(1, "float32"))


MADE = [
    metrics.AUC(curve="pr", thresholds=[0.5, 0.2]), metrics.AUC(multi_label=True, num_labels=2, label_weights=[1, 2]),
    metrics.PrecisionAtRecall(0.5, 7, 1), metrics.RecallAtPrecision(0.5), metrics.SensitivityAtSpecificity(0.5),
    metrics.SpecificityAtSensitivity(0.5), metrics.F1Score("macro"), metrics.FBetaScore("micro", 2.0, 0.4), metrics.R2Score(None, 3),
    metrics.PearsonCorrelation(), metrics.ConcordanceCorrelation(axis=0), metrics.IoU(3, [0, 1], ignore_class=2), metrics.BinaryIoU([1]),
    metrics.MeanIoU(4), metrics.OneHotIoU(3, [2]), metrics.OneHotMeanIoU(3, axis=1), metrics.Precision(top_k=3),
    losses.BinaryFocalCrossentropy(True, gamma=1.0), losses.CategoricalFocalCrossentropy(0.3), losses.Dice(axis=(1, 2)),
    losses.CategoricalGeneralizedCrossEntropy(0.2), losses.Tversky(0.1, 0.9),
]


@pytest.mark.parametrize("made", MADE, ids=lambda made: type(made).__name__)
def test_configurations(made):
    module = metrics if isinstance(made, metrics.Metric) else losses
    record = module.serialize(made)
    assert record["config"] == made.get_config()
    again = module.deserialize(record)
    assert type(again) is type(made) and again.get_config() == made.get_config()


WRONG = [
    (lambda: metrics.AUC(curve="x"), 'Invalid AUC curve value: "x"'),
    (lambda: metrics.AUC(summation_method="x"), 'Invalid AUC summation method value: "x"'),
    (lambda: metrics.AUC(num_thresholds=1), "`num_thresholds` must be an integer > 1"),
    (lambda: metrics.AUC(num_labels=2), "needed only when `multi_label` is True"),
    (lambda: metrics.AUC(multi_label=True).update_state([1, 0], [1.0, 0.0]), "must have rank 2 when `multi_label=True`"),
    (lambda: metrics.PrecisionAtRecall(2), r"`recall` must be in the range \[0, 1\]"),
    (lambda: metrics.SensitivityAtSpecificity(0.5, 0), "`num_thresholds` must be an integer > 0"),
    (lambda: metrics.RecallAtPrecision(0.5, class_id=1).update_state([1, 0], [1.0, 0.0]), "y_pred must be a 2D array"),
    (lambda: metrics.F1Score("x"), "Invalid `average` argument value"),
    (lambda: metrics.FBetaScore(beta=1), "should be a Python float. Received: beta=1"),
    (lambda: metrics.FBetaScore(beta=-1.0), "should be > 0"),
    (lambda: metrics.F1Score(threshold=1), "should be a Python float. Received: threshold=1"),
    (lambda: metrics.F1Score(threshold=2.0), "should verify 0 < threshold <= 1"),
    (lambda: metrics.F1Score().update_state([1, 0], [1.0, 0.0]), "FBetaScore expects 2D inputs"),
    (lambda: metrics.R2Score("x"), "Invalid value for argument `class_aggregation`"),
    (lambda: metrics.R2Score(num_regressors=-1), "Expected a value >= 0"),
    (lambda: metrics.IoU(2, [3]), "Target class id 3 is out of range"),
    (lambda: losses.CategoricalGeneralizedCrossEntropy(2), "q must be in the interval"),
]


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_what_cannot_be_made(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_vectors_in_the_logs_and_in_files(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("sgd", keras.losses.Tversky(0.3, 0.7), metrics=[
        metrics.F1Score(name="f"), metrics.R2Score(None, name="r"), metrics.AUC(multi_label=True, name="area")])
    y = (inputs()[:, :2] > 0.5).astype("float32")
    history = model.fit(inputs(), y, verbose=0).history
    assert history["f"][0].shape == history["r"][0].shape == (2,) and isinstance(history["area"][0], float)
    model.save(tmp_path / "model.keras")
    np.testing.assert_equal(keras.saving.load_model(tmp_path / "model.keras").evaluate(inputs(), y, verbose=0),
                            model.evaluate(inputs(), y, verbose=0))
