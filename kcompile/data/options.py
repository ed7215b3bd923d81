"""Options of data sets: names that programs set. Order and results here never depend on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .dataset import Dataset
from .elements import Element
from .rows import RowPlan

_GROUPS = ("autotune", "distribute", "experimental_distribute", "experimental_optimization", "experimental_threading",
           "experimental_warm_start", "threading")


class Group:
    """A group of options, such as `options.threading`."""

    def __repr__(self) -> str:
        return f"Group({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


class Options:
    """What `with_options` takes: `deterministic`, `threading.private_threadpool_size` and so on may be set and read back."""

    deterministic: bool | None = None
    experimental_deterministic: bool | None = None
    experimental_slack: bool | None = None

    def __init__(self) -> None:
        for name in _GROUPS:
            setattr(self, name, Group())

    def merge(self, options: Options) -> Options:
        """Those of `self`, then those that `options` sets."""
        merged = Options()
        for source in (self, options):
            for name, value in vars(source).items():
                if isinstance(value, Group):
                    vars(getattr(merged, name)).update(vars(value))
                else:
                    setattr(merged, name, value)
        return merged


class WithOptions(Dataset):
    """A data set with options."""

    def __init__(self, source: Dataset, options: Options) -> None:
        if not isinstance(options, Options):
            raise TypeError(f"with_options() takes kcompile.data.Options, received {type(options).__name__}")
        self.source, self._options = source, options

    def _iterate(self) -> Iterator[Element]:
        return self.source._elements()

    def _plan(self) -> RowPlan | None:
        return self.source._plan()

    def options(self) -> Any:
        return self.source.options().merge(self._options)
