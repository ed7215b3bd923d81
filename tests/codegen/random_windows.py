"""Random convolutions, their gradients, depthwise ones and pooling over small images: tiles meet the borders of all axes at once."""

from __future__ import annotations

import random

from kcompile.ir.kernel import Kernel
from kcompile.ir.text.kernels import parse_kernel

CHANNELS = (1, 2, 3, 4, 5, 7, 8, 12, 16, 20, 24, 32)
SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 10, 13)
FORWARD = """
  axes n:B, y:{h}, x:{w}, o:{o}, u:{k}, v:{k}, c:{c}
  read t: {f}[B, {ih}, {iw}, {c}], w: {f}[{k}, {k}, {c}, {o}], b: {f}[{o}]
  write r: {f}[B, {h}, {w}, {o}]
  reduce s[n, y, x, o] = add over u, v, c of {t} * w[u, v, c, o]
  store r[n, y, x, o] = max(s + b[o], 0.0)
"""
DEPTHWISE = """
  axes n:B, y:{h}, x:{w}, o:{o}, u:{k}, v:{k}
  read t: {f}[B, {ih}, {iw}, {o}], w: {f}[{k}, {k}, {o}], b: {f}[{o}]
  write r: {f}[B, {h}, {w}, {o}]
  reduce s[n, y, x, o] = add over u, v of {t} * w[u, v, o]
  store r[n, y, x, o] = max(s + b[o], 0.0)
"""
POOLING = """
  axes n:B, y:{h}, x:{w}, o:{o}, u:{k}, v:{k}
  read t: {f}[B, {ih}, {iw}, {o}]
  write r: {f}[B, {h}, {w}, {o}]
  reduce s[n, y, x, o] = max over u, v of {t}
  store r[n, y, x, o] = s
"""
FILTER_GRADIENT = """
  axes u:{k}, v:{k}, c:{c}, o:{o}, n:B, y:{h}, x:{w}
  read t: {f}[B, {ih}, {iw}, {c}], g: {f}[B, {h}, {w}, {o}], w: {f}[{k}, {k}, {c}, {o}]
  write r: {f}[{k}, {k}, {c}, {o}]
  reduce s[u, v, c, o] = add over n, y, x of {t} * g[n, y, x, o]
  store r[u, v, c, o] = w[u, v, c, o] - s * 0.125
"""
DEPTHWISE_GRADIENT = """
  axes u:{k}, v:{k}, o:{o}, n:B, y:{h}, x:{w}
  read t: {f}[B, {ih}, {iw}, {o}], g: {f}[B, {h}, {w}, {o}]
  write r: {f}[{k}, {k}, {o}]
  reduce s[u, v, o] = add over n, y, x of {t} * g[n, y, x, o]
  store r[u, v, o] = s
"""
OF_CHANNELS = (FORWARD, FILTER_GRADIENT)  # the window has channels of its own
PADDED = (FORWARD, DEPTHWISE)  # as forward with padding, and as input gradients are


def random_window(seed: int) -> Kernel:
    """The description of one, with what it reads in bounds, or guarded."""
    rng = random.Random(seed)
    text = rng.choice((FORWARD, FORWARD, *PADDED, *OF_CHANNELS, POOLING, DEPTHWISE_GRADIENT))
    h = rng.choice(SIZES)
    w = h if rng.random() < 0.6 else rng.choice(SIZES)
    k, stride = rng.choice((1, 2, 3, 3, 5)), rng.choice((1, 1, 1, 2))
    dilation = rng.choice((1, 1, 1, 2)) if stride == 1 else 1
    last = "c" if text in OF_CHANNELS else "o"
    y, x = (f"{stride}*{a} + {dilation}*{b}" for a, b in (("y", "u"), ("x", "v")))
    ih, iw = ((n - 1) * stride + (k - 1) * dilation + 1 for n in (h, w))
    window = f"t[n, {y}, {x}, {last}]"
    pad = rng.randint(1, (k - 1) * dilation) if text in PADDED and k > 1 and rng.random() < 0.5 else 0
    if pad and ih > 2 * pad and iw > 2 * pad:
        ih, iw, y, x = ih - 2 * pad, iw - 2 * pad, f"{y} - {pad}", f"{x} - {pad}"
        window = f"(t[n, {y}, {x}, {last}] if 0 <= {y} < {ih} and 0 <= {x} < {iw} else 0.0)"
    kind = rng.choice(("f32", "f32", "f32", "f64"))
    filled = text.format(h=h, w=w, k=k, ih=ih, iw=iw, c=rng.choice(CHANNELS), o=rng.randint(1, 72), f=kind, t=window)
    return parse_kernel(f"kernel window{seed}{filled}")
