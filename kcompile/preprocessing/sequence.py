"""keras.preprocessing.sequence: sequences of numbers."""

from ..suggest import suggest_names
from ..utils.sequences import pad_sequences

__all__ = ["pad_sequences"]


suggest_names(__name__)
