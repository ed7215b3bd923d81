"""Owns the error for files that are damaged, hostile, or of a kind that is not read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..common.users_code import warn

_LONGEST = 8000  # what a damaged file says of itself may be much longer


class ModelFileError(ValueError):
    """A model file cannot be read; the message says which file, what is wrong with it and where."""

    def __init__(self, message: str) -> None:
        super().__init__(message if len(message) <= _LONGEST else f"{message[:_LONGEST]} ... ({len(message)} characters)")


def tell_misfits(model: Any, what: str, problems: Sequence[str], skip_mismatch: bool) -> None:
    """Where layers of a file do not fit a model: ModelFileError, or for each a warning that it was skipped."""
    if problems and not skip_mismatch:
        raise ModelFileError(f"{what} does not fit model '{model.name}':\n  " + "\n  ".join(problems))
    for problem in problems:
        warn(f"{what}: {problem}; skipped")
