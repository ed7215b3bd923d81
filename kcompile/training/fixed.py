"""Batches that come from a generator, for a model whose Input fixes the batch size."""

from __future__ import annotations

from typing import Any

from .data import Batch


class FixedRunner:
    """A runner that refuses batches of another size."""

    def __init__(self, runner: Any, size: int) -> None:
        self._runner, self._size = runner, size

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runner, name)

    def run(self, batch: Batch) -> Any:
        """One step. Raises ValueError for a batch of another size."""
        if batch.rows != self._size:
            raise ValueError(f"the model's Input has a fixed batch size of {self._size}, but a batch of {batch.rows} samples was given")
        return self._runner.run(batch)
