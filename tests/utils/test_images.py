"""load_img, img_to_array, array_to_img, save_img: what Keras makes of the same files and arrays, and errors that name the mistake."""

import io
import sys

import numpy as np
import pytest

import kcompile as keras
from kcompile.utils import array_to_img, img_to_array, load_img, save_img

Image = pytest.importorskip("PIL.Image")
PIXELS = np.arange(4 * 6 * 3, dtype="uint8").reshape(4, 6, 3)


@pytest.fixture
def file(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_ways_to_name_a_file(file):
    for path in (file, str(file), bytes(file), io.BytesIO(file.read_bytes())):
        np.testing.assert_array_equal(np.asarray(load_img(path)), PIXELS)


def test_colour_modes(file, tmp_path):
    assert [load_img(file, color_mode=mode).mode for mode in ("rgb", "rgba", "grayscale")] == ["RGB", "RGBA", "L"]
    Image.fromarray(np.full((2, 2), 40_000, "uint16")).save(tmp_path / "deep.png")
    deep = img_to_array(load_img(tmp_path / "deep.png", color_mode="grayscale"))
    assert deep.shape == (2, 2, 1) and (deep == 40_000).all()


def test_target_size(file):
    assert np.asarray(load_img(file, target_size=(2, 3))).tolist() == PIXELS[1::2, 1::2].tolist()
    assert load_img(file, target_size=(8, 8), keep_aspect_ratio=True, interpolation="bicubic").size == (8, 8)
    cut = np.asarray(load_img(file, target_size=(4, 4), keep_aspect_ratio=True))
    np.testing.assert_array_equal(cut, PIXELS[:, 1:5])
    for interpolation in ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos"):
        assert load_img(file, target_size=(3, 5), interpolation=interpolation).size == (5, 3)


def test_to_array_and_back(file):
    array = img_to_array(load_img(file))
    assert array.dtype == np.float32 and array.shape == (4, 6, 3)
    assert img_to_array(load_img(file), dtype="uint8").dtype == np.uint8
    first = img_to_array(load_img(file), data_format="channels_first")
    np.testing.assert_array_equal(first, PIXELS.transpose(2, 0, 1))
    assert img_to_array(load_img(file, color_mode="grayscale"), data_format="channels_first").shape == (1, 4, 6)
    np.testing.assert_array_equal(np.asarray(array_to_img(array, scale=False)), PIXELS)
    np.testing.assert_array_equal(np.asarray(array_to_img(first, "channels_first", scale=False)), PIXELS)
    spread = np.asarray(array_to_img(array))
    assert spread.min() == 0 and spread.max() == 255
    assert [array_to_img(np.ones((2, 2, channels))).mode for channels in (1, 3, 4)] == ["L", "RGB", "RGBA"]
    assert array_to_img(np.full((2, 2, 1), 1000.0), scale=False).mode == "I"
    assert np.asarray(array_to_img(np.full((2, 2, 3), 7.0))).max() == 0  # a plain image has nothing to spread
    assert array_to_img(keras.ops.ones((2, 2, 3))).size == (2, 2)


def test_saving(tmp_path):
    save_img(tmp_path / "b.png", PIXELS, scale=False)
    np.testing.assert_array_equal(np.asarray(load_img(tmp_path / "b.png")), PIXELS)
    with pytest.warns(UserWarning, match="RGBA"):
        save_img(str(tmp_path / "b.JPG"), np.ones((3, 3, 4)))
    assert Image.open(tmp_path / "b.JPG").format == "JPEG"
    file = io.BytesIO()
    save_img(file, PIXELS, file_format="bmp")
    assert load_img(io.BytesIO(file.getvalue())).size == (6, 4)
    save_img(tmp_path / "c", PIXELS.transpose(2, 0, 1), data_format="channels_first", file_format="png", scale=False)
    np.testing.assert_array_equal(np.asarray(load_img(tmp_path / "c")), PIXELS)


@pytest.mark.parametrize(("arguments", "word"), [
    ({"color_mode": "hsv"}, "`color_mode`"), ({"target_size": 3.5}, "`target_size`"), ({"target_size": (0, 4)}, "`target_size`"),
    ({"target_size": (1, 2, 3)}, "`target_size`"), ({"interpolation": "magic"}, "`interpolation`"),
])
def test_load_img_arguments(file, arguments, word):
    with pytest.raises(ValueError, match=word):
        load_img(file, **arguments)


def test_files_that_are_none(file, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.png"):
        load_img(tmp_path / "nothing.png")
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(OSError, match=r"text\.png is not an image"):
        load_img(tmp_path / "text.png")
    (tmp_path / "cut.png").write_bytes(file.read_bytes()[:45])
    with pytest.raises(OSError, match=r"cut\.png cannot be read as an image"):
        load_img(tmp_path / "cut.png")
    with pytest.raises(OSError, match="the file in memory is not an image"):
        load_img(io.BytesIO(b"no"))
    with pytest.raises(TypeError, match="`path`"):
        load_img(3)


@pytest.mark.parametrize(("call", "word"), [
    (lambda: array_to_img(np.zeros((2, 2))), "rank 3"), (lambda: array_to_img(np.zeros((2, 2, 5))), "1, 3 or 4 channels"),
    (lambda: array_to_img(np.zeros((0, 2, 3))), "channels"), (lambda: img_to_array(np.zeros(3)), "rank 2 or 3"),
    (lambda: img_to_array(np.zeros((2, 2)), data_format="x"), "data_format"),
    (lambda: save_img("/tmp/x.abc", PIXELS), "`file_format` 'abc'"), (lambda: save_img("/tmp/x", PIXELS), "`file_format` ''"),
    (lambda: save_img(io.BytesIO(), PIXELS), "`file_format`"),
])
def test_arrays_that_are_no_images(call, word):
    with pytest.raises(ValueError, match=word):
        call()


def test_without_pillow(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"load_img needs Pillow, which is not installed: pip install 'kcompile\[images\]'"):
        load_img("x")
    with pytest.raises(ImportError, match="image_dataset_from_directory needs Pillow"):
        keras.utils.image_dataset_from_directory("/")
