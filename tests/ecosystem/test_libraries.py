"""Libraries written for JAX, their sources untouched, give JAX's numbers on fungrad.

Each library has a process of its own, ``python -m fungrad.jax -m tests.ecosystem.run``; libraries that are not
installed are skipped. The numbers are those of JAX 0.10.2 (``tests/ecosystem/numbers``), recorded by running the same
module without fungrad: ``python -m tests.ecosystem.run optax | tail -1 > tests/ecosystem/numbers/optax.json``.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ecosystem.compare import NUMBERS, differences

ROOT = Path(__file__).parent.parent.parent
LIBRARIES = sorted(path.stem for path in NUMBERS.glob("*.json"))
PACKAGES = {"e3nn": "e3nn_jax"}



@pytest.mark.parametrize("library", LIBRARIES)
def test_numbers_are_jaxs(library):
    if importlib.util.find_spec(PACKAGES.get(library, library)) is None:
        pytest.skip(f"{library} is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "fungrad.jax", "-m", "tests.ecosystem.run", library],
        capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=900,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert lines, done.stderr[-2000:]
    found = differences(library, json.loads(lines[-1]))
    assert not found, "\n".join(found)
