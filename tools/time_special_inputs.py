"""Times every elementary function of compiled programs on the inputs that people mask with, against ordinary ones.

    python tools/time_special_inputs.py [--dtype float32] [--function exp] [--limit 1.5]

Prints, for each function, the time per element of ordinary arguments, and the ratio for every kind of special ones that
takes more than `--limit` times as long. Kinds take turns and each counts with its best time, so that other work on the
machine matters little. Results below the smallest normal number are what processors are slow at: an operation with
such an operand or result may take a hundred cycles. `--check LIMIT` fails if some ratio is greater.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, nn
from fungrad.core.programs import finish
from fungrad.scipy import special

FUNCTIONS = {
    "exp": jnp.exp,
    "exp2": jnp.exp2,
    "expm1": jnp.expm1,
    "log": jnp.log,
    "log1p": jnp.log1p,
    "log2": jnp.log2,
    "log10": jnp.log10,
    "sqrt": jnp.sqrt,
    "rsqrt": lax.rsqrt,
    "cbrt": jnp.cbrt,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tan": jnp.tan,
    "asin": jnp.arcsin,
    "acos": jnp.arccos,
    "atan": jnp.arctan,
    "sinh": jnp.sinh,
    "cosh": jnp.cosh,
    "tanh": jnp.tanh,
    "asinh": jnp.arcsinh,
    "acosh": jnp.arccosh,
    "atanh": jnp.arctanh,
    "logistic": lax.logistic,
    "softplus": nn.softplus,
    "gelu": nn.gelu,
    "silu": nn.silu,
    "log_sigmoid": nn.log_sigmoid,
    "erf": lax.erf,
    "erfc": lax.erfc,
    "erf_inv": lax.erf_inv,
    "lgamma": lax.lgamma,
    "digamma": lax.digamma,
    "i0e": special.i0e,
    "i1e": special.i1e,
    "logaddexp": lambda x: jnp.logaddexp(x, 0.25),
    "pow": lambda x: jnp.power(x, 1.7),
    "power of": lambda x: jnp.power(1.3, x),
    "hypot": lambda x: jnp.hypot(x, 0.5),
    "atan2": lambda x: jnp.arctan2(x, 0.5),
    "sinc": jnp.sinc,
    "softmax": lambda x: nn.softmax(x.reshape(-1, 64), -1),
    "logsumexp": lambda x: special.logsumexp(x.reshape(-1, 64), -1),
}

SIZE = 4096


def kinds(dtype: np.dtype) -> dict[str, np.ndarray]:
    """Special arguments by name."""
    info = np.finfo(dtype)
    rng = np.random.default_rng(1)
    ordinary = rng.uniform(0.1, 0.9, SIZE)
    least = np.log(float(info.smallest_subnormal))
    fading = np.log(float(info.tiny))
    found = {
        "-inf": np.full(SIZE, -np.inf),
        "inf": np.full(SIZE, np.inf),
        "nan": np.full(SIZE, np.nan),
        "-1e30": np.full(SIZE, -1e30),
        "1e30": np.full(SIZE, 1e30),
        "-1e9": np.full(SIZE, -1e9),
        "1e9": np.full(SIZE, 1e9),
        "least": np.full(SIZE, float(info.min)),
        "greatest": np.full(SIZE, float(info.max)),
        "0": np.zeros(SIZE),
        "-0": np.full(SIZE, -0.0),
        "subnormal": rng.uniform(0.01, 0.99, SIZE) * float(info.tiny),
        "-subnormal": -rng.uniform(0.01, 0.99, SIZE) * float(info.tiny),
        "tiny": np.full(SIZE, 4 * float(info.tiny)),
        "fading": rng.uniform(least, fading, SIZE),
        "-fading": rng.uniform(-fading, -least, SIZE),
        "faded": rng.uniform(4 * least, least, SIZE),
        "half -inf": np.where(np.arange(SIZE) % 2, ordinary, -np.inf),
        "half -1e30": np.where(np.arange(SIZE) % 2, ordinary, -1e30),
        "some nan": np.where(np.arange(SIZE) % 7, ordinary, np.nan),
        "wide": rng.uniform(3 * fading, -3 * fading, SIZE),
    }
    return {"ordinary": ordinary.astype(dtype), **{k: x.astype(dtype) for k, x in found.items()}}


def measure(function, inputs: dict[str, np.ndarray], rounds: int = 15) -> dict[str, float]:
    """Best seconds per call by kind of input."""
    compiled = fungrad.jit(function)
    operands = {k: jnp.asarray(x, dtype=x.dtype) for k, x in inputs.items()}
    best = dict.fromkeys(operands, np.inf)
    with fungrad.threads(1), fungrad.flush_subnormals(False):
        for x in operands.values():
            compiled(x)
        for _ in range(rounds):
            for k, x in operands.items():
                start = time.perf_counter()
                for _ in range(4):
                    compiled(x)
                best[k] = min(best[k], (time.perf_counter() - start) / 4)
    return best


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dtype", action="append", help="float32 and float64 unless given")
    parser.add_argument("--function", action="append", choices=list(FUNCTIONS))
    parser.add_argument("--limit", type=float, default=1.5, help="ratios that are shown")
    parser.add_argument("--check", type=float, help="the greatest ratio that is accepted")
    options = parser.parse_args(arguments)
    worst = 0.0
    for name in options.dtype or ["float32", "float64"]:
        inputs = kinds(np.dtype(name))
        empty = min(measure(lambda x: x, inputs, 3).values())
        print(f"{name}: ns per element, and ratios above {options.limit}")
        for function in options.function or FUNCTIONS:
            best = {k: max(t - empty, 1e-9) for k, t in measure(FUNCTIONS[function], inputs).items()}
            usual = best.pop("ordinary")
            ratios = {k: t / usual for k, t in best.items()}
            worst = max(worst, *ratios.values())
            slow = ", ".join(f"{k} {r:.1f}" for k, r in ratios.items() if r > options.limit)
            print(f"  {function:12} {usual / SIZE * 1e9:6.2f}  {slow}", flush=True)
    return int(options.check is not None and worst > options.check)


if __name__ == "__main__":
    finish(main)
