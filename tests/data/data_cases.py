"""What data sets and image functions give, as functions of `tf`: run by TensorFlow to record, by kcompile to compare.

    TF_PYTHON tests/data/record.py       (with the Python of an environment that has TensorFlow) writes tf_values.json
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Case = Callable[[Any], Any]
DATASETS: dict[str, Case] = {}
IMAGES: dict[str, Case] = {}


def dataset(function: Case) -> Case:
    DATASETS[function.__name__] = function
    return function


def described(tf: Any, made: Any, limit: int = 30) -> Any:
    """A data set as plain data: its elements, spec and cardinality."""
    return {"elements": [plain(element) for element in made.take(limit).as_numpy_iterator()], "spec": spec(made.element_spec),
            "cardinality": int(made.cardinality())}


def plain(value: Any) -> Any:
    """Tensors and arrays as lists."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(part) for part in value]
    if isinstance(value, bytes):
        return value.decode()
    array = np.asarray(value)
    return plain(array.tolist()) if array.dtype == object else array.tolist()


def spec(value: Any) -> Any:
    """TensorSpecs as [shape, dtype]."""
    if isinstance(value, dict):
        return {key: spec(part) for key, part in value.items()}
    if isinstance(value, (tuple, list)):
        return [spec(part) for part in value]
    if not hasattr(value, "dtype"):
        return "DatasetSpec"
    shape = None if value.shape is None or getattr(value.shape, "rank", 0) is None else list(value.shape)
    return [shape, getattr(value.dtype, "name", str(value.dtype))]


def flat_windows(tf: Any, *args: Any, **kwargs: Any) -> Any:
    windows = tf.data.Dataset.range(10).window(*args, **kwargs)
    return [[int(x) for x in window.as_numpy_iterator()] for window in windows]


WINDOWS = [(3,), (3, 1), (3, 2), (3, 5), (3, 1, 2), (2, 4, 3), (4, 4, 1, True), (3, 1, 2, True), (3, 2, 1, True), (12, 3), (12, 3, 1, True)]


@dataset
def windows(tf: Any) -> Any:
    return [flat_windows(tf, *arguments) for arguments in WINDOWS]


@dataset
def window_cardinalities(tf: Any) -> Any:
    return [int(tf.data.Dataset.range(10).window(*arguments).cardinality()) for arguments in WINDOWS]


@dataset
def interleaved(tf: Any) -> Any:
    def parts(x: Any) -> Any:
        return tf.data.Dataset.from_tensors(x).repeat(x + 1)

    return [[int(x) for x in tf.data.Dataset.range(6).interleave(parts, cycle_length=cycle, block_length=block).as_numpy_iterator()]
            for cycle in (1, 2, 3, 8) for block in (1, 2, 3)]


@dataset
def flat_mapped(tf: Any) -> Any:
    return described(tf, tf.data.Dataset.from_tensor_slices([[1, 2, 3], [4, 5, 6]]).flat_map(tf.data.Dataset.from_tensor_slices))


@dataset
def slices_of_a_dict(tf: Any) -> Any:
    parts = {"b": np.arange(6.0).reshape(3, 2), "a": (np.arange(3, dtype="uint8"), ["x", "y", "z"])}
    return described(tf, tf.data.Dataset.from_tensor_slices(parts))


@dataset
def python_numbers(tf: Any) -> Any:
    return described(tf, tf.data.Dataset.from_tensor_slices(([1, 2], [1.5, 2.5], [True, False], ["a", "bc"])))


@dataset
def batches(tf: Any) -> Any:
    source = tf.data.Dataset.from_tensor_slices((np.arange(10, dtype="float32").reshape(5, 2), np.arange(5)))
    return [described(tf, source.batch(2)), described(tf, source.batch(2, drop_remainder=True)), described(tf, source.batch(7, True)),
            described(tf, source.batch(2).unbatch()), described(tf, source.batch(5, True).unbatch())]


@dataset
def padded(tf: Any) -> Any:
    def rows() -> Any:
        for n in (1, 3, 2, 5, 4):
            yield np.arange(n), float(n)

    source = tf.data.Dataset.from_generator(rows, output_signature=(tf.TensorSpec((None,), "int32"), tf.TensorSpec((), "float32")))
    return [described(tf, source.padded_batch(2)), described(tf, source.padded_batch(2, drop_remainder=True)),
            described(tf, source.padded_batch(2, padded_shapes=([6], []), padding_values=(-1, 0.0)))]


