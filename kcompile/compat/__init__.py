"""Runs programs written for TensorFlow's Keras: `import tensorflow` and `import keras` resolve to kcompile.

    >>> import kcompile
    >>> kcompile.as_tensorflow()        # in a notebook; `python -m kcompile run program.py` does the same
    >>> import tensorflow as tf         # no TensorFlow is installed, or a real one is shadowed
"""

from .importer import as_tensorflow
from .runner import run_program

__all__ = ["as_tensorflow", "run_program"]
