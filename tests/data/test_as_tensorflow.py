"""Data sets and image functions give what TensorFlow has given (recorded by record.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_cases import DATASETS, IMAGES

from kcompile.compat import tf
from kcompile.data import Dataset

VALUES = json.loads((Path(__file__).resolve().parent / "tf_values.json").read_text())


@pytest.mark.parametrize("name", DATASETS)
def test_data_sets(name: str) -> None:
    assert json.loads(json.dumps(DATASETS[name](tf))) == VALUES["datasets"][name]


@pytest.mark.parametrize("name", IMAGES)
def test_images(name: str) -> None:
    wanted = VALUES["images"][name]
    found = np.asarray(IMAGES[name](tf))
    assert found.dtype == wanted["dtype"] and list(found.shape) == wanted["shape"]
    values = np.array(wanted["values"]).reshape(wanted["shape"])
    if found.dtype.kind in "iu":  # a value that lies between two integers may fall to either side
        assert np.abs(found.astype(np.int64) - values).max() <= 1 and (found == values).mean() > 0.97
    else:
        np.testing.assert_allclose(found.astype(np.float64), values, rtol=2e-5, atol=2e-6)


COMPILED = ["resize bilinear up", "resize nearest down", "adjust_hue", "adjust_contrast uint8", "per_image_standardization",
            "rgb_to_grayscale uint8", "resize_with_pad", "rot90 3", "convert float32 uint8 True"]


@pytest.mark.parametrize("name", COMPILED)
def test_images_in_a_compiled_map(name: str) -> None:
    """The case's own input, taken from the function's recorded call, goes through a map."""
    seen: list[Any] = []

    class Recorder:
        """tf, but the first argument of the image function is kept and the call is put into a map."""

        class image:
            def __getattr__(self, function: str) -> Any:
                def call(pixels: Any, *args: Any, **kwargs: Any) -> Any:
                    mapped = Dataset.from_tensors(pixels).map(lambda x: getattr(tf.image, function)(x, *args, **kwargs))
                    assert mapped._look() is not None, "traced"  # type: ignore[attr-defined]
                    seen.append(next(mapped.as_numpy_iterator()))
                    return seen[-1]

                return call

        image = image()  # type: ignore[assignment,misc]

    IMAGES[name](Recorder)
    eager = np.asarray(IMAGES[name](tf))
    if eager.dtype.kind in "iu":
        assert np.abs(seen[0].astype(np.int64) - eager.astype(np.int64)).max() <= 1
    else:
        np.testing.assert_allclose(seen[0], eager, rtol=2e-5, atol=2e-6)
