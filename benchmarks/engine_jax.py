"""A hand-written training step under jax.jit: the dense workloads without Keras in between."""

from __future__ import annotations

import itertools
import time

import numpy as np
from loops import Epochs
from workloads import EPOCHS, workload

SIZES = {"tabular": (13, 64, 64, 1), "mlp": (784, 512, 10), "mlp_b512": (784, 512, 10)}


def session(engine: str, name: str):
    if name not in SIZES:
        raise SystemExit(f"{engine} has no {name}; it has {', '.join(SIZES)}")
    started = time.perf_counter()
    import jax
    import jax.numpy as jnp
    imported = time.perf_counter()
    sizes, regression = SIZES[name], name == "tabular"
    rng = np.random.default_rng(0)
    weights = [(jnp.asarray(rng.normal(0, (2 / (n + m)) ** 0.5, (n, m)), "float32"), jnp.zeros(m)) for n, m in itertools.pairwise(sizes)]

    def loss_and_hits(weights, x, y, key):
        x = x.reshape(len(x), -1)
        for kernel, bias in weights[:-1]:
            x = jax.nn.relu(x @ kernel + bias)
            if not regression:
                x = jnp.where(jax.random.bernoulli(key, 0.8, x.shape), x / 0.8, 0)
        kernel, bias = weights[-1]
        x = x @ kernel + bias
        if regression:
            return jnp.mean((x - y) ** 2), 0
        chosen = jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1)
        return -jnp.mean(chosen), jnp.sum(jnp.argmax(x, 1) == y)

    def step(state, x, y):
        """Adam as Keras has it; loss and hits are summed up."""
        weights, first, second, count, key, loss_sum, hit_sum = state
        key, mine = jax.random.split(key)
        (loss, hits), slopes = jax.value_and_grad(loss_and_hits, has_aux=True)(weights, x, y, mine)
        count = count + 1
        rate = 1e-3 * jnp.sqrt(1 - 0.999 ** count) / (1 - 0.9 ** count)
        first = jax.tree.map(lambda m, g: m + 0.1 * (g - m), first, slopes)
        second = jax.tree.map(lambda v, g: v + 0.001 * (g * g - v), second, slopes)
        weights = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, first, second)
        return weights, first, second, count, key, loss_sum + loss, hit_sum + hits

    compiled = jax.jit(step, donate_argnums=0)
    first, second = (jax.tree.map(jnp.zeros_like, weights) for _ in range(2))  # two sets: both are donated
    state = [weights, first, second, jnp.zeros((), "float32"), jax.random.key(0), jnp.zeros(()), jnp.zeros((), "int32")]

    def epoch(x, y, batch) -> float:
        nonlocal state
        order = np.random.permutation(len(x))
        for start in range(0, len(x), batch):
            rows = order[start:start + batch]
            state = compiled(state, x[rows], y[rows])
        return float(state[5])
    return Epochs(epoch, *data_of(name), {"import_s": imported - started, "build_s": time.perf_counter() - imported})


def data_of(name: str):
    """(data function, batch size, steps of an epoch) of a workload, without building its model."""
    builder, batch, _ = workload(name)
    return builder(Anything())[1], batch, EPOCHS[name]


class Anything:
    """Stands for the `keras` module where only the data function of a builder is wanted."""

    def __getattr__(self, name):
        return self

    def __call__(self, *args, **kwargs):
        return self
