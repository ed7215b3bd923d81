"""map, filter and their like: compiled functions give what eager ones give, random draws are each element's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile.compat import tf
from kcompile.data import Dataset, TensorSpec

IMAGES = np.random.default_rng(0).random((60, 6, 5, 3)).astype("float32")


def arrays(dataset: Dataset) -> list[Any]:
    return list(dataset.as_numpy_iterator())


def eagerly(function: Any) -> Any:
    """The function, in a form that cannot be traced: it looks at a value."""
    def called(x: Any) -> Any:
        assert x.numpy() is not None
        return function(x)

    return called


FUNCTIONS = {
    "arithmetic": lambda x: tf.cast(x, tf.float32) / 255.0 - 0.5,
    "normalized": lambda x: (x - tf.reduce_mean(x)) / (tf.math.reduce_std(x) + 1.0),
    "dict": lambda x: {"image": tf.image.flip_left_right(x), "mean": tf.reduce_mean(x, axis=(0, 1))},
    "random flip": tf.image.random_flip_left_right,
    "several draws": lambda x: tf.image.random_brightness(tf.image.random_contrast(x, 0.5, 1.5), 0.2),
    "noise": lambda x: x + tf.random.normal(tf.shape(x)),
    "random crop": lambda x: tf.image.random_crop(x, (4, 3, 3)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_compiled_and_eager_give_the_same(name: str) -> None:
    """The same random values, too: both take them from the function's own generator, element by element."""
    function = FUNCTIONS[name]
    results = []
    for wrapped in (function, eagerly(function)):
        keras.utils.set_random_seed(7)
        mapped = Dataset.from_tensor_slices(IMAGES).map(wrapped)
        assert (mapped._look() is not None) == (wrapped is function)  # type: ignore[attr-defined]
        results.append(arrays(mapped))
    for compiled, eager in zip(*results, strict=True):
        for a, b in zip(keras.tree.flatten(compiled), keras.tree.flatten(eager), strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-6, atol=2e-6)


def test_each_element_and_each_pass_has_draws_of_its_own() -> None:
    noise = Dataset.from_tensor_slices(np.zeros((200, 3), "float32")).map(lambda x: x + tf.random.uniform((3,)))
    first, second = np.stack(arrays(noise)), np.stack(arrays(noise))
    assert len(np.unique(first)) > 590 and not np.isin(first, second).mean() > 0.01


def test_flips_of_images_and_of_batches() -> None:
    many = np.tile(IMAGES[:1], (400, 1, 1, 1))
    flipped = np.stack(arrays(Dataset.from_tensor_slices(many).map(tf.image.random_flip_left_right)))
    of_batches = np.concatenate(arrays(Dataset.from_tensor_slices(many).batch(37).map(tf.image.random_flip_left_right)))
    for found in (flipped, of_batches):
        turned = (found == many[:, :, ::-1]).all(axis=(1, 2, 3))
        assert (turned | (found == many).all(axis=(1, 2, 3))).all() and 140 < turned.sum() < 260


def test_changes_of_order_go_before_a_function_without_changing_its_results() -> None:
    made = Dataset.from_tensor_slices((IMAGES, np.arange(60))).map(lambda x, n: (x * 2, n)).shuffle(20, seed=1).repeat(2).skip(3).batch(8)
    assert made._plan() is not None
    numbers = []
    for images, places in made.as_numpy_iterator():
        np.testing.assert_array_equal(images, IMAGES[places] * 2)
        numbers += places.tolist()
    assert len(numbers) == 117 and set(numbers) == set(range(60))


def test_a_function_of_batches_of_several_sizes_is_traced_once() -> None:
    calls = []

    def function(x: Any) -> Any:
        calls.append(x.shape)
        return tf.reduce_sum(x, axis=0), x + 1

    made = Dataset.range(10).batch(4).map(function)
    assert [total.tolist() for total, _ in arrays(made)] == [6, 22, 17] and calls == [(None,)]
    assert made.element_spec == (TensorSpec((), "int64"), TensorSpec((None,), "int64"))


