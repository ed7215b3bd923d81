"""States that move into one another, are read after they change, or leave through views: native steps against the interpreter."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from random_programs import fault
from random_states import random_states

import kcompile as keras
from kcompile import ops
from kcompile.ir import build
from kcompile.ir.graph import Graph, Value
from kcompile.ir.types import Dim, DType, TensorType, f32, f64, i32

B = Dim.symbol("B")
SIZE = 4000


class Maker:
    """States and params of one graph, of one dtype."""

    def __init__(self, name: str, dtype: DType) -> None:
        self.graph, self.dtype = Graph(name), dtype

    def state(self, name: str, *shape: int) -> Value:
        return build.state(self.graph, name, "weight", TensorType(shape or (SIZE,), self.dtype))

    def param(self, name: str, *shape: int | Dim) -> Value:
        return build.param(self.graph, name, TensorType(shape or (SIZE,), self.dtype))

    def update(self, **values: Value) -> None:
        self.graph.updates.update(values)

    def output(self, **values: Value) -> None:
        self.graph.outputs.update(values)


def shift_register(m: Maker) -> None:
    m.state("a")
    b = m.state("b")
    m.update(a=b, b=build.add(b, m.param("x")))


def shift_register_through_a_view(m: Maker) -> None:
    m.state("a", 40, 100)
    b = m.state("b")
    m.update(a=build.reshape(b, (40, 100)), b=build.add(b, m.param("x")))


def shift_register_of_three(m: Maker) -> None:
    a, b, c = m.state("a"), m.state("b"), m.state("c")
    m.update(a=b, b=c, c=build.add(c, m.param("x")))
    m.output(oldest=a, newest=build.reshape(c, (40, 100)))


def shift_register_whose_first_is_read_late(m: Maker) -> None:
    a, b = m.state("a"), m.state("b")
    new = build.add(b, m.param("x"))
    m.update(a=b, b=new)
    m.output(y=build.mul(a, build.tanh(new)))


def shift_register_read_by_another_kernel(m: Maker) -> None:
    a, b = m.state("a", 50, 60), m.state("b", 50, 60)
    new = build.add(b, m.param("x", 50, 60))
    m.update(a=b, b=new)
    m.output(y=build.dot(a, build.transpose(new, (1, 0))))


def new_value_leaves_as_a_view(m: Maker) -> None:
    b = m.state("b")
    new = build.add(b, m.param("x"))
    m.update(b=new)
    m.output(y=build.reshape(new, (40, 100)))


def old_value_leaves_as_a_view(m: Maker) -> None:
    b = m.state("b")
    m.update(b=build.add(b, m.param("x")))
    m.output(y=build.reshape(b, (40, 100)))


def new_value_also_becomes_another_state(m: Maker) -> None:
    m.state("a", 40, 100)
    b = m.state("b")
    new = build.add(b, m.param("x"))
    m.update(b=new, a=build.reshape(new, (40, 100)))


def made_from_a_view_of_itself(m: Maker) -> None:
    b = m.state("b", 1024)
    square = build.reshape(b, (32, 32))
    m.update(b=build.mul(build.dot(square, m.param("w", 32, 32, 1024), contract=((0, 1), (0, 1))), 0.01))


def old_value_read_after_the_new(m: Maker) -> None:
    b = m.state("b")
    new = build.add(b, m.param("x"))
    m.update(b=new)
    m.output(y=build.mul(build.tanh(new), b))


def old_value_read_in_a_later_pass(m: Maker) -> None:
    s, x = m.state("s", 50), m.param("x", 50, 30)
    new = build.add(s, build.reduce_sum(x, (1,)))
    m.update(s=new)
    m.output(y=build.add(build.mul(x, build.broadcast(new, (50, 30), [0])), build.broadcast(s, (50, 30), [0])))


def two_states_of_each_other(m: Maker) -> None:
    a, b = m.state("a"), m.state("b")
    first = build.tanh(build.add(a, m.param("x")))
    second = build.mul(first, build.add(a, b))
    m.update(a=first, b=second)
    m.output(y=build.mul(second, build.sub(a, b)))


def sum_over_the_batch_beside_a_gather(m: Maker) -> None:
    x, table = m.param("x", B, 5, 80), m.state("table", 9, 80)
    rows = build.take(table, build.mul(build.iota(m.graph, (5,), 0, i32), 2), 0)
    m.output(y=build.reduce_sum(build.mul(x, build.broadcast(rows, (B, 5, 80), [1, 2])), (0, 2)))


CASES: tuple[Callable[[Maker], None], ...] = (
    shift_register, shift_register_through_a_view, shift_register_of_three, shift_register_whose_first_is_read_late,
    shift_register_read_by_another_kernel, new_value_leaves_as_a_view, old_value_leaves_as_a_view, new_value_also_becomes_another_state,
    made_from_a_view_of_itself, old_value_read_after_the_new, old_value_read_in_a_later_pass, two_states_of_each_other,
    sum_over_the_batch_beside_a_gather)


@pytest.mark.parametrize("case", CASES, ids=[c.__name__ for c in CASES])
def test_states(case: Callable[[Maker], None]) -> None:
    native, exact = Maker(case.__name__, f32), Maker(case.__name__, f64)
    case(native)
    case(exact)
    assert fault(native.graph, exact.graph) == ""


@pytest.mark.parametrize("seed", range(60))
def test_random_states(seed: int) -> None:
    assert fault(random_states(seed, f32), random_states(seed, f64)) == ""


class _Mirror(keras.layers.Layer):  # type: ignore[misc]
    """Keeps the transpose of a weight, which it sets without looking at what it was."""

    def build(self, shape: Any) -> None:
        self.w = self.add_weight(shape=(300, 256), name="w")
        self.mirror = self.add_weight(shape=(256, 300), name="mirror", trainable=False, initializer="zeros")

    def call(self, x: Any, training: bool = False) -> Any:
        if training:
            self.mirror.assign(ops.transpose(self.w) * 0.5)
        return ops.matmul(x, self.w) + ops.matmul(x, ops.transpose(self.mirror))


@pytest.mark.parametrize("target", ["host", "avx2"])
def test_a_state_that_is_set_by_a_kernel_that_does_not_read_it(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KCOMPILE_CHECK", "1")
    monkeypatch.setenv("KCOMPILE_TARGET", target)
    keras.utils.set_random_seed(4)
    model = keras.Sequential([keras.Input((300,)), _Mirror()])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x = np.random.default_rng(1).standard_normal((64, 300), "float32")
    w = model.layers[0].w.numpy()
    loss = float(np.asarray(model.train_on_batch(x, np.zeros((64, 256), "float32"))))
    np.testing.assert_array_equal(model.layers[0].mirror.numpy(), w.T * np.float32(0.5))
    np.testing.assert_allclose(loss, np.mean((x @ w * 1.5) ** 2), rtol=1e-4)
