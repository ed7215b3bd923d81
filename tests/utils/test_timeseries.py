"""Windows of arrays ordered by time, and data sets cut in two, as Keras has them."""

import numpy as np
import pytest

import kcompile as keras
from kcompile.data import Dataset
from kcompile.utils import split_dataset, timeseries_dataset_from_array

DATA, TARGETS = np.arange(40.0).reshape(20, 2), np.arange(20) * 10


def windows(**arguments):
    """[(first values of the steps of a window, its target)] of all windows."""
    found = []
    dataset = timeseries_dataset_from_array(**{"data": DATA, "targets": TARGETS, "sequence_length": 4, "batch_size": 3, **arguments})
    for batch in dataset.as_numpy_iterator():
        steps, targets = batch if isinstance(batch, tuple) else (batch, [None] * len(batch))
        found += [((window[..., 0] / 2).astype(int).tolist(), target) for window, target in zip(steps, targets, strict=True)]
    return found


@pytest.mark.parametrize(("arguments", "first", "last", "count"), [
    ({}, [0, 1, 2, 3], [16, 17, 18, 19], 17),
    ({"sequence_stride": 3}, [0, 1, 2, 3], [15, 16, 17, 18], 6),
    ({"sampling_rate": 2}, [0, 2, 4, 6], [13, 15, 17, 19], 14),
    ({"start_index": 3, "end_index": 15}, [3, 4, 5, 6], [11, 12, 13, 14], 9),
    ({"sequence_stride": 2, "sampling_rate": 3, "start_index": 1, "end_index": 19}, [1, 4, 7, 10], [9, 12, 15, 18], 5),
    ({"targets": TARGETS[:5]}, [0, 1, 2, 3], [4, 5, 6, 7], 5),
    ({"sequence_length": 20}, list(range(20)), list(range(20)), 1),
])
def test_windows(arguments, first, last, count):
    found = windows(**arguments)
    assert len(found) == count and found[0][0] == first and found[-1][0] == last
    assert all(target == 10 * steps[0] for steps, target in found)


def test_dtypes_and_batches():
    dataset = timeseries_dataset_from_array(DATA, None, 4, batch_size=5)
    assert [batch.shape for batch in dataset.as_numpy_iterator()] == [(5, 4, 2)] * 3 + [(2, 4, 2)]
    assert dataset.element_spec.shape == (None, 4, 2) and dataset.element_spec.dtype == "float64"
    steps, target = next(timeseries_dataset_from_array(list(range(9)), np.arange(9.0), 3, batch_size=None).as_numpy_iterator())
    assert steps.tolist() == [0, 1, 2] and steps.dtype == np.int32 and target == 0 and target.dtype == np.float64


def test_shuffle():
    """The order of the windows is that of numpy for the seed before they go through a shuffle buffer."""
    found = windows(shuffle=True, seed=3)
    assert sorted(found) == windows() and found != windows()
    assert found == windows(shuffle=True, seed=3) != windows(shuffle=True, seed=4)


@pytest.mark.parametrize(("arguments", "word"), [
    ({"sequence_length": 0}, "`sequence_length`"), ({"sequence_length": 21}, "`sequence_length`"), ({"sequence_length": 2.5}, "`seq"),
    ({"sequence_length": 11, "sampling_rate": 2}, "spans 21 steps, but there are only 20"), ({"sampling_rate": 0}, "`sampling_rate`"),
    ({"sequence_stride": -1}, "`sequence_stride`"), ({"start_index": -1}, "`start_index`"), ({"start_index": 20}, "`start_index`"),
    ({"end_index": 21}, "`end_index`"),
    ({"start_index": 5, "end_index": 5}, "`end_index` must be greater"), ({"data": 3.0}, "`data`"),
    ({"targets": 3}, "`targets`"), ({"targets": []}, "`targets` is empty"),
    ({"start_index": 10, "targets": TARGETS[:14]}, "`targets` has 14"),
    ({"batch_size": 0}, "`batch_size`"), ({"format": "grain"}, "`format`"),
])
def test_arguments(arguments, word):
    with pytest.raises(ValueError, match=word):
        windows(**arguments)


