"""Images and texts in folders as data sets: which files, in which order, with which labels; and every mistake named."""

import os

import numpy as np
import pytest

import kcompile as keras
from kcompile.utils import image_dataset_from_directory, text_dataset_from_directory

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def images(tmp_path):
    """Three classes; every image of one colour, 10 times its number, so that its pixels say which it is."""
    root = tmp_path / "images"
    for number, name in enumerate(("b/1.png", "b/0.PNG", "a/x.bmp", "a/inner/y.gif", "c/z.jpg", "c/w.jpeg")):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (5 + number, 7), (10 * number,) * 3).save(path, quality=95) if "jp" in name else \
            Image.new("RGB", (5 + number, 7), (10 * number,) * 3).save(path)
    (root / "a" / "note.md").write_text("not an image")
    (root / ".hidden").mkdir()
    return root


@pytest.fixture
def texts(tmp_path):
    root = tmp_path / "texts"
    for name in ("neg", "pos"):
        (root / name).mkdir(parents=True)
        for number in range(7):
            (root / name / f"{number}.txt").write_text(f"{name} tëxt {number}", encoding="utf-8")
    (root / "pos" / "x.csv").write_text("no")
    return root


def seen(dataset):
    """(the number of each image, its label) in order."""
    found = []
    for batch in dataset.as_numpy_iterator():
        pixels, labels = batch if isinstance(batch, tuple) else (batch, [None] * len(batch))
        found += [(round(float(image.mean()) / 10), None if label is None else np.asarray(label).tolist())
                  for image, label in zip(pixels, labels, strict=True)]
    return found


# in the order of Keras 3.15: by class, then by folder, then by name
IN_ORDER = [(2, 0), (3, 0), (1, 1), (0, 1), (5, 2), (4, 2)]


def load(images, **arguments):
    return image_dataset_from_directory(images, **{"shuffle": False, "image_size": (4, 3), "batch_size": 4, **arguments})


def test_plain(images, capsys):
    dataset = load(images)
    assert capsys.readouterr().out == "Found 6 files belonging to 3 classes.\n"
    numbers = [number for number, _ in seen(dataset)]
    assert [label for _, label in seen(dataset)] == [0, 0, 1, 1, 2, 2]
    assert dataset.class_names == ["a", "b", "c"]
    assert [os.path.relpath(path, images) for path in dataset.file_paths] == ["a/x.bmp", "a/inner/y.gif", "b/0.PNG", "b/1.png", "c/w.jpeg",
                                                                              "c/z.jpg"]
    assert numbers == [2, 3, 1, 0, 5, 4]
    assert str(dataset.element_spec) == ("(TensorSpec(shape=(None, 4, 3, 3), dtype=tf.float32, name=None), "
                                         "TensorSpec(shape=(None,), dtype=tf.int32, name=None))")
    assert [tuple(batch[0].shape) for batch in dataset] == [(4, 4, 3, 3), (2, 4, 3, 3)] and len(dataset) == 2


def test_labels(images):
    assert [label for _, label in seen(load(images, label_mode="categorical"))][2] == [0.0, 1.0, 0.0]
    assert seen(load(images, class_names=["c", "a"])) == [(5, 0), (4, 0), (2, 1), (3, 1)]
    binary = load(images, class_names=["c", "a"], label_mode="binary")
    assert seen(binary) == [(5, [0.0]), (4, [0.0]), (2, [1.0]), (3, [1.0])] and binary.element_spec[1].dtype == "float32"
    assert seen(load(images, labels=None)) == seen(load(images, label_mode=None)) == [(number, None) for number, _ in IN_ORDER]
    assert load(images, labels=None).class_names is None
    own = load(images, labels=[5, 4, 3, 2, 1, 0])
    assert seen(own) == [(2, 5), (3, 4), (1, 3), (0, 2), (5, 1), (4, 0)] and own.class_names == ["0", "1", "2", "3", "4", "5"]


