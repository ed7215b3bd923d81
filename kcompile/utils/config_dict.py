"""Config: named settings as attributes, which can be frozen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any


class Config:
    """Named settings, reached as attributes or as items: `Config(rate=0.1).rate`, `config["rate"]`.

    After `freeze()` every change is a ValueError, until `unfreeze()`. A name that is not there is an AttributeError (KeyError for items).
    """

    def __init__(self, **kwargs: Any) -> None:
        object.__setattr__(self, "_config", kwargs)
        object.__setattr__(self, "_frozen", False)

    @property
    def frozen(self) -> bool:
        """Whether changes are refused."""
        return bool(self._frozen)

    def freeze(self) -> None:
        """From now on refuse every change."""
        object.__setattr__(self, "_frozen", True)

    def unfreeze(self) -> None:
        """Allow changes again."""
        object.__setattr__(self, "_frozen", False)

    def _changeable(self) -> dict[str, Any]:
        if self._frozen:
            raise ValueError("Cannot change a frozen Config; call unfreeze() first.")
        settings: dict[str, Any] = self._config
        return settings

    def as_dict(self) -> dict[str, Any]:
        """A shallow copy of the settings."""
        return dict(self._config)

    def to_json(self) -> str:
        """The settings as JSON text."""
        return json.dumps(self._config)

    def keys(self) -> Any:
        return self._config.keys()

    def values(self) -> Any:
        return self._config.values()

    def items(self) -> Any:
        return self._config.items()

    def pop(self, *args: Any) -> Any:
        """Take a setting out: `pop(name)`, `pop(name, default)`."""
        return self._changeable().pop(*args)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several: from a dict, from pairs, by name."""
        self._changeable().update(*args, **kwargs)

    def get(self, keyname: str, value: Any = None) -> Any:
        """A setting, or `value` where there is none of that name."""
        return self._config.get(keyname, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(type(self), name):
            raise AttributeError(f"Config has a method or property {name!r}: a setting of that name is reached as config[{name!r}]")
        self._changeable()[name] = value

    def __getattr__(self, name: str) -> Any:
        settings = self.__dict__.get("_config", {})  # none of its own while it is copied or unpickled
        if name in settings:
            return settings[name]
        near = get_close_matches(name, settings, n=1, cutoff=0.7)
        raise AttributeError(f"Unknown attribute: '{name}'." + (f" Did you mean '{near[0]}'?" if near else ""), name=name, obj=None)

    def __delattr__(self, name: str) -> None:
        if name not in self._changeable():
            raise AttributeError(f"Unknown attribute: '{name}'.")
        del self._config[name]

    def __setitem__(self, key: str, item: Any) -> None:
        self._changeable()[key] = item

    def __getitem__(self, key: str) -> Any:
        return self._config[key]

    def __delitem__(self, key: str) -> None:
        del self._changeable()[key]

    def __repr__(self) -> str:
        return f"<Config {self._config}>"

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._config))

    def __len__(self) -> int:
        return len(self._config)

    def __contains__(self, item: object) -> bool:
        return item in self._config
