"""Config and get_source_inputs."""

import copy
import json
import pickle

import pytest

import kcompile as keras
from kcompile import layers
from kcompile.utils import Config, get_source_inputs


def test_settings_as_attributes_and_items():
    config = Config(rate=0.1, depth=3)
    config.name = "x"
    config["other"] = [1]
    assert config.rate == config["rate"] == config.get("rate") == 0.1 and config.get("none", 5) == 5
    assert list(config) == ["depth", "name", "other", "rate"] and len(config) == 4 and "depth" in config
    assert json.loads(config.to_json()) == config.as_dict() == {"rate": 0.1, "depth": 3, "name": "x", "other": [1]}
    assert dict(config.items()) == dict(zip(config.keys(), config.values(), strict=True))
    assert config.pop("other") == [1] and config.pop("other", None) is None
    config.update(depth=4)
    del config["name"]
    del config.rate
    assert repr(config) == "<Config {'depth': 4}>"
    assert copy.deepcopy(config).depth == pickle.loads(pickle.dumps(config)).depth == 4


def test_frozen():
    config = Config(a=1)
    config.freeze()
    assert config.frozen
    for change in (lambda: setattr(config, "a", 2), lambda: config.update(a=2), lambda: config.pop("a"), lambda: config.__delitem__("a"),
                   lambda: config.__setitem__("b", 1), lambda: delattr(config, "a")):
        with pytest.raises(ValueError, match="frozen"):
            change()
    config.unfreeze()
    config.a = 2
    assert config.a == 2 and not config.frozen


def test_names_that_are_not_there():
    config = Config(learning_rate=1)
    with pytest.raises(AttributeError, match=r"Unknown attribute: 'learning_rat'\. Did you mean 'learning_rate'\?"):
        _ = config.learning_rat
    with pytest.raises(KeyError):
        _ = config["none"]
    with pytest.raises(AttributeError, match=r"config\['items'\]"):
        config.items = 3


def test_source_inputs():
    a, b, c = keras.Input((2,), name="a"), keras.Input((2,), name="b"), keras.Input((3,), name="c")
    joined = layers.Add()([layers.Dense(2)(a), b])
    both = layers.Concatenate()([joined, a])
    assert [tensor.name for tensor in get_source_inputs(both)] == ["a", "b"]
    assert get_source_inputs(c)[0] is c
    deep = a
    for _ in range(40):  # 2**40 ways lead back
        deep = keras.ops.add(deep, deep)
    assert len(get_source_inputs(deep)) == 1 and get_source_inputs(deep)[0] is a
    assert get_source_inputs(5) == 5
