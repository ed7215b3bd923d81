"""Plots as SVG, written directly: ratios with their spread, and the roofline."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

WIDTH, LEFT, ROW = 800, 290, 18  # left of the bars stand a workload and an engine, the longest names beside each other
COLOURS = ("#2f6fde", "#d9822b", "#3d9a50", "#a24bbf", "#c23b4b", "#5b6770", "#2aa5a0")


def _page(height: int, title: str, lines: Sequence[str]) -> str:
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
            'font-family="system-ui, sans-serif" font-size="12" fill="#24292f">')
    return "\n".join([head, f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
                      f'<text x="16" y="24" font-size="15" font-weight="600">{escape(title)}</text>', *lines, "</svg>"]) + "\n"


def _line(x1: float, y1: float, x2: float, y2: float, colour: str = "#d0d7de", width: float = 1) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def _ticks(low: float, high: float) -> Iterator[float]:
    """1, 2 and 5 times the powers of ten between two numbers."""
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for digit in (1, 2, 5):
            if low <= digit * 10.0 ** power <= high:
                yield digit * 10.0 ** power


def ratio_chart(bars: Mapping[str, Mapping[str, tuple[float, float, float]]], title: str) -> str:
    """`bars`: workload -> engine -> (ratio, least, most). A bar runs from 1 to the ratio on a logarithmic axis."""
    values = [value for engines in bars.values() for three in engines.values() for value in three]
    low, high = min([0.5, *values]) * 0.9, max([2.0, *values]) * 1.3

    def at(value: float) -> float:
        return LEFT + (WIDTH - LEFT - 60) * math.log(value / low) / math.log(high / low)
    lines, y = [], 44
    for workload, engines in bars.items():
        lines.append(f'<text x="16" y="{y + 13}" font-weight="600">{escape(workload)}</text>')
        for engine, (ratio, least, most) in sorted(engines.items(), key=lambda item: item[1]):
            left, right = sorted((at(1), at(ratio)))
            colour = COLOURS[0] if ratio >= 1 else COLOURS[4]
            lines += [f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(engine)}</text>',
                      f'<rect x="{left:.1f}" y="{y + 3}" width="{max(1.0, right - left):.1f}" height="{ROW - 6}" fill="{colour}"/>',
                      _line(at(least), y + 9, at(most), y + 9, "#24292f", 1.5),
                      f'<text x="{max(right, at(most)) + 6:.1f}" y="{y + 13}">{ratio:.2f}</text>']
            y += ROW
        y += 8
    grid = [_line(at(value), 36, at(value), y, "#24292f" if value == 1 else "#e4e8ec") +
            f'<text x="{at(value):.1f}" y="{y + 14}" text-anchor="middle">{value:g}</text>' for value in _ticks(low, high)]
    return _page(y + 26, title, [*grid, *lines])


def roofline_chart(points: Sequence[tuple[str, float, float]], limit: Mapping[str, float], title: str) -> str:
    """`points`: (family, FLOP a byte, GFLOP/s), under the measured limits."""
    left, right, top, bottom = 70, WIDTH - 130, 44, 400
    peak, memory, cache = limit["flops"] / 1e9, limit["memory"] / 1e9, limit["cache"] / 1e9
    low_x, high_x = min([0.1, *(p[1] for p in points)]) * 0.8, max([100.0, *(p[1] for p in points)]) * 1.3
    low_y, high_y = min([peak / 100, *(p[2] for p in points)]) * 0.8, max([peak, *(p[2] for p in points)]) * 1.5

    def x_of(value: float) -> float:
        return left + (right - left) * math.log(value / low_x) / math.log(high_x / low_x)

    def y_of(value: float) -> float:
        return bottom - (bottom - top) * math.log(value / low_y) / math.log(high_y / low_y)
    lines = [_line(x_of(v), top, x_of(v), bottom, "#e4e8ec")
             + f'<text x="{x_of(v):.1f}" y="{bottom + 16}" text-anchor="middle">{v:g}</text>' for v in _ticks(low_x, high_x)]
    lines += [_line(left, y_of(v), right, y_of(v), "#e4e8ec") + f'<text x="{left - 6}" y="{y_of(v) + 4:.1f}" text-anchor="end">{v:g}</text>'
              for v in _ticks(low_y, high_y)]
    for bandwidth, what in ((memory, "memory"), (cache, "second-level cache")):
        knee, start = peak / bandwidth, max(low_x, low_y / bandwidth)
        lines.append(_line(x_of(start), y_of(start * bandwidth), x_of(knee), y_of(peak), "#24292f", 1.5))
        lines.append(f'<text x="{x_of(start) + 6:.1f}" y="{y_of(start * bandwidth) - 6:.1f}">{what}</text>')
    lines.append(_line(x_of(peak / cache), y_of(peak), right, y_of(peak), "#24292f", 1.5))
    families = {family: COLOURS[n % len(COLOURS)] for n, family in enumerate(dict.fromkeys(p[0] for p in points))}
    lines += [f'<circle cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="4" fill="{families[family]}" fill-opacity="0.75"/>'
              for family, x, y in points]
    for n, (family, colour) in enumerate(families.items()):
        lines.append(f'<circle cx="{right + 16}" cy="{top + 18 * n}" r="4" fill="{colour}"/>'
                     f'<text x="{right + 26}" y="{top + 18 * n + 4}">{escape(family)}</text>')
    lines.append(f'<text x="{(left + right) / 2}" y="{bottom + 36}" text-anchor="middle">FLOP a byte</text>')
    lines.append(f'<text x="16" y="{top - 8}">GFLOP/s</text>')
    return _page(bottom + 50, title, lines)
