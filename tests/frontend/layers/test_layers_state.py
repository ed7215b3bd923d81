"""What a layer holds: weights in Keras's order, tracking of attributes and containers, names and paths, arrays out and in."""

from __future__ import annotations

import copy
from collections import namedtuple

import numpy as np
import pytest

from kcompile import layers
from kcompile.naming import clear_session


def paths(items):
    return [item.path for item in items]


class Holder(layers.Layer):
    """Sub-layers in every kind of container."""

    def __init__(self):
        super().__init__()
        self.in_list = [layers.Dense(1)]
        self.in_dict = {"a": layers.Dense(2), "deep": [layers.Dense(3), (layers.Dense(4),)]}
        self.in_tuple = (layers.Dense(5), {"b": layers.Dense(6)})
        self.alone = layers.Dense(7)

    def call(self, x):
        for layer in self._flatten_layers(include_self=False):
            layer(x)
        return x


def test_containers_are_tracked_in_order():
    holder = Holder()
    holder.in_list.append(layers.Dense(8))
    holder.in_list += [layers.Dense(9)]
    holder.in_list.extend([layers.Dense(10)])
    holder.in_list.insert(0, layers.Dense(11))
    holder.in_dict["later"] = layers.Dense(12)
    holder.in_dict.update(x=layers.Dense(13))
    holder.in_dict["deep"].append(layers.Dense(14))
    holder.in_dict.setdefault("s", layers.Dense(15))
    assert [layer.units for layer in holder._layers] == list(range(1, 16))
    holder(np.ones((1, 2)))
    assert [w.shape[1] for w in holder.weights if w.ndim == 2] == list(range(1, 16))


def test_what_is_taken_away_is_no_longer_held():
    holder = Holder()
    holder.in_list.pop()
    del holder.in_dict["a"]
    holder.in_dict["deep"].clear()
    holder.alone = None
    del holder.in_tuple
    assert holder._layers == []


def test_an_object_held_twice_stays_until_both_let_go():
    layer = layers.Layer()
    inner = layers.Dense(1)
    layer.a = inner
    layer.b = [inner]
    assert layer._layers == [inner]
    layer.a = None
    assert layer._layers == [inner]
    layer.b.remove(inner)
    assert layer._layers == []


def test_namedtuples_and_sets():
    pair = namedtuple("pair", "left right")
    layer = layers.Layer()
    layer.pair = pair(layers.Dense(1), 5)
    layer.set = {layers.Dense(2)}
    layer.set.add(layers.Dense(3))
    assert sorted(inner.units for inner in layer._layers) == [1, 2, 3]
    assert layer.pair.right == 5 and type(layer.pair) is pair


def test_tracked_containers_copy_as_plain_ones():
    layer = layers.Layer()
    layer.sizes, layer.table = [1, [2]], {"a": 1}
    assert layer.sizes == [1, [2]] and layer.table == {"a": 1}
    assert type(copy.deepcopy(layer.sizes)) is list and type(copy.deepcopy(layer.table)) is dict


def test_order_of_weights_and_variables():
    class Mixed(layers.Layer):
        def __init__(self):
            super().__init__()
            self.drop = layers.Dropout(0.5)
            self.norm = layers.BatchNormalization()

        def build(self, input_shape):
            self.count = self.add_weight(name="count", shape=(), trainable=False)
            self.scale = self.add_weight(name="scale", shape=())

        def call(self, x):
            return self.drop(self.norm(x))

    layer = Mixed()
    layer(np.ones((2, 3)))
    norm = [f"mixed/batch_normalization/{name}" for name in ("gamma", "beta", "moving_mean", "moving_variance")]
    assert paths(layer.weights) == ["mixed/scale", "mixed/count", *norm]
    assert paths(layer.variables) == ["mixed/scale", "mixed/count", "seed_generator/seed_generator_state", *norm]
    assert paths(layer.trainable_weights) == ["mixed/scale", *norm[:2]]
    assert paths(layer.non_trainable_weights) == ["mixed/count", *norm[2:]]
    assert layer.variables[2].dtype == "uint32"


def test_trainable_is_handed_down():
    holder = Holder()
    holder(np.ones((1, 2)))
    holder.trainable = False
    assert holder.trainable_weights == [] and len(holder.non_trainable_weights) == len(holder.weights) == 14
    assert not holder.alone.trainable and not holder.alone.kernel.trainable
    holder.trainable = True
    holder.alone.trainable = False
    assert len(holder.trainable_weights) == 12


def test_trainable_false_at_construction_holds_for_weights_made_later():
    layer = layers.Dense(2, trainable=False)
    layer(np.ones((1, 3)))
    assert layer.trainable_weights == [] and len(layer.non_trainable_weights) == 2


def test_names_count_up_and_start_again():
    assert [layers.Dense(1).name for _ in range(3)] == ["dense", "dense_1", "dense_2"]
    assert [layers.ReLU().name, layers.Conv2D(1, 1).name, layers.MaxPooling2D().name] == ["re_lu", "conv2d", "max_pooling2d"]
    clear_session()
    assert layers.Dense(1).name == "dense"


