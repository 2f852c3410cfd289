"""Results as Markdown."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

INTRODUCTION = """# Results

Written by `python -m benchmarks --markdown benchmarks/RESULTS.md`. Every library has a process of its own, and for
each row they take turns, so that a slow moment of the machine hits all of them. Answers are compared; where they
differ, the row says so. The first table has the least time of a call and, in brackets, its ratio to JAX (below 1 is
faster than JAX); the last has medians. On a shared machine ratios within a quarter of 1 say nothing.

- `torch` is PyTorch as it is, `torchc` is `torch.compile`; `numpy` is written by hand without loops; `numba` is
  written by hand as parallel loops into preallocated results, with hand-written derivatives and polynomials in place
  of the C library's functions (`benchmarks/numba_math.py`): a limit to aim at rather than what one would write.
- `roof` is fungrad's percentage of the roofline: the time that the machine's memory (triad `a = b + s c`) or its
  matrix products (NumPy's, 2048 x 2048, float32) would need for the bytes and operations that the row cannot avoid,
  over the time it took. Data that stay in a cache can exceed it; loops of dependent steps, calls of a microsecond, and
  chains of transcendental functions are far from it by nature."""


def pretty(value: float, unit: str) -> str:
    """A number with three digits and a unit."""
    if unit != "s":
        return f"{value:.0f} {unit}"
    for name, factor in (("ns", 1e9), ("us", 1e6), ("ms", 1e3)):
        if value * factor < 1000:
            return f"{value * factor:.3g} {name}"
    return f"{value:.3g} s"


def cell(result: dict[str, Any], lib: str, key: str) -> str:
    """One library's figure, and its ratio to JAX."""
    entry, base = result["libs"].get(lib), result["libs"].get("jax", {}).get(key)
    if entry is None:
        return "-"
    if "error" in entry:
        return f"failed: {entry['error'][:60]}"
    ratio = f" ({entry[key] / base:.2g})" if base and lib != "jax" else ""
    return pretty(entry[key], result.get("unit", "s")) + ratio


def roof(result: dict[str, Any], rates: dict[str, float]) -> str:
    """fungrad's percentage of the roofline."""
    ours = result["libs"].get("fungrad", {}).get("min")
    if not ours or not rates or not (result.get("bytes") or result.get("flops")):
        return "-"
    least = max(result["bytes"] / rates["triad"], result["flops"] / rates["gemm"])
    return f"{100 * least / ours:.2g} %"


def row_line(result: dict[str, Any], libs: list[str], rates: dict[str, float], key: str = "min") -> str:
    """One line of a table."""
    note = f" **{result['disagreement']}**" if result.get("disagreement") else ""
    cells = [cell(result, lib, key) for lib in libs]
    return f"| {result['row']}{note} | {' | '.join([*cells, roof(result, rates)] if rates else cells)} |"


def table(results: list[dict[str, Any]], libs: list[str], rates: dict[str, float], key: str = "min") -> str:
    """Rows as a Markdown table, with a column for the roofline if the rates of the machine are given."""
    present = [lib for lib in libs if any(lib in result["libs"] for result in results)]
    heads = [*present, "roof"] if rates else present
    lines = [f"| row | {' | '.join(heads)} |", "| --- |" + " --- |" * len(heads)]
    return "\n".join([*lines, *(row_line(result, present, rates, key) for result in results)])


def geometric_mean(results: list[dict[str, Any]]) -> str:
    """Of the ratios fungrad / JAX over rows of time."""
    pairs = [(r["libs"].get("fungrad", {}).get("min"), r["libs"].get("jax", {}).get("min")) for r in results]
    ratios = [ours / theirs for ours, theirs in pairs if ours and theirs]
    if not ratios:
        return ""
    mean = math.exp(np.mean(np.log(ratios)))
    return f"Geometric mean of fungrad / JAX over {len(ratios)} rows: {mean:.3f}."


def page(run: dict[str, Any]) -> str:
    """The whole page."""
    libs, rates = run["libs"], run.get("rates", {})
    steady = [r for r in run["rows"] if not r.get("startup")]
    startup = [r for r in run["rows"] if r.get("startup")]
    facts = [f"{run['machine']}; {run['date']}", run["versions"], f"{run['rounds']} rounds"]
    if rates:
        facts.append(f"triad {rates['triad'] / 1e9:.0f} GB/s, gemm {rates['gemm'] / 1e9:.0f} Gflop/s")
    parts = [INTRODUCTION, "; ".join(facts) + "."]
    parts += [f"Not measured: {name} ({reason})." for name, reason in run["missing"].items()]
    if steady:
        parts += ["## Least times", table(steady, libs, rates), geometric_mean(steady)]
    if startup:
        parts += [
            "## Start, compile time, memory",
            "`start`: from the start of a process to its first result (imports, tracing, compiling, one call), with an "
            "empty cache on disk (cold) and a filled one (cached); `compile`: first call of one more program in a "
            "process that has compiled another, nothing cached; `memory`: resident after the import, and after 20 "
            "steps of training.",
            table(startup, libs, {}),
        ]
    if steady:
        parts += ["## Medians", table(steady, libs, {}, "median")]
    return "\n\n".join(part for part in parts if part) + "\n"
