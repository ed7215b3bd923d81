"""From the figures of run.py to Markdown and plots."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import charts

OWN = "kcompile"
WIDE = 64  # bytes of a vector from which on more is expected of a kernel


def summary(row: dict[str, Any]) -> tuple[float, str, list[float]]:
    """(best milliseconds a step, by which call, that call's median in each round)."""
    best = {call: min(min(one[call]) for one in row["rounds"]) for call in row["rounds"][0]}
    call = min(best, key=best.__getitem__)
    return best[call], call, [statistics.median(one[call]) for one in row["rounds"]]


def ratios(peer: dict[str, Any], own: dict[str, Any]) -> tuple[float, float, float]:
    """How many times longer the peer takes: (of the best, least and most of the rounds)."""
    (peer_best, _, peer_rounds), (own_best, _, own_rounds) = summary(peer), summary(own)
    each = [p / o for p, o in zip(peer_rounds, own_rounds, strict=True)]
    return peer_best / own_best, min(each), max(each)


def fastest(rows: dict[str, dict[str, Any]]) -> str | None:
    return min((name for name in rows if name != OWN), key=lambda name: summary(rows[name])[0], default=None)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Markdown, the first column to the left and the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def workload_table(results: dict[str, Any]) -> str:
    lines = []
    for name, rows in results["workloads"].items():
        own, call, _ = summary(rows[OWN])
        peer = fastest(rows)
        if peer is None:
            lines.append([name, f"{own:.4g}", "-", "-", "-", "-"])
            continue
        best, peer_call, _ = summary(rows[peer])
        ratio, least, most = ratios(rows[peer], rows[OWN])
        verdict = f"**{ratio:.2f}x**" if ratio > 1 else f"{ratio:.2f}x (slower)"
        lines.append([name, f"{own:.4g}" + ("" if call == "fit" else f" ({call})"), f"{peer} ({peer_call})", f"{best:.4g}", verdict,
                      f"{least:.2f}-{most:.2f}"])
    return table(["workload", "kcompile, ms", "fastest peer", "ms", "ratio", "over the rounds"], lines)


def engine_table(results: dict[str, Any]) -> str:
    """Every engine on every workload, each of its calls."""
    lines = []
    for name, rows in results["workloads"].items():
        for engine, row in rows.items():
            calls = row["rounds"][0]
            for call in calls:
                best = min(min(one[call]) for one in row["rounds"])
                middle = statistics.median(statistics.median(one[call]) for one in row["rounds"])
                lines.append([name, engine, call, f"{best:.4g}", f"{middle:.4g}"])
    return table(["workload", "engine", "call", "best ms", "median ms"], lines)


def start_table(results: dict[str, Any]) -> str:
    lines = []
    for name, rows in results["workloads"].items():
        for engine, row in rows.items():
            cold, started = row["cold"], row["started"]
            second = f"{started['first_step_s']:.2f}" if engine == OWN else ""
            lines.append([name, engine, f"{started['import_s']:.2f}", f"{cold['build_s']:.2f}", f"{cold['first_step_s']:.2f}",
                          second, f"{1e3 * started['again_s']:.3g}", f"{row['peak_mb']:.0f}"])
    return table(["workload", "engine", "import, s", "build, s", "first call, s", "in a second process, s", "again, ms", "peak, MB"], lines)


def best_limits(rows: list[dict[str, Any]]) -> dict[int, dict[str, float]]:
    """The most that the machine showed, by number of threads."""
    found: dict[int, dict[str, float]] = {}
    for row in rows:
        if "threads" in row:
            limit = found.setdefault(row["threads"], {})
            for key in ("flops", "fed", "memory", "cache", "cache_bytes"):
                limit[key] = max(limit.get(key, 0), row[key])
    return found


def share(row: dict[str, Any], threads: int, limit: dict[str, float]) -> float:
    """Of what arithmetic, at the clock of that moment, or memory (the second-level cache, where the arrays fit) allow."""
    bandwidth = limit["cache"] if row["bytes"] <= limit["cache_bytes"] else limit["memory"]
    return max(row["flop"] / row[f"flops_{threads}"], row["bytes"] / bandwidth) / row[f"seconds_{threads}"]


def limits_text(rows: list[dict[str, Any]]) -> str:
    return "; ".join(f"{threads} thread{'s' if threads > 1 else ''}: {x['flops'] / 1e9:.0f} GFLOP/s "
                     f"({x['fed'] / 1e9:.0f} with operands from the first-level cache), {x['memory'] / 1e9:.1f} GB/s from memory, "
                     f"{x['cache'] / 1e9:.0f} GB/s from the second-level cache"
                     for threads, x in best_limits(rows).items())


def aim(row: dict[str, Any], vector_bytes: int) -> float:
    """The share of the peak that a product should reach; 0 for others and for products of less than 10 MFLOP."""
    if not row.get("channels") or (row["family"] == "contraction" and row["flop"] < 1e7):
        return 0.0
    return 0.9 if vector_bytes == WIDE and row["channels"] % (vector_bytes // 4) == 0 else 0.85


def aims_text(rows: list[dict[str, Any]]) -> str:
    """How many products reach what they should, in whole percents as the table has them."""
    vector_bytes = rows[0]["vector_bytes"]
    aimed = [row for row in rows if "name" in row and aim(row, vector_bytes)]

    def reached(row: dict[str, Any], threads: int) -> bool:
        return "error" not in row and round(row["flop"] / row[f"flops_{threads}"] / row[f"seconds_{threads}"], 2) >= aim(row, vector_bytes)
    counts = [f"{sum(reached(row, threads) for row in aimed)} on {threads} thread{'s' if threads > 1 else ''}"
              for threads in best_limits(rows)]
    aims = "90 % of the peak (85 % where channels are no multiple of a vector)" if vector_bytes == WIDE else "85 % of the peak"
    return f"Of {len(aimed)} convolutions and contractions of 10 MFLOP and more, {aims} reach: {', '.join(counts)}."


def kernel_table(rows: list[dict[str, Any]]) -> str:
    limits = best_limits(rows)
    lines = []
    for row in rows:
        if "name" not in row:
            continue
        if "error" in row:
            lines.append([f"{row['family']} {row['name']}", row["error"], *[""] * (3 * len(limits) - 1)])
            continue
        cells = []
        for threads, limit in limits.items():
            taken = row[f"seconds_{threads}"]
            cells += [f"{1e6 * taken:.4g}", f"{row['flop'] / taken / 1e9:.0f}" if row["flop"] else f"{row['bytes'] / taken / 1e9:.0f} GB/s",
                      f"{100 * share(row, threads, limit):.0f} %"]
        lines.append([f"{row['family']} {row['name']}", *cells])
    head = ["kernel"]
    for threads in limits:
        head += [f"µs, {threads}t", "GFLOP/s", "of the limit"]
    return table(head, lines)


def write(name: Path, results: dict[str, Any]) -> None:
    """NAME.md and its plots; NAME-notes.md, which is written by hand, is named there."""
    parts = [f"# Performance\n\nMeasured on {results['machine']}, {results['date']}, by\n\n    {results['command']}\n"]
    if results["workloads"]:
        parts.append(f"""## Beside the fastest peer

The engines of a workload ran in alternation, {results['rounds']} rounds. Times are of the best epoch, milliseconds a training step or a
prediction; an epoch has the same rows for all. The ratio is the fastest peer's time over kcompile's (below 1: kcompile is slower),
beside it the least and the most of the single rounds' medians. A prediction is the faster of `predict_on_batch` and of an engine's
own way to run a model; batch sizes and steps of an epoch are those of [workloads.py](../benchmarks/workloads.py).

{workload_table(results)}

![times longer than kcompile]({name.name}-workloads.svg)
""")
        parts.append(f"""## Starting, and memory

`first call`: the first `fit` on one batch, or the first prediction, with nothing compiled before; `in a second process`: the same where
another process has compiled it (only kcompile keeps what it compiled); `again`: the same call once more; `peak`: resident memory.

{start_table(results)}
""")
    if results["kernels"]:
        parts.append(f"""## Kernels alone

One op on warm arrays, against what this machine was measured to do at most ({limits_text(results["kernels"])}).

The limit is the larger of arithmetic and of reading every array once, from the second-level cache where all fit, else from memory.
The third-level cache lies between, so that arrays that fit it can pass 100 %; so can a kernel that needs less arithmetic than is
counted: one of few channels, and many a convolution by 3x3 filters, of whose 36 products 16 are left (see
[decision 10](decisions/0010-minimal-filtering.md)).
Arithmetic is measured against multiply-adds on registers, which take turns with the calls of each kernel: the clock of this machine
moves within seconds. A tile has to load what it multiplies; where that lowers the clock, the figure in brackets is the most that it can
reach. Of {results['kernel_rounds']} rounds over all kernels the shortest time of each counts: what a neighbour does to the caches of a
core, no clock shows. {aims_text(results["kernels"])}

![roofline]({name.name}-kernels.svg)

{kernel_table(results["kernels"])}
""")
    if results["shorter"]:
        parts.append(f"""## Kernels alone, code for AVX2

The same machine, and code for processors with AVX2 (`KCOMPILE_TARGET=avx2`), against what vectors of 32 bytes can do at most here
({limits_text(results["shorter"])}). {aims_text(results["shorter"])}

{kernel_table(results["shorter"])}
""")
    if results["workloads"]:
        parts.append(f"## Every engine\n\n{engine_table(results)}\n")
    if results["failures"]:
        parts.append("## Left out\n\n" + "\n".join(f"- {failure}" for failure in results["failures"]) + "\n")
    if (notes := name.with_name(f"{name.name}-notes.md")).exists():
        parts.append(f"What there is to say of this run stands in [notes]({notes.name}).\n")
    name.with_suffix(".md").write_text("\n".join(parts))
    if results["workloads"]:
        bars = {workload: {engine: ratios(row, rows[OWN]) for engine, row in rows.items() if engine != OWN}
                for workload, rows in results["workloads"].items()}
        chart = charts.ratio_chart(bars, "Times as long as kcompile (range: single rounds)")
        (name.parent / f"{name.name}-workloads.svg").write_text(chart)
    if results["kernels"]:
        threads, limit = max(best_limits(results["kernels"]).items())
        points = [(row["family"], row["flop"] / row["bytes"], row["flop"] / row[f"seconds_{threads}"] / 1e9)
                  for row in results["kernels"] if row.get("flop") and "error" not in row]
        (name.parent / f"{name.name}-kernels.svg").write_text(charts.roofline_chart(points, limit, f"Kernels alone, {threads} threads"))
