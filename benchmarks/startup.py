"""From process start to the first result: ``python -m benchmarks.startup``.

Each program runs in fresh processes, with an empty cache on disk (cold) and with the cache that the run before filled
(warm). Reported are the least wall times of whole processes, and the memory they held at the end.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time

from benchmarks import libraries
from benchmarks.rows.elementwise import chain
from benchmarks.rows.loops import lstm, recurrent_data
from benchmarks.rows.mlp import adam_step, batch, init, loss_of


def fused_chain(lib):
    f = lib.jit(chain(lib.np))
    return lambda: f(lib.np.ones(100_000))


def mlp_adam(lib):
    return adam_step(lib, (784, 512, 512, 10), 128, True)


def deep_gradient(lib):
    sizes = (64, *[128] * 8, 10)
    params = lib.tree.tree_map(lib.asarray, init(sizes))
    x, y = map(lib.asarray, batch(sizes, 64))
    f = lib.jit(lib.grad(loss_of(lib.np, lib.nn.log_softmax)))
    return lambda: f(params, x, y)


def attention_gradient(lib):
    np_ = lib.np
    heads, length, width = 4, 128, 64
    w = {k: np_.ones((width, width)) * 0.01 for k in ("q", "k", "v", "o")}
    x = np_.ones((8, length, width))

    def loss(w, x):
        def split(y):
            return y.reshape(8, length, heads, width // heads)

        q, k, v = (split(x @ w[name]) for name in ("q", "k", "v"))
        scores = np_.einsum("bqhd,bkhd->bhqk", q, k) / (width // heads) ** 0.5
        out = np_.einsum("bhqk,bkhd->bqhd", lib.nn.softmax(scores), v).reshape(8, length, width)
        return np_.mean((out @ w["o"]) ** 2)

    f = lib.jit(lib.grad(loss))
    return lambda: f(w, x)


def lstm_gradient(lib):
    params, x = recurrent_data(lib, 4)
    run = lstm(lib)
    f = lib.jit(lib.grad(lambda p, x: lib.np.mean(run(p, x)[1] ** 2)))
    return lambda: f(params, x)


PROGRAMS = {f.__name__: f for f in (fused_chain, mlp_adam, deep_gradient, attention_gradient, lstm_gradient)}


def child(library: str, program: str) -> None:
    """Runs one program once and prints the peak memory in MiB."""
    lib = libraries.load(library)
    lib.block_until_ready(PROGRAMS[program](lib)())
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def run(library: str, program: str, cache: str) -> tuple[float, float]:
    """Wall seconds and memory of a fresh process."""
    env = {
        **os.environ,
        "FUNGRAD_CACHE_DIR": cache,
        "JAX_COMPILATION_CACHE_DIR": cache,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_PLATFORMS": "cpu",
    }
    start = time.perf_counter()
    out = subprocess.run(
        [sys.executable, "-m", "benchmarks.startup", "--child", library, program],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return time.perf_counter() - start, float(out.stdout.split()[-1])


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="regular expression that selects programs")
    args = parser.parse_args()
    if args.child:
        child(*args.child)
        return
    print(
        "| program | fungrad cold | jax cold | ratio | fungrad warm | jax warm | ratio | memory fungrad / jax [MiB] |"
    )
    print("| --- |" + " --- |" * 7)
    for program in [p for p in PROGRAMS if re.search(args.only, p)]:
        best: dict[tuple[str, str], float] = {}
        memory: dict[str, float] = {}
        for _ in range(args.rounds):
            for library in ("fungrad", "jax"):
                with tempfile.TemporaryDirectory() as cache:
                    for state in ("cold", "warm"):
                        seconds, rss = run(library, program, cache)
                        key = (library, state)
                        best[key] = min(seconds, best.get(key, seconds))
                        memory[library] = rss
        cells = []
        for state in ("cold", "warm"):
            ours, theirs = best["fungrad", state], best["jax", state]
            cells += [f"{ours:.2f} s", f"{theirs:.2f} s", f"{ours / theirs:.2f}"]
        print(f"| {program} | {' | '.join(cells)} | {memory['fungrad']:.0f} / {memory['jax']:.0f} |", flush=True)


if __name__ == "__main__":
    main()
