"""The derivative of a fixed point: through all iterations, or by the implicit function theorem.

A deep-equilibrium layer returns the ``z`` with ``z = tanh(W z + U x + b)``. Differentiating the solver step by step
stores every iterate. At the solution, however, the derivative is known without them: if ``z = f(p, z)``, then a
cotangent ``g`` of ``z`` becomes a cotangent ``u`` of ``f``'s result with ``u = g + u df/dz``, a linear fixed point of
the same kind, and ``u df/dp`` is the gradient. ``custom_vjp`` states this once; the forward solver may then be any
loop, here ``while_loop``, which stops when it has converged.

    python examples/implicit_fixed_point.py

What to look at: the memory of the unrolled gradient grows with the number of steps, that of the implicit one does not,
and the unrolled one is only right once it has converged.
"""

from __future__ import annotations

import argparse
import functools
import time

import matplotlib
import numpy as np
from rich.console import Console
from rich.table import Table

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, random

matplotlib.use("Agg")
import matplotlib.pyplot as plt

WIDTH, BATCH, LIMIT = 128, 64, 500


def layer(params, z):
    """One application of the layer; the parameters include the input."""
    return jnp.tanh(z @ params["w"] + params["x"] @ params["u"] + params["b"])


def iterate(f, start, tolerance):
    """Applies ``f`` until its result stops changing."""

    def changing(state):
        count, old, new = state
        return (count < LIMIT) & (jnp.max(jnp.abs(new - old)) > tolerance)

    def step(state):
        count, _, z = state
        return count + 1, z, f(z)

    return lax.while_loop(changing, step, (1, start, f(start)))[2]


# -- implicit: a solver with its own derivative -----------------------------------------------------------------------


@functools.partial(fungrad.custom_vjp, nondiff_argnums=(0,))
def fixed_point(f, params, start):
    """The ``z`` with ``z = f(params, z)``, for any contraction ``f``."""
    return iterate(lambda z: f(params, z), start, 1e-6)


def fixed_point_forward(f, params, start):
    z = fixed_point(f, params, start)
    return z, (params, z)


def fixed_point_backward(f, residuals, g):
    params, z = residuals
    _, through_z = fungrad.vjp(lambda z: f(params, z), z)
    u = iterate(lambda u: g + through_z(u)[0], g, 1e-9)
    _, through_params = fungrad.vjp(lambda params: f(params, z), params)
    return through_params(u)[0], jnp.zeros_like(z)  # the start has no influence


fixed_point.defvjp(fixed_point_forward, fixed_point_backward)


def implicit_loss(params):
    """A scalar of the fixed point."""
    return jnp.mean(fixed_point(layer, params, jnp.zeros_like(params["x"])) ** 2)


# -- unrolled: a fixed number of steps, differentiated one by one -----------------------------------------------------


def unrolled_loss(steps, params):
    """The same after ``steps`` steps from zero."""
    z = lax.fori_loop(0, steps, lambda _, z: layer(params, z), jnp.zeros_like(params["x"]))
    return jnp.mean(z**2)


# -- the comparison ---------------------------------------------------------------------------------------------------


def make_params(key, norm=0.95, dtype=jnp.float32):
    """Random weights; ``w`` is symmetric with the norm ``norm``, so the layer is a contraction, if a slow one."""
    keys = random.split(key, 3)
    w = np.asarray(random.normal(keys[0], (WIDTH, WIDTH)), np.float64)
    w = w + w.T
    u, x = (random.normal(k, s) for k, s in ((keys[1], (WIDTH, WIDTH)), (keys[2], (BATCH, WIDTH))))
    arrays = {"w": w * norm / np.linalg.norm(w, 2), "u": np.asarray(u) * 0.02, "b": np.zeros(WIDTH), "x": np.asarray(x)}
    return {name: jnp.asarray(a, dtype) for name, a in arrays.items()}


def reference(params):
    """The gradient for ``w`` in double precision by NumPy, with a direct linear solver in place of iterations."""
    w, u, b, x = (np.asarray(params[name], np.float64) for name in ("w", "u", "b", "x"))
    z = np.zeros_like(x)
    for _ in range(2000):
        z = np.tanh(z @ w + x @ u + b)
    slope = 1 - z**2
    rows = []
    for i in range(len(z)):  # u_i solves u = g + (u slope) w^T
        system = np.eye(WIDTH) - w @ np.diag(slope[i])
        rows.append(np.linalg.solve(system, 2 * z[i] / z.size))
    return z.T @ (np.array(rows) * slope)


def measure(name, loss, params, exact):
    """Error, time and memory of a gradient."""
    gradient = fungrad.jit(fungrad.grad(loss))
    memory = gradient.lower(params).compile().memory_analysis()
    got = np.asarray(gradient(params)["w"], np.float64)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        gradient(params)
        seconds.append(time.perf_counter() - start)
    error = np.linalg.norm(got - exact) / np.linalg.norm(exact)
    return name, error, min(seconds), memory.peak_memory_in_bytes


def plot(rows, path):
    """Saves error and memory over the number of steps."""
    *unrolled, (_, error, _, memory) = rows
    steps = [int(name.split()[1]) for name, *_ in unrolled]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    left.loglog(steps, [row[1] for row in unrolled], "o-", label="unrolled")
    left.axhline(error, color="C1", label="implicit")
    right.loglog(steps, [row[3] / 2**20 for row in unrolled], "o-", label="unrolled")
    right.axhline(memory / 2**20, color="C1", label="implicit")
    left.set(title="Relative error of the gradient", xlabel="steps")
    right.set(title="Memory [MiB]", xlabel="steps")
    for axis in (left, right):
        axis.grid(alpha=0.3, which="both")
        axis.legend()
    figure.savefig(path, dpi=120)
    print(f"error and memory: {path}")


def main():
    """Compares the two and checks the claims."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="at most 128 steps")
    parser.add_argument("--plot", default="implicit_fixed_point.png", help="where to save the picture")
    args = parser.parse_args()

    params = make_params(random.key(0))
    exact = reference(params)
    steps = [4, 8, 16, 32, 64, 128] + ([] if args.short else [256])
    rows = [measure(f"unrolled {n}", functools.partial(unrolled_loss, n), params, exact) for n in steps]
    rows.append(measure("implicit", implicit_loss, params, exact))

    table = Table(title=f"Gradient of a deep-equilibrium layer, width {WIDTH}, batch {BATCH}")
    for column in ("", "relative error", "time", "memory"):
        table.add_column(column, justify="right")
    for name, error, seconds, memory in rows:
        table.add_row(name, f"{error:.1e}", f"{1e3 * seconds:.2f} ms", f"{memory / 2**20:.2f} MiB")
    Console(width=100).print(table)
    plot(rows, args.plot)

    by_name = {name: row for name, *row in rows}
    assert by_name["implicit"][0] < 1e-4, "the implicit gradient is wrong"
    assert by_name["unrolled 4"][0] > 1e-2, "four steps should not have converged"
    assert by_name["implicit"][2] < by_name["unrolled 128"][2] / 4, "the implicit gradient needs too much memory"


if __name__ == "__main__":
    main()
