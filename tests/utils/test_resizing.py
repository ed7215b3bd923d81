"""Resizing on the host against what tf.image gives for the same pixels."""

import numpy as np
import pytest

import kcompile as keras
from kcompile.preprocessing.image import smart_resize
from kcompile.utils import resizing

IMAGE = np.random.RandomState(0).randint(0, 256, (5, 7, 3)).astype("uint8")
# (function, method, row 4 of the red channel of the 9 x 4 result of TensorFlow 2.21, mean of the whole result)
EXPECTED = [
    ("resize", "bilinear", [145.88, 148.38, 135.25, 177.62], 119.448),
    ("resize", "nearest", [216.0, 142.0, 127.0, 163.0], 114.417),
    ("resize", "bicubic", [151.14, 152.14, 129.3, 178.63], 118.709),
    ("resize", "area", [135.86, 140.43, 156.57, 179.71], 123.657),
    ("resize", "lanczos3", [149.1, 159.84, 128.69, 182.18], 119.934),
    ("resize", "lanczos5", [150.71, 164.77, 126.04, 185.33], 121.491),
    ("resize", "gaussian", [129.48, 130.12, 134.16, 169.09], 120.798),
    ("resize", "mitchellcubic", [138.46, 141.43, 132.52, 174.1], 119.922),
    ("resize_padded", "bilinear", [78.5, 139.78, 48.34, 70.31], 25.089),
    ("resize_padded", "nearest", [114.0, 164.0, 17.0, 31.0], 23.611),
    ("resize_padded", "bicubic", [73.12, 151.16, 33.0, 59.82], 24.406),
    ("resize_padded", "area", [83.69, 111.69, 95.37, 104.23], 27.479),
    ("resize_padded", "lanczos3", [62.07, 147.82, 30.03, 60.63], 24.056),
    ("resize_padded", "lanczos5", [51.4, 141.27, 30.98, 58.98], 23.921),
    ("resize_padded", "gaussian", [80.3, 127.99, 57.6, 75.1], 25.55),
    ("resize_padded", "mitchellcubic", [75.4, 138.04, 45.81, 67.84], 24.969),
    ("resize_cropped", "bilinear", [142.0, 154.75, 180.25, 193.0], 114.222),
    ("resize_cropped", "nearest", [142.0, 142.0, 193.0, 193.0], 113.333),
    ("resize_cropped", "bicubic", [137.5, 152.56, 182.44, 197.5], 114.175),
    ("resize_cropped", "area", [142.0, 142.0, 193.0, 193.0], 114.133),
    ("resize_cropped", "lanczos3", [133.05, 153.88, 181.12, 201.95], 114.24),
    ("resize_cropped", "lanczos5", [130.74, 154.44, 180.56, 204.26], 114.293),
]


@pytest.mark.parametrize(("function", "method", "row", "mean"), EXPECTED)
def test_as_tensorflow(function, method, row, mean):
    found = getattr(resizing, function)(IMAGE, (9, 4), method)
    assert found.shape == (9, 4, 3) and found.dtype == (np.uint8 if method == "nearest" else np.float32)
    np.testing.assert_allclose(found[4, :, 0], row, atol=0.011)
    assert found.mean(dtype=np.float64) == pytest.approx(mean, abs=2e-3)


@pytest.mark.parametrize("method", resizing.METHODS)
def test_grey_stays_grey(method):
    """Weights add up to 1 for every size, up and down, at the edges too."""
    for inner, outer in ((1, 5), (5, 1), (3, 8), (8, 3), (100, 7), (7, 100), (6, 6)):
        found = resizing.resize(np.full((inner, inner, 1), 200, "uint8"), (outer, outer), method)
        np.testing.assert_allclose(found, 200, atol=1e-3)


def test_a_strip_in_a_square():
    """TensorFlow refuses to make a side of 0 pixels; here it keeps one."""
    assert resizing.resize_padded(np.full((100, 1, 3), 9, "uint8"), (4, 4), "bilinear").sum() == 9 * 4 * 3
    assert resizing.resize_cropped(np.full((100, 1, 3), 9, "uint8"), (1, 500), "bilinear").shape == (1, 500, 3)


def test_smart_resize_of_everything():
    batch = np.random.RandomState(1).rand(2, 3, 6, 8)
    found = smart_resize(batch, (4, 3), data_format="channels_first")
    assert found.shape == (2, 3, 4, 3) and found.dtype == np.float32
    for one, expected in zip(batch, found, strict=True):
        np.testing.assert_array_equal(smart_resize(one.transpose(1, 2, 0), (4, 3)).transpose(2, 0, 1), expected)
    tensor = smart_resize(keras.ops.convert_to_tensor(batch[0].transpose(1, 2, 0)), (4, 3))
    assert keras.utils.is_keras_tensor(tensor) is False and tensor.shape == (4, 3, 3)
    assert smart_resize(np.zeros((0, 4, 4, 3)), (2, 2)).shape == (0, 2, 2, 3)
    assert smart_resize(IMAGE.astype("int16"), (2, 2), interpolation="nearest").dtype == np.int16


@pytest.mark.parametrize(("arguments", "word"), [
    ({"size": (3,)}, "`size`"), ({"size": 3}, "`size`"), ({"size": (0, 3)}, "`size`"), ({"interpolation": "box"}, "`interpolation`"),
    ({"data_format": "x"}, "`data_format`"), ({"x": np.zeros((3, 3))}, "received shape"), ({"x": keras.Input((4, 4, 3))}, "symbolic"),
])
def test_arguments(arguments, word):
    with pytest.raises(ValueError, match=word):
        smart_resize(**{"x": IMAGE, "size": (3, 3), **arguments})
    with pytest.raises(TypeError, match="sizes"):
        smart_resize(IMAGE, (3, 3), sizes=2)
