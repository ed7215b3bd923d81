"""Writes tf_values.json: what TensorFlow gives for each case of data_cases.py. To be run with the Python of its environment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tensorflow as tf
from data_cases import DATASETS, IMAGES

HERE = Path(__file__).resolve().parent


def recorded(array: Any) -> dict[str, Any]:
    """An array with seven digits of its floats."""
    values = [x if isinstance(x, int) else float(f"{x:.7g}") for x in array.ravel().tolist()]
    return {"dtype": str(array.dtype), "shape": list(array.shape), "values": values}


def main() -> None:
    images = {name: recorded(case(tf).numpy()) for name, case in IMAGES.items()}
    values = {"tensorflow": tf.__version__, "datasets": {name: case(tf) for name, case in DATASETS.items()}, "images": images}
    (HERE / "tf_values.json").write_text(json.dumps(values, separators=(",", ":"), sort_keys=True).replace('"],"', '"],\n"') + "\n")
    print(f"{len(DATASETS)} cases of data sets, {len(IMAGES)} of images, TensorFlow {tf.__version__}")


if __name__ == "__main__":
    main()
