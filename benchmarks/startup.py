"""Costs outside the steady state, each measured in fresh processes.

``start/PROGRAM/cold`` and ``/cached`` are wall times from the start of the process to the first result, with an empty
cache on disk and with the one that the run before filled; ``compile/PROGRAM`` is the first call of one more program in
a process that has compiled another (nothing cached); ``start/import`` and ``memory/...`` speak for themselves.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from benchmarks import libraries, unrolled
from benchmarks.registry import ROWS, Row
from benchmarks.rows import mlp

STEPS = 20


def mlp_adam(lib: Any) -> Any:
    """A training step whose Adam is written out: start-up of the library, not of an optimizer package beside it."""
    params = lib.tree.tree_map(lib.asarray, mlp.init(mlp.MIDDLE))
    x, y = map(lib.asarray, mlp.batch(mlp.MIDDLE, 128))
    zeros = lib.tree.tree_map(lambda p: lib.np.zeros_like(p), params)
    loss = mlp.loss_of(lib.np, lib.nn.log_softmax)

    def step(params, mu, nu, x, y):
        value, grads = lib.value_and_grad(loss)(params, x, y)
        leaves = [lib.tree.tree_leaves(t) for t in (params, grads, mu, nu)]
        new = [mlp.adam_by_hand(lib.np, *four) for four in zip(*leaves, strict=True)]
        shape = lib.tree.tree_structure(params)
        return *(lib.tree.tree_unflatten(shape, part) for part in zip(*new, strict=True)), value

    run = lib.jit(step)
    return lambda: lib.done(run(params, zeros, zeros, x, y))


PROGRAMS = {
    "fused_chain": ROWS["elem/chain_f32_1e5"],
    "mlp_adam": Row("mlp_adam", mlp_adam, variants={"torchc": lambda lib: mlp.torch_step(lib, mlp.MIDDLE, 128)}),
    "deep_gradient": ROWS["mlp/deep_8_grad"],
    "attention_gradient": ROWS["nn/attention_grad"],
    "lstm_gradient": ROWS["loop/lstm_200x128x32_grad"],
    **unrolled.PROGRAMS,
}
NAMES = [
    "start/import",
    *(f"start/{program}/{state}" for program in PROGRAMS for state in ("cold", "cached")),
    *(f"compile/{program}" for program in PROGRAMS),
    "memory/import",
    "memory/mlp_adam",
]


def resident() -> float:
    """MiB that this process holds."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 2**20
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def child(task: str, library: str, program: str) -> None:
    """Does one thing in this process and prints what it cost."""
    lib = libraries.load(library)
    if task == "compile":
        ROWS["dispatch/jit_grad_tanh5"].thunk(lib)()
    start = time.perf_counter()
    if task != "import":
        thunk = PROGRAMS[program].thunk(lib)
        thunk()
    seconds = time.perf_counter() - start
    if task == "memory":
        for _ in range(STEPS - 1):
            thunk()
    print(json.dumps({"seconds": seconds, "memory": resident()}))


def run(task: str, library: str, program: str, cache: str) -> tuple[float, dict[str, float]]:
    """Wall seconds of a fresh process, and what it printed."""
    env = {
        **os.environ,
        "FUNGRAD_CACHE_DIR": f"{cache}/fungrad",
        "JAX_COMPILATION_CACHE_DIR": f"{cache}/jax",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "TORCHINDUCTOR_CACHE_DIR": f"{cache}/torch",
        "JAX_PLATFORMS": "cpu",
        "PYTHONDONTWRITEBYTECODE": "",  # an installed package has its bytecode beside it
    }
    command = [sys.executable, "-m", "benchmarks.startup", task, library, program]
    start = time.perf_counter()
    out = subprocess.run(command, env=env, capture_output=True, text=True)
    wall = time.perf_counter() - start
    if out.returncode:
        raise RuntimeError(f"{' '.join(command[2:])} failed:\n{out.stderr}")
    return wall, json.loads(out.stdout.splitlines()[-1])


def observe(name: str, library: str) -> Iterator[tuple[str, float]]:
    """Names of rows and values: one observation, or two where filling the cache is an observation too."""
    group, _, rest = name.partition("/")
    program = rest.partition("/")[0]
    measure = functools.partial(run, library=library, program=program)
    with tempfile.TemporaryDirectory() as cache:
        if program == "import":
            wall, told = measure("import", cache=cache)
            yield name, wall if group == "start" else told["memory"]
        elif group == "start":
            for state in ("cold", "cached"):
                yield f"start/{program}/{state}", measure("first", cache=cache)[0]
        else:
            told = measure(group, cache=cache)[1]
            yield name, told["seconds" if group == "compile" else "memory"]


def measured(name: str, library: str) -> bool:
    """Whether a library has the program of a row."""
    program = name.split("/")[1]
    if program == "import":
        return True
    if name.startswith("compile/") and library not in ("fungrad", "jax"):
        return False  # the others do not compile the program that warms the process up
    return library in ("fungrad", "jax", *PROGRAMS[program].variants)


def observations(names: list[str], library: str) -> dict[str, list[float]]:
    """One round for the chosen rows."""
    out: dict[str, list[float]] = {}
    if names:
        list(observe("start/import", library))  # writes bytecode and fills the system's file cache
    for name in names:
        if name not in out and measured(name, library):
            for key, value in observe(name, library):
                out.setdefault(key, []).append(value)
    return out


if __name__ == "__main__":
    child(*sys.argv[1:])