def test_elements_of_several_shapes() -> None:
    rows = Dataset.from_generator(lambda: (np.arange(n) for n in (1, 2, 3, 1, 4, 5, 6, 7)), output_signature=TensorSpec((None,), "int64"))
    assert [row.tolist() for row in arrays(rows.map(lambda x: x * 2))] == [(np.arange(n) * 2).tolist() for n in (1, 2, 3, 1, 4, 5, 6, 7)]
    grids = Dataset.from_generator(lambda: (np.ones((n, n)) for n in range(1, 8)), output_signature=TensorSpec((None, None), "float64"))
    made = grids.map(lambda x: (tf.reduce_sum(x), x[0]))
    assert [float(total) for total, _ in arrays(made)] == [n * n for n in range(1, 8)]


def test_a_slow_source_is_not_waited_for() -> None:
    """An element is passed on before many others are asked for."""
    asked = []

    def slow() -> Any:
        import time
        for number in range(50):
            asked.append(number)
            time.sleep(0.011)
            yield number

    made = Dataset.from_generator(slow, output_signature=TensorSpec((), "int32")).map(lambda x: x + 1)
    for place, value in enumerate(made.as_numpy_iterator()):
        assert value == place + 1 and len(asked) <= place + 3
        if place == 20:
            break


def test_an_error_comes_where_it_belongs() -> None:
    def failing() -> Any:
        yield from range(5)
        raise OSError("no more")

    seen = []
    with pytest.raises(OSError, match="no more"):
        for value in Dataset.from_generator(failing, output_signature=TensorSpec((), "int32")).map(lambda x: x * 2).prefetch(3):
            seen.append(int(value))
    assert seen == [0, 2, 4, 6, 8]

    def wrong(x: Any) -> Any:
        if int(x) == 3:
            raise ValueError("not three")
        return x

    with pytest.raises(ValueError, match="not three") as caught:
        arrays(Dataset.range(5).map(wrong))
    assert "map(map_func)" in caught.value.__notes__[0] and __file__ in caught.value.__notes__[0]
    assert arrays(Dataset.range(5).map(wrong).ignore_errors()) == [0, 1, 2, 4]


def test_filters_of_rows() -> None:
    made = Dataset.from_tensor_slices((IMAGES, np.arange(60))).filter(lambda x, n: n % 7 == 2)
    assert made._plan() is not None and [int(n) for _, n in arrays(made)] == list(range(2, 60, 7))
    assert [int(n) for n in arrays(Dataset.range(20).map(lambda x: x * 3).filter(lambda x: x % 2 == 0))] == list(range(0, 60, 6))
    with pytest.raises(ValueError, match="scalar bool"):
        Dataset.range(3).filter(lambda x: x)


def test_text_goes_through_eagerly() -> None:
    made = Dataset.from_tensor_slices(["a", "bc"]).map(lambda text: tf.constant(len(text.numpy())))
    assert [int(n) for n in arrays(made)] == [1, 2]


def test_files_of_images(tmp_path: Any) -> None:
    pytest.importorskip("PIL")
    pixels = (IMAGES * 255).astype("uint8")
    for number in range(5):
        tf.io.write_file(str(tmp_path / f"{number}.png"), tf.image.encode_png(pixels[number]))

    def load(path: Any) -> Any:
        return tf.image.resize(tf.image.decode_png(tf.io.read_file(path), channels=3), (4, 4)) / 255.0

    found = arrays(Dataset.list_files(str(tmp_path / "*.png"), shuffle=False).map(load).map(lambda x: x * 2).batch(5))[0]
    np.testing.assert_allclose(found, np.asarray(tf.image.resize(pixels[:5], (4, 4))) / 255 * 2, rtol=1e-5)
    with pytest.raises(ValueError, match="decode_png: the 4 bytes are not a PNG image"):
        tf.io.decode_png(b"nope")
    with pytest.raises(ValueError, match=r"no file matches '.*jpg'"):
        Dataset.list_files(str(tmp_path / "*.jpg"))
