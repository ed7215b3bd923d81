"""keras.legacy: names that Keras keeps for programs written for its second version."""

from . import saving

__all__ = ["saving"]
