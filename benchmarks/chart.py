"""A horizontal bar chart as SVG: milliseconds a step by workload and engine, each workload on its own scale."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

BAR, GAP, LEFT, WIDTH = 18, 6, 190, 760
COLOURS = {"kcompile": "#2f6fde"}
OTHER = "#b8bfca"


def svg(results: Mapping[str, Mapping[str, float]], title: str) -> str:
    """`results`: workload -> engine -> milliseconds a step."""
    lines: list[str] = []
    y = 48
    for workload, engines in results.items():
        lines.append(f'<text x="16" y="{y + 4}" font-weight="600">{escape(workload)}</text>')
        y += 14
        longest = max(engines.values())
        for engine, milliseconds in engines.items():
            length = max(2.0, (WIDTH - LEFT - 150) * milliseconds / longest)
            lines.append(f'<text x="{LEFT - 8}" y="{y + BAR - 5}" text-anchor="end">{escape(engine)}</text>')
            lines.append(f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{COLOURS.get(engine, OTHER)}"/>')
            lines.append(f'<text x="{LEFT + length + 6:.1f}" y="{y + BAR - 5}">{milliseconds:.3g} ms  '
                         f'({milliseconds / engines["kcompile"]:.1f}x)</text>')
            y += BAR + GAP
        y += 16
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}" '
            'font-family="system-ui, sans-serif" font-size="12" fill="#24292f">')
    return "\n".join([head, f'<rect width="{WIDTH}" height="{y}" fill="#ffffff"/>',
                      f'<text x="16" y="24" font-size="15" font-weight="600">{escape(title)}</text>', *lines, "</svg>"]) + "\n"
