"""Owns the error for files that are damaged, hostile, or of a kind that is not read."""

from __future__ import annotations


class ModelFileError(ValueError):
    """A model file cannot be read; the message says which file, what is wrong with it and where."""
