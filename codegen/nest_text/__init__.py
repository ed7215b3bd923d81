"""Nests as text, and back: print_nest(parse_nest(t)) == t.

    nest dense "dense/relu"
      arrays x: f32[B, 784], w: f32[784, 512], b: f32[512], y: f32[B, 512]
      steps tile(j, 32), vectorize(j.i, 16), ...
      note "vectors along j: 16 lanes, 2 side by side"
      body
        parallel for j.o in 0..512 step 32
          acc c[i.i<8, j.i.v:vec16]: f32 = add
          for k in 0..784
            each i.i<8 if i.i + i.o < B, j.i.v:vec16
              c add= x[784*i.i + 784*i.o + k] * w[j.i.v + j.o + 512*k]

      pack.x[32*k.p + ...] = transpose t.x over i.p<16 if ... , k.v:vec16

      still w
      panel pack.w: f32[401408] of w
        for j.q in 0..512 step 32

`each` lists unrolled and vector loops that stand directly inside one another. `if` is a loop's clip; `for k in 0..3 where 1 <= k + i < 9`
does the trips that the guard holds for. `parallel for j.o in 0..16 takes j.n up to 8` does j.n trips at once.
Of `parallel for j.c in 0..64 step 32 middle j.m` j.m is what j.c is in the middle of the thread's share.
"""

from __future__ import annotations

from .parser import parse_nest, parse_nests
from .printer import print_nest

__all__ = ["parse_nest", "parse_nests", "print_nest"]