def test_fit_on_windows():
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    dataset = timeseries_dataset_from_array(DATA / 40, TARGETS / 200, 4, batch_size=8, shuffle=True, seed=1)
    losses = model.fit(dataset, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def rows(dataset):
    return [np.asarray(item[-1] if isinstance(item, tuple) else item["y"] if isinstance(item, dict) else item).tolist()
            for item in dataset.as_numpy_iterator()]


def test_split_sizes():
    for sizes, expected in (({"left_size": 0.3}, (6, 14)), ({"right_size": 0.25}, (15, 5)), ({"left_size": 5, "right_size": 4}, (5, 4)),
                            ({"left_size": 0.3, "right_size": 4}, (6, 4)), ({"left_size": 7}, (7, 13))):
        left, right = split_dataset((DATA, TARGETS), **sizes)
        assert (len(left), len(right)) == expected
        assert rows(left) == TARGETS[:expected[0]].tolist() and rows(right) == TARGETS[-expected[1]:].tolist()


def test_what_can_be_split():
    assert rows(split_dataset(TARGETS, 0.1)[0]) == [0, 10]
    left, _ = split_dataset([DATA, TARGETS], 2)
    assert left.element_spec[0].shape == (2,) and left.element_spec[0].dtype == "float64"
    left, _ = split_dataset(Dataset.from_tensor_slices({"x": DATA, "y": TARGETS}), 3)
    assert rows(left) == [0, 10, 20] and set(left.element_spec) == {"x", "y"}
    left, right = split_dataset(Dataset.from_tensor_slices((DATA, TARGETS)).batch(4), 0.3)
    assert rows(left) == [[0, 10, 20, 30], [40, 50]] and len(rows(right)) == 4
    assert rows(split_dataset(keras.ops.convert_to_tensor(TARGETS), 1)[0]) == [0]

    class Map:  # as a torch data set
        def __len__(self):
            return 6

        def __getitem__(self, number):
            return np.full(2, number), number

    assert rows(split_dataset(Map(), 2)[1]) == [2, 3, 4, 5]


def test_split_shuffled():
    """Keras's order for the seed: that of Python's random; and the program's own random numbers go on as if nothing had been."""
    import random

    random.seed(1)
    expected = random.random()
    random.seed(1)
    left, right = split_dataset(TARGETS, 0.6, shuffle=True, seed=5)
    assert random.random() == expected
    assert rows(left) == LEFT_OF_SEED_5  # what Keras 3.15 gives
    assert sorted(rows(left) + rows(right)) == TARGETS.tolist()


LEFT_OF_SEED_5 = [40, 90, 60, 50, 140, 170, 180, 10, 20, 150, 100, 30]


@pytest.mark.parametrize(("dataset", "arguments", "error", "word"), [
    (DATA, {}, ValueError, "`left_size` and `right_size`"), (DATA, {"left_size": 25}, ValueError, "`left_size`"),
    (DATA, {"left_size": 0}, ValueError, "`left_size`"), (DATA, {"right_size": 1.5}, ValueError, "`right_size`"),
    (DATA, {"left_size": "a"}, TypeError, "`left_size`"), (DATA, {"left_size": 0.7, "right_size": 0.7}, ValueError, "together more"),
    (DATA, {"left_size": 15, "right_size": 10}, ValueError, "together more"), (DATA[:3], {"left_size": 0.1}, ValueError, "leaves none"),
    ((DATA, TARGETS[:3]), {"left_size": 1}, ValueError, "must have one length"), ([], {"left_size": 1}, ValueError, "empty list"),
    ([[1, 2]], {"left_size": 1}, TypeError, "item 0 is of type list"), ("x", {"left_size": 1}, TypeError, "`dataset`"),
    (Dataset.range(10).repeat(), {"left_size": 1}, ValueError, "endless"), (Dataset.range(0), {"left_size": 1}, ValueError, "empty"),
    (Dataset.range(10).batch(4).prefetch(1), {"left_size": 1}, ValueError, "unbatch"),
    (np.float32(3), {"left_size": 1}, TypeError, "`data"),
    (DATA, {"left_size": 1, "preferred_backend": "torch"}, ValueError, "`preferred_backend`"),
])
def test_split_arguments(dataset, arguments, error, word):
    with pytest.raises(error, match=word):
        split_dataset(dataset, **arguments)