@dataset
def generated(tf: Any) -> Any:
    def items() -> Any:
        yield from ((n, [n] * n) for n in range(4))

    return described(tf, tf.data.Dataset.from_generator(items, (tf.int64, tf.int64), ((), (None,))))


@dataset
def cardinalities(tf: Any) -> Any:
    source = tf.data.Dataset.range(10)
    unknown = source.filter(lambda x: x > 3)
    data = tf.data.Dataset
    made = [source.repeat(), source.repeat(3), source.repeat(0), source.repeat().take(5), source.repeat().batch(3), source.skip(4),
            source.skip(40), source.take(40), source.shard(3, 0), source.shard(3, 1), source.shard(3, 2), unknown, unknown.repeat(),
            unknown.batch(2), unknown.take(3), unknown.take(0), source.concatenate(source), source.concatenate(source.repeat()),
            source.concatenate(unknown), source.flat_map(data.from_tensors), source.take(0).repeat(), source.batch(4),
            source.batch(4, True), source.cache().prefetch(2), data.zip((source, source.repeat())), data.zip((source, unknown)),
            source.map(lambda x: x + 1), source.enumerate(), source.shuffle(4), source.batch(4).unbatch(),
            source.batch(5, True).unbatch(), source.take(-1), source.skip(-1)]
    return [int(one.cardinality()) for one in made]


@dataset
def mapped_structures(tf: Any) -> Any:
    source = tf.data.Dataset.range(4)
    return [described(tf, source.map(function)) for function in (
        lambda x: {"double": x * 2, "half": tf.cast(x, tf.float32) / 2}, lambda x: (x, (x + 1, 2.5)), lambda x: [x, x * x],
        lambda x: x > 1)]


@dataset
def mapped_batches(tf: Any) -> Any:
    source = tf.data.Dataset.from_tensor_slices((np.arange(12, dtype="float32").reshape(6, 2), np.arange(6, dtype="int32"))).batch(4)
    return described(tf, source.map(lambda x, y: (x - tf.reduce_mean(x, axis=0), tf.one_hot(y, 6), tf.shape(x)[0])))


@dataset
def enumerated_and_zipped(tf: Any) -> Any:
    a, b = tf.data.Dataset.range(3), tf.data.Dataset.from_tensor_slices({"x": [1.0, 2.0]})
    return [described(tf, a.enumerate(5)), described(tf, tf.data.Dataset.zip((a, (b, a)))),
            described(tf, tf.data.Dataset.zip({"p": a, "q": b}))]


@dataset
def reduced_and_scanned(tf: Any) -> Any:
    source = tf.data.Dataset.range(5)
    return [plain(source.reduce(np.int64(0), lambda state, x: state + x)),
            plain(source.reduce((np.int64(0), np.int64(1)), lambda state, x: (state[0] + x, state[1] * (x + 1)))),
            described(tf, source.scan(np.int64(0), lambda state, x: (state + x, state * 10)))]


@dataset
def chosen(tf: Any) -> Any:
    parts = [tf.data.Dataset.from_tensors(n).repeat(2) for n in range(3)]
    choice = tf.data.Dataset.from_tensor_slices(np.array([0, 1, 2, 0, 1, 0, 2], "int64"))
    return [[int(x) for x in tf.data.Dataset.choose_from_datasets(parts, choice, stop).as_numpy_iterator()] for stop in (True, False)]


