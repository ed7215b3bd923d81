"""Measured tiles: whatever is taken, the bits are those of the cost model's choice; a choice is measured once."""

import numpy as np
import pytest

from kcompile.codegen import tuning
from kcompile.codegen.lower import lower
from kcompile.codegen.options import CodegenOptions
from kcompile.codegen.strategy import plan, tile_choices
from kcompile.codegen.target import LINE, Target
from kcompile.codegen.tiles import Tile
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_native import inputs

DENSE = """
kernel dense
  axes i:B, j:53, k:70
  read x: f32[B, 70], w: f32[70, 53], b: f32[53]
  write y: f32[B, 53]
  reduce c[i, j] = add over k of x[i, k] * w[k, j]
  store y[i, j] = max(c + b[j], 0.0)
"""
TURNED = """
kernel turned
  axes i:B, j:30, k:50
  read dy: f32[B, 50], w: f32[30, 50]
  write dx: f32[B, 30]
  reduce c[i, j] = add over k of dy[i, k] * w[j, k]
  store dx[i, j] = c
"""
CONV = """
kernel conv
  axes n:B, y:9, x:11, o:40, ky:3, kx:3, c:5
  read image: f32[B, 11, 13, 5], w: f32[3, 3, 5, 40]
  write out: f32[B, 9, 11, 40]
  reduce s[n, y, x, o] = add over ky, kx, c of image[n, y + ky, x + kx, c] * w[ky, kx, c, o]
  store out[n, y, x, o] = s
"""
FILTER = """
kernel filter
  axes n:B, y:14, x:14, o:24, ky:3, kx:3, c:16
  read image: f32[B, 16, 16, 16], dy: f32[B, 14, 14, 24]
  write dw: f32[3, 3, 16, 24]
  reduce s[ky, kx, c, o] = add over n, y, x of image[n, y + ky, x + kx, c] * dy[n, y, x, o]
  store dw[ky, kx, c, o] = s
"""
KERNELS = {text.split()[1]: parse_kernel(text.strip() + "\n") for text in (DENSE, TURNED, CONV, FILTER)}


@pytest.mark.parametrize("name", KERNELS)
def test_every_candidate_gives_the_same_bits(name):
    kernel, target = KERNELS[name], Target.host()
    found = tuning.candidates(lower(kernel), target)
    assert len(found) > 1 and next(iter(found)) == tile_choices(lower(kernel), target)[0]
    symbols = {"B": 19}
    results = []
    for nest in found.values():
        arrays = inputs(kernel, symbols)
        Native(nest).run(arrays, symbols, shares=2)
        results.append(arrays[kernel.writes[0]])
    assert all(np.array_equal(results[0], other) for other in results[1:])


@pytest.mark.parametrize("still", ["", "  still w\n"])
def test_every_tile_can_be_scheduled_where_panels_are_packed(still):
    nest = lower(parse_kernel("""kernel dense
  axes i:B, j:512, k:784
  read x: f32[B, 784], w: f32[784, 512]
  write y: f32[B, 512]
  reduce c[i, j] = add over k of x[i, k] * w[k, j]
  store y[i, j] = c
""" + still))
    target = Target.named("avx512")
    choices = tile_choices(nest, target)
    assert len(choices) > 20
    packed = [tile for tile in choices if any(step.startswith("pack") for step in plan(nest, target, tile).steps)]
    assert min(tile.vectors * tile.height for tile in packed) < 8  # those of few sums too, which would rather be cut along k


def test_what_was_measured_is_kept(tmp_path, monkeypatch):
    nest, options = lower(KERNELS["dense"]), CodegenOptions(cache_dir=tmp_path / "cache")
    first = tuning.measured_tiles(nest, Target.host(), options)
    assert first is not None and len(first.tiles) == len(first.seconds) > 1 and min(first.seconds) > 0
    monkeypatch.setattr(tuning, "_race", lambda calls: pytest.fail("measured again"))
    assert tuning.measured_tiles(nest, Target.host(), options) == first


def test_arrays_lie_where_those_of_a_step_do():
    text = DENSE.strip() + "\n  by_row x\n"
    nest = plan(lower(parse_kernel(text)), Target.host())
    assert nest.by_row
    (call,) = tuning.calls_of([nest], Target.host())
    try:
        lines = {name: array.ctypes.data % LINE for name, array in call.arrays.items()}
        assert lines == {name: tuning.PLACED if name == "x" else 0 for name in "xwby"}
        assert call.seconds() > 0
    finally:
        call.close()


def test_the_fastest_is_taken_if_it_is_clearly_faster():
    tiles = (Tile(2, {"i": 4}), Tile(3, {"i": 4}), Tile(5, {"i": 2}))
    assert tuning.Measured(tiles, (1.0, 0.8, 0.9)).best == tiles[1]
    assert tuning.Measured(tiles, (1.0, 0.99, 1.2)).best is None
    assert str(tuning.Measured(tiles[:2], (1e-6, 2e-6))) == "2 x 4 1.0 us, 3 x 4 2.0 us: the first is taken"


def test_a_kernel_without_a_choice_is_left_alone():
    text = "kernel double\n  axes i:B\n  read x: f32[B]\n  write y: f32[B]\n  store y[i] = x[i] * 2.0\n"
    assert tuning.measured_tiles(lower(parse_kernel(text)), Target.host(), CodegenOptions(cache_dir=None)) is None


def test_a_tile_that_is_no_choice_is_refused():
    with pytest.raises(ValueError, match="no tile 40 x 40; there are "):
        plan(lower(KERNELS["dense"]), Target.host(), Tile(40, {"i": 40}))


def test_training_gives_the_same_bits(tmp_path, monkeypatch):
    import kcompile as keras

    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((50, 9, 9, 3), np.float32), rng.integers(0, 5, 50)
    weights = []
    for tune in ("0", "1", "1"):  # measured, then as it was kept
        monkeypatch.setenv("KCOMPILE_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("KCOMPILE_TUNE", tune)
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((9, 9, 3)), keras.layers.Conv2D(12, 3, activation="relu"), keras.layers.Flatten(),
                                  keras.layers.Dense(21, activation="tanh"), keras.layers.Dense(5)])
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(x, y, batch_size=16, epochs=2, verbose=0)
        weights.append(model.get_weights())
    for other in weights[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(weights[0], other, strict=True))


@pytest.mark.parametrize("name", KERNELS)
def test_what_candidates_run_on_begins_at_a_line_as_in_a_step(name):
    found = tuning._arrays(lower(KERNELS[name]), {"B": 19})
    assert found and {array.ctypes.data % 64 for array in found.values()} == {0}


def test_candidates_run_on_the_same_arrays():
    target = Target.host()
    first, *others = tuning.calls_of(tuning.candidates(lower(KERNELS["filter"]), target).values(), target)
    assert others and all(call.arrays[name] is first.arrays[name] for call in others for name in ("image", "dy", "dw"))
    for call in (first, *others):
        call.close()
