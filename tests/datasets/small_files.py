"""Small files in the formats of the real data sets, the same in every run; written as Keras's files were, pickles of Python 2 included."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np


def write_all(folder: Path) -> None:
    """Every file that a data set reads, by its canonical name."""
    rng = np.random.RandomState(0)
    np.savez(folder / "mnist.npz", x_train=pixels(rng, 6, 28, 28), y_train=labels(rng, 6), x_test=pixels(rng, 3, 28, 28),
             y_test=labels(rng, 3))
    np.savez(folder / "boston_housing.npz", x=rng.rand(11, 13), y=np.arange(11.0))
    np.savez(folder / "california_housing.npz", x=rng.rand(700, 8).astype("float32"), y=np.arange(700, dtype="float32"))
    write_pickled_npz(folder / "imdb.npz", {"x_train": texts(rng, 9), "y_train": labels(rng, 9, "int64"), "x_test": texts(rng, 7),
                                            "y_test": labels(rng, 7, "int64")})
    write_pickled_npz(folder / "reuters.npz", {"x": texts(rng, 12), "y": labels(rng, 12, "int64")})
    for name in ("imdb", "reuters"):
        (folder / f"{name}_word_index.json").write_text(json.dumps({"the": 1, "naïve": 2, f"of {name}": 3}), encoding="utf-8")
    for part, count in (("train", 5), ("t10k", 2)):
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", pixels(rng, count, 28, 28))
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", labels(rng, count))
    write_tar(folder / "cifar-10-python.tar.gz", {
        "cifar-10-batches-py/batches.meta": pickle.dumps({b"num_vis": 3072}, 2),
        **{f"cifar-10-batches-py/{name}": cifar_batch(rng, 4, ("labels",))
           for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")}})
    write_tar(folder / "cifar-100-python.tar.gz", {
        f"cifar-100-python/{name}": cifar_batch(rng, count, ("fine_labels", "coarse_labels"))
        for name, count in (("train", 6), ("test", 3))})


def pixels(rng: np.random.RandomState, *shape: int) -> np.ndarray:
    return rng.randint(0, 256, shape).astype("uint8")


def labels(rng: np.random.RandomState, count: int, dtype: str = "uint8") -> np.ndarray:
    return rng.randint(0, 10, count).astype(dtype)


def texts(rng: np.random.RandomState, count: int) -> np.ndarray:
    """Lists of 3, 4, ... word numbers, the same word numbers often."""
    found = np.empty(count, object)
    found[:] = [rng.randint(1, 30, 3 + number).tolist() for number in range(count)]
    return found


def write_pickled_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """An .npz file whose arrays of lists are pickled as old versions of numpy did."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            file = io.BytesIO()
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
            content = as_old_numpy(pickle.dumps(array, 3)) if array.dtype == object else array.tobytes()
            archive.writestr(f"{name}.npy", file.getvalue() + content)


def as_old_numpy(pickled: bytes) -> bytes:
    return pickled.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def cifar_batch(rng: np.random.RandomState, count: int, keys: tuple[str, ...]) -> bytes:
    """A batch as Python 2 pickled it: strings of bytes, an array that is built from one."""
    data = pixels(rng, count, 3072)
    content = data.tobytes()
    parts = [b"\x80\x02}q\x01(", py2_text(b"batch_label"), py2_text(b"testing batch 1 of 1"), py2_text(b"data"),
             b"cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\x00\x85U\x01b\x87Rq\x04(K\x01",
             pickle.dumps(data.shape, 2)[2:-1], b"cnumpy\ndtype\nq\x05U\x02u1K\x00K\x01\x87Rq\x06(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff",
             b"\xff\xffK\x00tb\x89T", len(content).to_bytes(4, "little"), content, b"tb"]
    for key in keys:
        parts += [py2_text(key.encode()), pickle.dumps(rng.randint(0, 20, count).tolist(), 2)[2:-1]]
    return b"".join([*parts, b"u."])


def py2_text(text: bytes) -> bytes:
    return b"U" + bytes([len(text)]) + text


def write_idx(path: Path, array: np.ndarray) -> None:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes(), mtime=0))


def write_tar(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