@dataset
def picked(tf: Any) -> Any:
    source = tf.data.Dataset.range(12)
    made = [source.filter(lambda x: x % 3 == 0), source.take_while(lambda x: x < 4), source.shard(3, 1), source.skip(3).take(4).repeat(2),
            source.concatenate(tf.data.Dataset.range(2)), source.map(lambda x: x // 4).unique(), source.batch(5).rebatch(3)]
    return [[plain(x) for x in one.as_numpy_iterator()] for one in made]


def image(shape: tuple[int, ...], dtype: str = "float32") -> Any:
    """Always the same pixels."""
    generator = np.random.default_rng(math.prod(shape))
    if dtype == "float32":
        return generator.random(shape, dtype=np.float32)
    return generator.integers(0, 256, shape).astype(dtype)


def _image_cases() -> None:
    small, one, grey, batch = image((5, 7, 3)), image((6, 4, 3), "uint8"), image((4, 6, 1)), image((2, 5, 4, 3))
    for title, size in (("up", (9, 11)), ("down", (3, 2)), ("mixed", (8, 3))):
        for method in ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic"):
            IMAGES[f"resize {method} {title}"] = lambda tf, size=size, method=method: tf.image.resize(small, size, method=method)
            IMAGES[f"resize {method} {title} antialias"] = lambda tf, size=size, method=method: tf.image.resize(
                small, size, method=method, antialias=True)
    IMAGES.update({
        "resize batch": lambda tf: tf.image.resize(batch, (7, 7)),
        "resize uint8": lambda tf: tf.image.resize(one, (3, 8)),
        "resize nearest uint8": lambda tf: tf.image.resize(one, (13, 3), method="nearest"),
        "resize aspect": lambda tf: tf.image.resize(small, (20, 20), preserve_aspect_ratio=True),
        "resize_with_pad": lambda tf: tf.image.resize_with_pad(small, 9, 9),
        "resize_with_pad wide": lambda tf: tf.image.resize_with_pad(small, 4, 20),
        "resize_with_crop_or_pad": lambda tf: tf.image.resize_with_crop_or_pad(small, 8, 4),
        "resize_with_crop_or_pad odd": lambda tf: tf.image.resize_with_crop_or_pad(batch, 2, 7),
        "central_crop": lambda tf: tf.image.central_crop(small, 0.5),
        "central_crop most": lambda tf: tf.image.central_crop(one, 0.87),
        "central_crop batch": lambda tf: tf.image.central_crop(batch, 0.4),
        "crop_to_bounding_box": lambda tf: tf.image.crop_to_bounding_box(small, 1, 2, 3, 4),
        "pad_to_bounding_box": lambda tf: tf.image.pad_to_bounding_box(one, 1, 2, 9, 8),
        "flips": lambda tf: tf.image.flip_left_right(tf.image.flip_up_down(batch)),
        "transpose": lambda tf: tf.image.transpose(batch),
        "adjust_brightness": lambda tf: tf.image.adjust_brightness(small, 0.3),
        "adjust_brightness uint8": lambda tf: tf.image.adjust_brightness(one, -0.2),
        "adjust_contrast": lambda tf: tf.image.adjust_contrast(batch, 1.7),
        "adjust_contrast uint8": lambda tf: tf.image.adjust_contrast(one, 2.5),
        "adjust_gamma": lambda tf: tf.image.adjust_gamma(small, 0.7, 1.1),
        "adjust_gamma uint8": lambda tf: tf.image.adjust_gamma(one, 2.0),
        "adjust_hue": lambda tf: tf.image.adjust_hue(small, 0.2),
        "adjust_hue back": lambda tf: tf.image.adjust_hue(batch, -0.4),
        "adjust_hue uint8": lambda tf: tf.image.adjust_hue(one, 0.1),
        "adjust_saturation": lambda tf: tf.image.adjust_saturation(small, 1.5),
        "adjust_saturation uint8": lambda tf: tf.image.adjust_saturation(one, 0.3),
        "rgb_to_hsv": lambda tf: tf.image.rgb_to_hsv(np.concatenate([small, small[:1] * 0, small[:1] * 0 + 1])),
        "hsv_to_rgb": lambda tf: tf.image.hsv_to_rgb(small),
        "rgb_to_grayscale": lambda tf: tf.image.rgb_to_grayscale(batch),
        "rgb_to_grayscale uint8": lambda tf: tf.image.rgb_to_grayscale(one),
        "grayscale_to_rgb": lambda tf: tf.image.grayscale_to_rgb(tf.constant(grey)),
        "per_image_standardization": lambda tf: tf.image.per_image_standardization(batch),
        "per_image_standardization uint8": lambda tf: tf.image.per_image_standardization(one),
        "per_image_standardization flat": lambda tf: tf.image.per_image_standardization(np.full((3, 3, 1), 7.0, "float32")),
    })
    for turns in range(5):
        IMAGES[f"rot90 {turns}"] = lambda tf, turns=turns: tf.image.rot90(small, turns)
    for source, dtypes in (("uint8", ("float32", "int32", "uint16", "uint8")), ("float32", ("uint8", "uint16", "float16")),
                           ("uint16", ("uint8", "float32"))):
        for wanted in dtypes:
            for saturate in (False, True):
                pixels = image((4, 4, 3), source) if source != "uint16" else (image((4, 4, 3), "uint16") * 200).astype("uint16")
                IMAGES[f"convert {source} {wanted} {saturate}"] = lambda tf, pixels=pixels, wanted=wanted, saturate=saturate: \
                    tf.image.convert_image_dtype(pixels, wanted, saturate=saturate)


_image_cases()
