"""The same training in the main thread, in other threads at once, and in a forked child: the same numbers."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers
from kcompile.codegen.module import object_code
from kcompile.codegen.target import Target
from kcompile.data.functions import ElementFunction
from kcompile.data.prefetch import Ahead
from kcompile.data.spec import TensorSpec
from kcompile.making import MAKING

DATA = np.random.default_rng(0)
X, Y = DATA.standard_normal((600, 6), "float32"), DATA.integers(0, 3, 600)


def losses() -> list[float]:
    first, second = keras.initializers.GlorotUniform(1), keras.initializers.GlorotUniform(2)
    model = keras.Sequential([layers.Input((6,)), layers.Dense(32, activation="tanh", kernel_initializer=first),
                              layers.Dense(3, activation="softmax", kernel_initializer=second)])
    model.compile("adam", "sparse_categorical_crossentropy")
    history: dict[str, list[float]] = model.fit(X, Y, batch_size=200, epochs=2, shuffle=False, verbose=0).history
    return history["loss"]


def report(queue: Any) -> None:
    queue.put(losses())


def test_fit_in_several_threads_at_once() -> None:
    expected, found = losses(), {}

    def work(number: int) -> None:
        found[number] = losses()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == dict.fromkeys(range(3), expected)


@pytest.mark.parametrize("first", ["fit", "predict", "__call__"])
def test_the_first_calls_of_a_model_in_several_threads_at_once(first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its layers, and the optimizer's slots, are made once, whoever comes first."""
    model = keras.Sequential([layers.Dense(8, activation="relu"), layers.Dense(3)])
    model.compile(keras.optimizers.Adam(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    start, failed = threading.Barrier(4), []

    def slowly(made: Any) -> Any:
        def make(*arguments: Any, **named: Any) -> Any:
            time.sleep(0.01)
            return made(*arguments, **named)
        return make

    monkeypatch.setattr(layers.Layer, "add_weight", slowly(layers.Layer.add_weight))
    monkeypatch.setattr(keras.optimizers.Optimizer, "add_variable", slowly(keras.optimizers.Optimizer.add_variable))

    def work() -> None:
        start.wait(60)
        try:
            if first == "fit":
                model.fit(X, Y, verbose=0)
            else:
                getattr(model, first)(X)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    assert [tuple(weight.shape) for weight in model.weights] == [(6, 8), (8,), (8, 3), (3,)]
    model.fit(X, Y, verbose=0)
    assert len(model.optimizer.variables) == 2 + 2 * 4


def test_an_initializer_that_builds_a_layer_while_another_thread_builds_one() -> None:
    """No code of the user's runs under the lock of initial values, which whoever builds a layer may want."""
    asked, building, found = threading.Event(), threading.Event(), []
    inner = layers.Dense(1, kernel_initializer="ones")

    class Spread:
        """A number that a layer tells."""

        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            asked.set()
            building.wait(5)
            return np.asarray(inner(np.full((1, 1), 0.5, np.float32))).reshape(()).astype(dtype or np.float32)

    class Reads(layers.Layer):
        def build(self, input_shape: Any) -> None:
            weight = self.add_weight((200, 200), "glorot_uniform")
            asked.wait(5)
            building.set()
            found.append(float(np.abs(weight.numpy()).max()))

        def call(self, x: Any) -> Any:
            return x

    def make() -> None:
        found.append(keras.Variable(keras.initializers.RandomNormal(stddev=Spread(), seed=1), (200, 200)).numpy().std())  # type: ignore[arg-type]

    threads = [threading.Thread(target=make, daemon=True), threading.Thread(target=Reads(), args=(X,), daemon=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads) and len(found) == 2
    assert max(found) == pytest.approx(0.5, rel=0.02)


def test_fork_while_a_thread_traces_a_step() -> None:
    def traces(inside: threading.Event, leave: threading.Event) -> None:
        with MAKING:
            inside.set()
            leave.wait(60)

    expected = losses()
    assert forked_while(traces, lambda: losses() == expected) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="fork is safe with threads of our own on Linux only")
def test_fit_in_a_forked_child_after_a_fit_and_then_in_the_parent() -> None:
    expected = losses()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=report, args=(queue,))
    child.start()
    assert queue.get(timeout=60) == expected
    child.join(20)
    assert child.exitcode == 0
    assert losses() == expected


def forked_while(held: Callable[[threading.Event, threading.Event], None], work: Callable[[], bool]) -> int:
    """The exit status of a child (0: right) that does `work`; it is forked while a thread is in `held`, between its two events."""
    inside, leave = threading.Event(), threading.Event()
    thread = threading.Thread(target=held, args=(inside, leave))
    thread.start()
    assert inside.wait(60)
    child = os.fork()
    if child == 0:
        status = 2
        signal.alarm(60)  # ends a child that waits for ever
        try:
            status = 0 if work() else 1
        finally:
            os._exit(status)
    leave.set()
    thread.join(60)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_fork_while_a_thread_compiles() -> None:
    host = Target.host()
    long = "\n".join(f"define i64 @f{number}(i64 %a) {{\n  %b = mul i64 %a, %a\n  ret i64 %b\n}}" for number in range(1200))
    short = "define i64 @f(i64 %a) {\n  ret i64 %a\n}"
    object_code(short, host)

    def compiles(inside: threading.Event, leave: threading.Event) -> None:
        threading.Timer(0.1, inside.set).start()  # it takes a second
        object_code(long, host)

    assert forked_while(compiles, lambda: bool(object_code(short, host))) == 0


def test_fork_while_a_thread_makes_an_initial_value(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, parent = threading.Event(), os.getpid()
    inside_initializer = threading.Event()
    made = keras.initializers.GlorotUniform.__call__

    def waits(self: Any, shape: Any, dtype: Any = None) -> Any:
        if os.getpid() == parent:
            inside_initializer.set()
            slow.wait(60)
        return made(self, shape, dtype)

    monkeypatch.setattr(keras.initializers.GlorotUniform, "__call__", waits)
    first, second = (keras.Variable(keras.initializers.GlorotUniform(seed), shape=(300, 300)) for seed in (1, 2))

    def reads(inside: threading.Event, leave: threading.Event) -> None:
        thread = threading.Thread(target=first.numpy)
        thread.start()
        inside_initializer.wait(60)
        inside.set()
        leave.wait(60)
        slow.set()
        thread.join(60)

    def finite() -> bool:
        return all(bool(np.isfinite(value.numpy()).all()) for value in (second, first))

    assert forked_while(reads, finite) == 0
    assert finite()


def test_fork_while_a_thread_traces_a_function_of_a_data_set() -> None:
    function = ElementFunction(lambda x: x + 1, "map")
    spec = TensorSpec((10,), "int64")

    def holds(inside: threading.Event, leave: threading.Event) -> None:
        with function._lock:
            inside.set()
            leave.wait(60)

    def works() -> bool:
        compiled = function.traced(spec, [spec])
        assert compiled is not None
        return bool((compiled([np.ones((3, 10), "int64")], 3)[0] == 2).all())

    assert forked_while(holds, works) == 0
    assert works()


def test_a_forked_child_cannot_go_on_with_what_a_thread_of_its_parent_makes() -> None:
    items = Ahead(iter(range(10)))
    assert next(items) == 0

    def refused() -> bool:
        with pytest.raises(RuntimeError, match="forked child"):
            next(items)
        items.close()
        return True

    assert forked_while(lambda inside, leave: inside.set(), refused) == 0
    assert list(items) == list(range(1, 10))


SMALL_STACK = """
import threading, numpy as np, kcompile as keras
from kcompile import layers
def work():
    image = x = keras.Input((16, 16, 64))
    for _ in range(2):
        x = layers.DepthwiseConv2D(3, padding="same")(layers.BatchNormalization()(layers.Conv2D(64, 3, padding="same")(x)))
    model = keras.Model(image, layers.Dense(1)(layers.GlobalAveragePooling2D()(x)))
    model.compile("adam", "mse")
    try:
        model.fit(np.ones((16, 16, 16, 64)), np.ones((16, 1)), batch_size=16, verbose=0)
        print("trained", flush=True)
    except RuntimeError as error:
        print(error, flush=True)
if SIZE:
    threading.stack_size(SIZE)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
else:
    work()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the size of a stack is not asked for")
@pytest.mark.parametrize(("size", "limit", "said"), [(256 << 10, 8192, "stack_size"), (2 << 20, 8192, "trained"), (0, 256, "ulimit -s"),
                                                     (4 << 20, 512, "trained")])
def test_a_stack_that_is_too_small_is_said(size: int, limit: int, said: str) -> None:
    """A compiled step keeps sums and samples there: beyond the end of the stack the process would be gone without a word."""
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_STACK, ({limit << 10}, resource.RLIM_INFINITY))"
    text = SMALL_STACK.replace("SIZE", str(size))
    restarted = f"{limited}; import os, sys; os.execv(sys.executable, [sys.executable, '-c', {text!r}])"
    done = subprocess.run([sys.executable, "-c", restarted], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0 and said in done.stdout, (done.returncode, done.stdout, done.stderr[-2000:])
