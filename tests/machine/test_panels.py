"""Steps that train matrices in panels of columns, against the numpy interpreter in float64, for all sizes of batches and threads.

Which states lie in panels, and which must not, is said for each model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, ops, optimizers
from kcompile.codegen.panel_order import in_panels, in_rows
from kcompile.codegen.target import Target
from kcompile.compiler import to_program
from kcompile.ir.evaluate import evaluate
from kcompile.ir.graph import Graph
from kcompile.ir.passes.differentiate import differentiate
from kcompile.ir.passes.widen import widen
from kcompile.ir.program import Program
from kcompile.ir.text.programs import parse_program, print_program
from kcompile.tools.native import arrays_for, executable_of, run_native
from kcompile.training.data import DataSpec, Leaf
from kcompile.training.steps import trace_step

WIDE = Target.named("avx512")  # whose programs have panels, wherever they run
BATCHES = (1, 7, 32, 129, 300)
WITHIN = 2e-5  # of the largest element
FLOOR = 1e-6  # for a state of zeros


@pytest.fixture(autouse=True)
def _float32() -> Iterator[None]:
    yield
    keras.config.set_dtype_policy("float32")


@dataclass
class Traced:
    """A step of a model, its program, and what its variables hold."""

    graph: Graph
    program: Program
    states: dict[str, np.ndarray]

    @property
    def panels(self) -> set[str]:
        """The states that lie in panels, without the names of the model and of the optimizer."""
        found = [buffer for buffer in self.program.buffers.values() if buffer.panels]
        assert all(buffer.kind == "state" and buffer.panels == 32 for buffer in found)
        return {buffer.name.partition("/")[2] for buffer in found}


def traced(stack: list[Any], optimizer: Any = "sgd", rows: tuple[int, ...] = (300,), columns: int = 256, kind: str = "train",
           dtype: str = "float32", loss: str = "mse") -> Traced:
    """The step of a Sequential model for rows of a shape and targets of so many columns."""
    keras.utils.set_random_seed(5)
    model = keras.Sequential([keras.Input(rows, dtype=dtype), *stack], name="m")
    model.compile(optimizer, loss)
    target = None if kind == "predict" else Leaf("y", (columns,), "float32")
    step = trace_step(model, kind, DataSpec(Leaf("x", rows, dtype), target))
    states = {path: variable.array.copy() for path, variable in step.variables.items()}
    return Traced(step.graph, to_program(step.graph, WIDE), states)


def given(graph: Graph, batch: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal([batch, *value.shape[1:]]).astype(value.dtype.numpy)  # type: ignore[list-item]
            for name, value in graph.params.items()}


def wide(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array.astype("float64") if array.dtype.kind == "f" else array for name, array in arrays.items()}


def check(one: Traced, within: float = WITHIN, reference: Callable[[Graph], Graph] = widen) -> None:
    """Steps on batches of all sizes, each from the states that the one before it left, on one thread and on two."""
    executable = executable_of(one.program)
    truth, states = reference(differentiate(one.graph)), one.states
    for number, batch in enumerate(BATCHES):
        params, symbols = given(one.graph, batch, number), {"B": batch}
        _, wanted = evaluate(truth, wide(params), wide(states)) if reference is widen else evaluate(truth, params, states)
        after = {}
        for threads in (1, 2):
            arrays = arrays_for(one.program, params, states, symbols)
            executable.run(arrays, symbols, threads)
            after[threads] = {path: arrays[path] for path in one.graph.states}
        for path in wanted:
            np.testing.assert_array_equal(after[1][path], after[2][path], err_msg=f"{path} on two threads, batch {batch}")
        _, left = run_native(one.program, params, states, symbols, executable)
        for path, value in wanted.items():
            if left[path].dtype.kind != "f":
                np.testing.assert_array_equal(left[path], value, err_msg=path)
                continue
            size = max(float(np.abs(value).max()), FLOOR)
            off = float(np.abs(left[path] - value).max()) / size
            assert off <= within, f"{path} after a batch of {batch}: off by {off:.1e} of its largest element"
        states = {path: left[path] for path in one.graph.states}
    assert all(not np.array_equal(states[path], one.states[path]) for path in one.graph.states if path.endswith(("kernel", "/w"))
               and one.program.buffers[path].panels)


OPTIMIZERS: dict[str, tuple[Callable[[], Any], set[str]]] = {  # and the names of what it keeps for each kernel
    "sgd": (lambda: optimizers.SGD(0.05), set()),
    "momentum": (lambda: optimizers.SGD(0.05, momentum=0.9), {"momentum"}),
    "nesterov": (lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=1e-3), {"momentum"}),
    "adam": (lambda: optimizers.Adam(epsilon=1e-3), {"momentum", "velocity"}),
    "amsgrad": (lambda: optimizers.Adam(amsgrad=True, epsilon=1e-3), {"momentum", "velocity", "velocity_hat"}),
    "adamw": (lambda: optimizers.AdamW(epsilon=1e-3), {"momentum", "velocity"}),
    "rmsprop": (lambda: optimizers.RMSprop(momentum=0.5, centered=True, epsilon=1e-2), {"velocity", "average_gradient", "momentum"}),
    "clipnorm": (lambda: optimizers.SGD(0.05, momentum=0.9, clipnorm=0.1), {"momentum"}),
    "global_clipnorm": (lambda: optimizers.Adam(epsilon=1e-3, global_clipnorm=0.1), {"momentum", "velocity"}),
    "clipvalue": (lambda: optimizers.SGD(0.05, clipvalue=1e-3), set()),
    "average": (lambda: optimizers.SGD(0.05, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=2), {"average"}),
    "accumulation": (lambda: optimizers.SGD(0.05, momentum=0.9, gradient_accumulation_steps=2), {"momentum", "gradient_accumulator"}),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str) -> None:
    optimizer, slots = OPTIMIZERS[name]
    one = traced([layers.Dense(256, activation="relu", name="a"), layers.Dense(288, name="b")], optimizer(), (300,), 288)
    assert one.panels == {f"{x}/kernel" for x in "ab"} | {f"m_{x}_kernel_{slot}" for x in "ab" for slot in slots}
    check(one)


SIZES = {"one panel more than a power of two": (257, [288, 256]), "wide": (129, [512, 512, 256]), "rows of a few tiles": (300, [256, 544]),
         "very wide": (67, [1024]), "a prime number of rows": (263, [256])}


@pytest.mark.parametrize("name", SIZES)
def test_sizes(name: str) -> None:
    rows, columns = SIZES[name]
    stack = [layers.Dense(size, activation="tanh", name=f"d{n}") for n, size in enumerate(columns)]
    one = traced(stack, optimizers.SGD(0.05, momentum=0.9), (rows,), columns[-1])
    assert one.panels == {path for n in range(len(columns)) for path in (f"d{n}/kernel", f"m_d{n}_kernel_momentum")}
    check(one)


def test_a_classifier() -> None:
    one = traced([layers.Dense(512, activation="relu", name="a"), layers.Dropout(0.3), layers.Dense(256, name="b"),
                  layers.LayerNormalization(), layers.Dense(10, activation="softmax", name="c")], "adam", (300,), 10,
                 loss="categorical_crossentropy")
    assert one.panels == {f"{x}/kernel" for x in "ab"} | {f"m_{x}_kernel_{slot}" for x in "ab" for slot in ("momentum", "velocity")}
    check(one, within=2e-3)  # of a quotient of two small moments


@pytest.mark.parametrize("regularizer", ["l1", "l2"])
def test_regularizers(regularizer: str) -> None:
    one = traced([layers.Dense(256, kernel_regularizer=regularizer, name="a")], optimizers.SGD(0.05, momentum=0.9))
    assert one.panels == {"a/kernel", "m_a_kernel_momentum"}
    check(one)


@pytest.mark.parametrize("constraint", [keras.constraints.NonNeg(), keras.constraints.MaxNorm(0.5), keras.constraints.UnitNorm(axis=1)])
def test_constraints(constraint: Any) -> None:
    one = traced([layers.Dense(256, kernel_constraint=constraint, name="a")], optimizers.SGD(0.05))
    assert one.panels == {"a/kernel"}
    check(one)


def test_rows_of_rows() -> None:
    one = traced([layers.Dense(256, activation="relu", name="a"), layers.Dense(288, name="b"), layers.GlobalAveragePooling1D()],
                 optimizers.SGD(0.05, momentum=0.9), (3, 260), 288)
    assert {"a/kernel", "b/kernel"} <= one.panels
    check(one)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy: str) -> None:
    keras.config.set_dtype_policy(policy)
    one = traced([layers.Dense(256, activation="relu", name="a"), layers.Dense(288, name="b")], optimizers.SGD(0.05, momentum=0.9),
                 (300,), 288)
    assert not one.panels  # nothing is multiplied as it is stored
    check(one, within=2e-2, reference=lambda graph: graph)


class Tied(layers.Layer):  # type: ignore[misc]
    """A product with a weight and one with its transpose."""

    def build(self, shape: Any) -> None:
        self.w = self.add_weight(shape=(300, 256), name="w", initializer="glorot_uniform")

    def call(self, x: Any) -> Any:
        return ops.matmul(ops.matmul(x, self.w), ops.transpose(self.w))


class Through(layers.Layer):  # type: ignore[misc]
    """A product with a function of its weight."""

    def __init__(self, through: Callable[[Any], Any], shape: tuple[int, int] = (256, 320)) -> None:
        super().__init__(name="t")
        self.through, self.form = through, shape

    def build(self, shape: Any) -> None:
        self.w = self.add_weight(shape=self.form, name="w", initializer="glorot_uniform")

    def call(self, x: Any) -> Any:
        return ops.matmul(x, self.through(self.w))


NOT: dict[str, Callable[[], Traced]] = {
    "columns that are no multiple of 32": lambda: traced([layers.Dense(264)], "adam", (300,), 264),
    "few columns": lambda: traced([layers.Dense(96)], "adam", (700,), 96),
    "few elements": lambda: traced([layers.Dense(256)], "adam", (255,), 256),
    "a table that is looked up": lambda: traced([layers.Embedding(300, 256), layers.GlobalAveragePooling1D()], "adam", (4,), dtype="int32"),
    "evaluation": lambda: traced([layers.Dense(256)], "adam", kind="test"),
    "prediction": lambda: traced([layers.Dense(256)], "adam", kind="predict"),
    "half precision": lambda: traced([layers.Dense(256, dtype="float16")], optimizers.SGD(0.05, momentum=0.9)),
    "a view of the weight": lambda: traced([Through(lambda w: ops.reshape(w, (320, 256)))], "adam", (320,)),
    "a weight and a view of it": lambda: traced([Through(lambda w: w + ops.reshape(ops.reshape(w, (-1,))[:320], (1, 320)))], "sgd", (256,),
                                                320),
    "a part of the weight": lambda: traced([Through(lambda w: w[:, 32:])], "adam", (256,), 288),
}


@pytest.mark.parametrize("name", NOT)
def test_what_lies_row_by_row(name: str) -> None:
    one = NOT[name]()
    assert not one.panels


def test_a_weight_and_its_transpose() -> None:
    one = traced([Tied(name="t")], optimizers.SGD(0.01, momentum=0.9), (300,), 300)
    assert one.panels == {"t/w", "m_t_w_momentum"}
    check(one)


def test_frozen_weights_lie_row_by_row() -> None:
    one = traced([layers.Dense(256, trainable=False, name="a"), layers.Dense(256, name="b"), layers.Dense(256, trainable=False, name="c")],
                 optimizers.SGD(0.05, momentum=0.9))
    assert one.panels == {"b/kernel", "m_b_kernel_momentum"}
    check(one)


def test_biases_and_counters_lie_row_by_row() -> None:
    one = traced([layers.Dense(256, name="a"), layers.BatchNormalization(), layers.Dense(65536 // 256, name="b")], "adam", (256,))
    assert {len(one.program.buffers[name].type.shape) for name, buffer in one.program.buffers.items() if buffer.panels} == {2}


def test_an_array_of_the_wrong_order_is_refused() -> None:
    one = traced([layers.Dense(256, name="a")], optimizers.SGD(0.05))
    executable, params = executable_of(one.program), given(one.graph, 3, 0)
    arrays = arrays_for(one.program, params, one.states, {"B": 3})
    assert arrays["m/a/kernel"].shape == (8, 300, 32)
    arrays["m/a/kernel"] = np.array(one.states["m/a/kernel"])
    with pytest.raises(ValueError, match=r"'m/a/kernel'.*\(8, 300, 32\) \(panels of 32 columns\), given \(300, 256\)"):
        executable.run(arrays, {"B": 3})
    np.testing.assert_array_equal(arrays["m/a/kernel"], one.states["m/a/kernel"])


@pytest.mark.parametrize("shape", [(1, 32), (5, 64), (300, 256), (257, 288)])
def test_there_and_back(shape: tuple[int, int]) -> None:
    matrix = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(shape)
    panels = in_panels(matrix, 32)
    assert panels.shape == (shape[1] // 32, shape[0], 32) and panels.flags.c_contiguous
    for panel in range(len(panels)):
        np.testing.assert_array_equal(panels[panel], matrix[:, 32 * panel:32 * panel + 32])
    back = in_rows(panels)
    assert back.flags.c_contiguous
    np.testing.assert_array_equal(back, matrix)


def test_the_text_of_a_program_says_what_lies_in_panels() -> None:
    program = traced([layers.Dense(256, name="a")], optimizers.SGD(0.05, momentum=0.9)).program
    text = print_program(program)
    again = parse_program(text)
    assert print_program(again) == text
    assert [buffer.panels for buffer in again.buffers.values()] == [buffer.panels for buffer in program.buffers.values()]
    assert sum(bool(step.kernel.panels) for step in again.steps) == sum(bool(step.kernel.panels) for step in program.steps) > 0