@pytest.mark.parametrize("name", [5, "a/b"])
def test_bad_names(name):
    with pytest.raises(ValueError, match="must be a string and cannot contain character"):
        layers.Dense(1, name=name)


def test_stateless_layers_are_built_from_the_start():
    assert all(layer.built for layer in (layers.MaxPooling2D(), layers.Dropout(0.1), layers.ReLU(), layers.Reshape((1,))))
    assert not layers.Dense(1).built

    class Counting(layers.Dropout):
        def build(self, input_shape):
            self.count = self.add_weight(shape=())

    layer = Counting(0.5)
    assert not layer.built
    layer(np.ones(3))
    assert layer.built and len(layer.weights) == 1


def test_add_weight_in_both_argument_orders():
    class Old(layers.Layer):
        def build(self, input_shape):
            self.a = self.add_weight("a", (2,), None, "ones")
            self.b = self.add_weight((3,), "zeros", name="b")
            self.c = self.add_weight(shape=(2, 2), dtype="int32")
            self.d = self.add_weight(name="d", initializer=lambda shape, dtype=None: np.full(shape, 5.0, dtype))

        def call(self, x):
            return x

    layer = Old()
    layer(np.ones(1))
    assert [(w.path, tuple(w.shape), str(w.dtype)) for w in layer.weights] == [
        ("old/a", (2,), "float32"), ("old/b", (3,), "float32"), ("old/variable", (2, 2), "int32"), ("old/d", (), "float32")]
    assert layer.a.numpy().tolist() == [1, 1] and layer.d.numpy() == 5


def test_add_weight_of_unknown_size():
    with pytest.raises(ValueError, match=r"unknown sizes. Received: shape=\(None, 2\)"):
        layers.Layer(name="x").add_weight(shape=(None, 2))


def test_state_may_not_grow_after_building():
    class Late(layers.Layer):
        def call(self, x):
            self.extra = layers.Dense(2)
            return x

    with pytest.raises(ValueError, match="You cannot add new elements of state"):
        Late()(np.ones(3))


def test_super_build_may_come_first():
    class Wider(layers.Dense):
        def build(self, input_shape):
            super().build(input_shape)
            self.extra = self.add_weight(name="extra", shape=(1,))

    layer = Wider(2)
    layer.build((None, 3))
    assert paths(layer.weights) == ["wider/kernel", "wider/bias", "wider/extra"] and layer.built


def test_forgotten_super_init():
    class Forgot(layers.Layer):
        def __init__(self):
            self.inner = layers.Dense(1)

        def call(self, x):
            return x

    with pytest.raises(RuntimeError, match=r"In layer 'Forgot', you forgot to call `super\(\).__init__\(\)`"):
        Forgot()(np.ones(3))


def test_get_and_set_weights():
    layer = layers.Dense(2)
    assert layer.get_weights() == []
    layer.build((None, 3))
    layer.set_weights([np.ones((3, 2)), np.zeros(2)])
    copy_of_kernel = layer.get_weights()[0]
    copy_of_kernel[:] = 7
    assert layer.kernel.numpy().tolist() == np.ones((3, 2)).tolist()
    with pytest.raises(ValueError, match="weight list of length 1, but the layer was expecting 2 weights"):
        layer.set_weights([np.ones((3, 2))])
    with pytest.raises(ValueError, match=r"'dense/bias' of shape \(2,\) is not compatible with the provided weight of shape \(3,\)"):
        layer.set_weights([np.zeros((3, 2)), np.zeros(3)])
    assert layer.kernel.numpy().sum() == 6, "nothing is assigned unless everything fits"


def test_initial_weights_as_an_argument():
    layer = layers.Dense(2, weights=[np.full((3, 2), 4.0), np.ones(2)], input_shape=(3,))
    layer.build((None, 3))
    assert layer.kernel.numpy().max() == 4


def test_count_params():
    layer = layers.Dense(2)
    with pytest.raises(ValueError, match="You tried to call `count_params` on layer 'dense', but the layer isn't built"):
        layer.count_params()
    layer.build((None, 3))
    assert layer.count_params() == 8


def test_replaced_variables_follow_the_policy_of_the_layer():
    layer = layers.Dense(2, dtype="mixed_float16")
    layer.build((None, 3))
    assert layer.kernel.dtype == "float32" and layer.dtype == "float32" and layer.compute_dtype == "float16"
    assert layer.dtype_policy.name == "mixed_float16"


def test_unknown_policy():
    with pytest.raises(ValueError, match="Cannot convert 'foo' to a mixed precision DTypePolicy"):
        layers.Dense(2, dtype="foo")


def test_metrics_of_layers_are_found():
    from kcompile.metrics import Mean

    class Measuring(layers.Layer):
        def __init__(self):
            super().__init__()
            self.mean = Mean(name="m")
            self.inner = layers.Dense(1)

    layer = Measuring()
    assert [metric.name for metric in layer.metrics] == ["m"]
    assert layer.weights == [] and len(layer.metrics_variables) == 2
