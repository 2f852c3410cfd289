"""Compares what a library's programs give with the recorded numbers of JAX."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

NUMBERS = Path(__file__).parent / "numbers"

# Relative to the values and to the largest of an array. Single precision, other order of summation.
_TOLERANCE = 1e-3

# Quantities that rounding decides: JAX differs from itself as much where its inputs change in the last digit.
CHAOTIC: dict[tuple[str, str, str], float] = {}


def differences(library: str, found: dict[str, Any], folder: Path = NUMBERS) -> list[str]:
    """What differs, one line per quantity; empty if nothing does."""
    expected = json.loads((folder / f"{library}.json").read_text())
    out = []
    for program, quantities in expected.items():
        if "traceback" in quantities:
            raise ValueError(f"{library}.{program} raised an error when its numbers were recorded")
        mine = found.get(program, {"error": "the program was not run", "traceback": ""})
        if "traceback" in mine:
            out.append(f"{program}: {mine['error']}\n{mine['traceback']}")
            continue
        for name, theirs in quantities.items():
            ours = mine[name]
            if (ours["shape"], ours["dtype"]) != (theirs["shape"], theirs["dtype"]):
                out.append(f"{program}.{name}: {ours['dtype']}{ours['shape']}, JAX {theirs['dtype']}{theirs['shape']}")
                continue
            a, b = np.array(ours["values"], float), np.array(theirs["values"], float)
            finite = np.isfinite(b)
            scale = np.max(np.abs(b[finite]), initial=0.0)
            allowed = CHAOTIC.get((library, program, name), _TOLERANCE) * (np.abs(b) + 1e-2 * scale) + 1e-6
            same = np.where(finite, np.abs(a - b) <= allowed, (a == b) | (np.isnan(a) & np.isnan(b)))
            if not same.all():
                worst = int(np.argmax(np.where(same, 0, np.abs(a - b))))
                count = f"{(~same).sum()} of {same.size} differ"
                out.append(f"{program}.{name}: {count}; at {worst}: {a[worst]}, JAX {b[worst]}")
    return out
