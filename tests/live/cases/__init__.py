"""The table of cases: importing this package enters every family in `CASES`."""
from importlib import import_module

from ..spec import CASES

FAMILIES = ["dense", "activations", "convolution", "pooling", "shapes", "normalization", "merging", "embedding", "losses", "optimizers",
            "schedules", "metrics", "outputs", "fitting"]

for family in FAMILIES:
    import_module(f".{family}", __name__)

__all__ = ["CASES", "FAMILIES"]
