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
        self._check(batch.rows)
        return self._runner.run(batch)

    def loop(self, batch: Batch, order: Any, batch_size: int) -> Any:
        """A native loop. Raises ValueError for batches of another size."""
        self._check(batch_size)
        return self._runner.loop(batch, order, batch_size)

    def _check(self, rows: int) -> None:
        if rows != self._size:
            raise ValueError(f"the model's Input has a fixed batch size of {self._size}, but a batch of {rows} samples was given")
