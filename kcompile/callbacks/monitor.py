"""Is one number of the logs better than another? Shared by the callbacks that watch a result."""

from __future__ import annotations

from typing import Any

from ..common.users_code import warn


class Monitor:
    """Watches one name of the logs.

    mode: 'min', 'max', or 'auto': losses are minimized, metrics as they say themselves. Raises ValueError when that is not known.
    """

    def __init__(self, name: str, mode: str, min_delta: float, owner: str) -> None:
        if mode not in ("auto", "min", "max"):
            warn(f"{owner} mode '{mode}' is unknown, fallback to auto mode.")
            mode = "auto"
        self.name, self.mode, self.min_delta, self.owner = name, mode, abs(min_delta), owner
        self._sign: float | None = {"min": -1.0, "max": 1.0, "auto": None}[mode]

    def resolve(self, model: Any) -> None:
        """Settle 'auto' by the metrics of the model."""
        if self._sign is None:
            self._sign = 1.0 if _direction(self.name, model, self.owner) == "up" else -1.0

    @property
    def worst(self) -> float:
        return -float("inf") if self._sign == 1.0 else float("inf")

    def improved(self, value: float, reference: float | None) -> bool:
        """Whether `value` is better than `reference` by more than min_delta; anything is better than None."""
        if reference is None:
            return True
        assert self._sign is not None
        return self._sign * value - self.min_delta > self._sign * reference

    def value(self, logs: dict[str, Any] | None, missing: str) -> float | None:
        """The watched number, or None with a warning that begins with `missing`."""
        found = (logs or {}).get(self.name)
        if found is None:
            warn(f"{missing} conditioned on metric `{self.name}` which is not available. Available metrics are: {','.join(logs or {})}")
        return found


def _direction(name: str, model: Any, owner: str) -> str:
    plain = name.removeprefix("val_")
    if plain == "loss" or plain.endswith("_loss"):
        return "down"
    for metric in model.metrics:
        for inner in getattr(metric, "metrics", None) or [metric]:
            if plain == inner.name or plain.endswith(f"_{inner.name}"):
                direction = getattr(inner, "_direction", None)
                if direction is not None:
                    return str(direction)
    raise ValueError(f"{owner} callback received monitor={name}, but it is not known whether that metric should be maximized or "
                     "minimized. Pass `mode='max'` in order to maximize it, or `mode='min'` in order to minimize it.")
