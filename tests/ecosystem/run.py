"""Runs the programs of one library and prints their numbers as JSON: ``python -m tests.ecosystem.run optax``."""

from __future__ import annotations

import importlib
import json
import sys
import traceback
import types
from typing import Any

import numpy as np

# Of each array at most so many elements are kept.
_LIMIT = 60


def _numbers(x: Any) -> Any:
    import jax

    if hasattr(x, "dtype") and jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
        x = jax.random.key_data(x)
    a = np.asarray(x)
    if a.dtype.kind not in "biuf":
        a = a.astype(np.float32)
    flat = a.reshape(-1)[:_LIMIT]
    values = [repr(float(v)) if a.dtype.kind == "f" else int(v) for v in flat]
    return {"shape": list(a.shape), "dtype": str(a.dtype), "values": values}


def run(library: str) -> dict[str, Any]:
    """The numbers of each program, or the error that it raised."""
    out: dict[str, Any] = {}
    try:
        module = importlib.import_module(f"tests.ecosystem.programs.{library}_")
    except Exception as error:
        return {"import": {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}}
    for name, program in list(vars(module).items()):
        if isinstance(program, types.FunctionType) and program.__module__ == module.__name__ and name[0] != "_":
            try:
                out[name] = {key: _numbers(value) for key, value in program().items()}
            except Exception as error:
                out[name] = {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
    return out


if __name__ == "__main__":
    result = json.dumps(run(sys.argv[1]))
    print("\n" + result, flush=True)
