"""The loops of fit, evaluate and predict: steps, callbacks, stop flags.

Without a callback that wants every batch, the native loop runs many steps between two looks at the clock and the flags.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..callbacks import CallbackList
from .batch_feed import BatchFeed
from .feeds import Feed, warn_out_of_data

BUDGET_SECONDS = 0.05  # how long native code may run before Python looks at flags, signals and the progress bar


def run_steps(kind: str, model: Any, feed: Feed, callbacks: CallbackList, steps: int | None,
              logs: Callable[[], dict[str, Any]], per_call: int = 1, first: int = 0) -> int:
    """Run the steps of one epoch; how many of them are done then.

    steps: at most so many (None: until the data ends); per_call: steps between two batch hooks (steps_per_execution); first: how many
    were done before an interruption.
    """
    flag = {"train": "stop_training", "test": "stop_evaluating", "predict": "stop_predicting"}[kind]
    if kind != "train":
        setattr(model, flag, False)
    every_batch = callbacks.wants_batches(kind)
    callbacks.watch_input(lambda: feed.waited)
    most = steps if steps is not None else feed.num_batches
    done = first
    while (most is None or done < most) and feed.has_next():
        left = math.inf if most is None else most - done
        if every_batch:
            getattr(callbacks, f"on_{kind}_batch_begin")(done)
            ran = _advance(feed, int(min(per_call, left)))
            done += ran
            getattr(callbacks, f"on_{kind}_batch_end")(done - 1, logs())
        else:
            done += feed.advance(int(min(left, 2**31)), BUDGET_SECONDS)
            if callbacks.has_progress_bar:
                callbacks.show_progress(kind, done - 1, logs())
        if getattr(model, flag):
            return done
    if steps is not None and done < steps:
        warn_out_of_data()
    return done


def _advance(feed: Feed, steps: int) -> int:
    """Exactly so many steps, or fewer where the data ends."""
    done = 0
    while done < steps:
        ran = feed.advance(steps - done, math.inf if isinstance(feed, BatchFeed) else 1e9)
        if not ran:
            break
        done += ran
    return done