def test_shapes(images):
    assert next(iter(load(images, color_mode="grayscale")))[0].shape == (4, 4, 3, 1)
    rgba = next(iter(load(images, color_mode="rgba")))[0].numpy()
    assert rgba.shape == (4, 4, 3, 4) and (rgba[..., 3] == 255).all()
    assert next(iter(load(images, data_format="channels_first")))[0].shape == (4, 3, 4, 3)
    nearest = next(iter(load(images, interpolation="nearest")))[0]
    assert nearest.dtype == "uint8"
    one, label = next(iter(load(images, batch_size=None, image_size=9)))
    assert one.shape == (9, 9, 3) and label.shape == ()
    padded = next(iter(load(images, pad_to_aspect_ratio=True, image_size=(7, 14), batch_size=None)))[0].numpy()
    assert (padded[:, :3] == 0).all() and (padded[:, 4:10] == 20).all()
    assert next(iter(load(images, crop_to_aspect_ratio=True)))[0].shape == (4, 4, 3, 3)


def test_orders(images):
    """The order of the paths is Keras's for the seed; each pass over the data set has another one, the same in every run."""
    first, again = (load(images, shuffle=True, seed=3) for _ in range(2))
    assert [os.path.relpath(path, images) for path in first.file_paths] == ORDER_OF_SEED_3
    passes = [seen(first) for _ in range(3)]
    assert sorted(passes[0]) == sorted(IN_ORDER) and passes == [seen(again) for _ in range(3)] and passes[0] != passes[1]
    np.random.seed(0)
    unseeded = load(images, shuffle=True).file_paths
    np.random.seed(0)
    assert load(images, shuffle=True).file_paths == unseeded


ORDER_OF_SEED_3 = ["b/1.png", "c/z.jpg", "c/w.jpeg", "a/inner/y.gif", "a/x.bmp", "b/0.PNG"]


def test_subsets(images, capsys):
    arguments = {"validation_split": 0.4, "seed": 1, "shuffle": True}
    train, held = load(images, subset="training", **arguments), load(images, subset="validation", **arguments)
    assert len(train.file_paths) == 4 and len(held.file_paths) == 2 and not set(train.file_paths) & set(held.file_paths)
    both = load(images, subset="both", **arguments)
    assert [part.file_paths for part in both] == [train.file_paths, held.file_paths]
    assert seen(both[1]) == seen(both[1])  # what validates is not shuffled
    shown = capsys.readouterr().out
    assert "Using 4 files for training.\n" in shown and "Using 2 files for validation.\n" in shown
    load(images, subset="both", verbose=False, **arguments)
    assert capsys.readouterr().out == ""


