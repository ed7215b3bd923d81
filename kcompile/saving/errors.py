"""Owns the error for files that are damaged, hostile, or of a kind that is not read."""

from __future__ import annotations

_LONGEST = 8000  # what a damaged file says of itself may be much longer


class ModelFileError(ValueError):
    """A model file cannot be read; the message says which file, what is wrong with it and where."""

    def __init__(self, message: str) -> None:
        super().__init__(message if len(message) <= _LONGEST else f"{message[:_LONGEST]} ... ({len(message)} characters)")