def test_links(images, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    Image.new("RGB", (3, 3)).save(tmp_path / "elsewhere" / "l.png")
    (images / "a" / "link").symlink_to(tmp_path / "elsewhere")
    assert len(load(images).file_paths) == 6 and len(load(images, follow_links=True).file_paths) == 7


def test_fit(images):
    model = keras.Sequential([keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(load(images, shuffle=True, seed=1), epochs=2, verbose=0)
    assert len(history.history["loss"]) == 2 and np.isfinite(history.history["loss"]).all()
    assert model.predict(load(images, labels=None), verbose=0).shape == (6, 3)


def test_texts(texts):
    dataset = text_dataset_from_directory(texts, shuffle=False, batch_size=4)
    batches = list(dataset.as_numpy_iterator())
    assert [len(batch[0]) for batch in batches] == [4, 4, 4, 2]
    assert [text.decode() for batch in batches for text in batch[0]] == [f"{name} tëxt {n}" for name in ("neg", "pos") for n in range(7)]
    assert [int(label) for batch in batches for label in batch[1]] == [0] * 7 + [1] * 7 and dataset.class_names == ["neg", "pos"]
    assert dataset.element_spec[0].dtype == "string"
    short = text_dataset_from_directory(texts, shuffle=False, max_length=5, label_mode=None, batch_size=None)
    assert next(short.as_numpy_iterator()) == b"neg t" and len(short) == 14
    train, held = text_dataset_from_directory(texts, validation_split=0.3, subset="both", seed=1)
    assert len(train.file_paths) == 10 and len(held.file_paths) == 4


def test_texts_of_a_folder_without_classes(texts):
    dataset = text_dataset_from_directory(texts / "pos", labels=None, shuffle=False)
    assert [len(batch) for batch in dataset] == [7]


@pytest.mark.parametrize(("arguments", "word"), [
    ({"labels": "x"}, "`labels`"), ({"labels": 3}, "`labels`"), ({"labels": [1, 2]}, "`labels` has 2 entries, but 6 images"),
    ({"labels": ["a"] * 6}, "`labels` must be whole numbers"), ({"labels": [1, 2, 3, 4, 5, 9], "label_mode": "categorical"}, "0 ... 5"),
    ({"label_mode": "x"}, "`label_mode`"), ({"label_mode": "binary"}, "exactly 2 classes, here are 3: a, b, c"),
    ({"class_names": ["a", "d"]}, "`class_names` names 'd'"), ({"class_names": "abc"}, "`class_names` must be a list"),
    ({"class_names": ["a", "a"]}, "names a class twice"), ({"class_names": ["a"], "labels": None}, "`class_names` can only"),
    ({"color_mode": "hsv"}, "`color_mode`"), ({"image_size": (0, 1)}, "`image_size`"), ({"image_size": 2.5}, "`image_size`"),
    ({"interpolation": "x"}, "`interpolation`"), ({"interpolation": None}, "`interpolation`"), ({"batch_size": 0}, "`batch_size`"),
    ({"batch_size": 2.5}, "`batch_size`"), ({"seed": -1}, "`seed`"), ({"validation_split": 0.5}, "`subset` must be given"),
    ({"subset": "training"}, "`validation_split` must be given"), ({"validation_split": 2, "subset": "both"}, "`validation_split`"),
    ({"validation_split": 0.5, "subset": "test"}, "`subset`"), ({"validation_split": 0.5, "subset": "both", "shuffle": True}, "`seed`"),
    ({"validation_split": 0.01, "subset": "both"}, "leaves none for validation"), ({"format": "grain"}, "`format`"),
    ({"data_format": "x"}, "`data_format`"), ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "`pad_to_aspect_ratio`"),
])
def test_arguments(images, arguments, word):
    with pytest.raises(ValueError, match=word):
        load(images, **arguments)


def test_directories_that_are_none(images, tmp_path):
    with pytest.raises(NotADirectoryError, match=r"`directory` '.*nothing' does not exist"):
        load(tmp_path / "nothing")
    with pytest.raises(NotADirectoryError, match=r"note\.md' is a file, not a directory"):
        load(images / "a" / "note.md")
    with pytest.raises(TypeError, match="`directory` must be a path, received int"):
        load(3)
    with pytest.raises(ValueError, match=r"no images found in `directory` .* end in \.bmp, \.gif, \.jpeg, \.jpg, \.png"):
        load(images / ".hidden", labels=None)
    with pytest.raises(ValueError, match="`labels='inferred'` needs one subdirectory for each class"):
        load(images / "c")
    with pytest.raises(ValueError, match="no text files found"):
        text_dataset_from_directory(images)
    with pytest.raises(ValueError, match="`max_length`"):
        text_dataset_from_directory(images, max_length=-1)


def test_a_file_that_is_no_image(images):
    (images / "b" / "2.png").write_text("no image")
    with pytest.raises(OSError, match=r"b/2\.png is not an image of the formats BMP, GIF, JPEG, PNG, WEBP"):
        list(load(images))
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(OSError, match=r"b/2\.png is not an image"):
        model.fit(load(images), verbose=0)
