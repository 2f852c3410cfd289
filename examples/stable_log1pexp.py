"""A custom derivative where the automatic one is exact on paper and wrong on a computer.

``log(1 + exp(x))`` has the derivative ``exp(x) / (1 + exp(x))``, which differentiation finds, and which is ``inf /
inf`` for large ``x``. ``custom_jvp`` states the same derivative as ``1 - 1 / (1 + exp(x))``: no overflow, and it
carries over to ``grad``, ``vmap`` and ``jit``. The value itself overflows too, and needs another formula; the rule
that goes with it, ``exp(x - f(x))``, is itself differentiable everywhere.

    python examples/stable_log1pexp.py

What to look at: the printed programs before and after, the table of values, and the picture.
"""

from __future__ import annotations

import argparse

import matplotlib
import numpy as np
from rich.console import Console
from rich.table import Table

import fungrad
import fungrad.numpy as jnp

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def log1pexp(x):
    """As one writes it."""
    return jnp.log(1.0 + jnp.exp(x))


@fungrad.custom_jvp
def with_rule(x):
    """The same function, which brings its derivative along."""
    return jnp.log(1.0 + jnp.exp(x))


@with_rule.defjvp
def _(primals, tangents):
    (x,), (x_dot,) = primals, tangents
    return with_rule(x), (1.0 - 1.0 / (1.0 + jnp.exp(x))) * x_dot


@fungrad.custom_jvp
def stable(x):
    """Value and derivative both right: the larger of x and 0, and a correction that cannot overflow."""
    return jnp.maximum(x, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


@stable.defjvp
def _(primals, tangents):
    (x,), (x_dot,) = primals, tangents
    return stable(x), jnp.exp(x - stable(x)) * x_dot


VERSIONS = {"plain": log1pexp, "custom rule": with_rule, "rule and formula": stable}


def report(points):
    """Values and first two derivatives of the three versions."""
    table = Table(title="log(1 + exp(x)) in float32")
    for column in ("x", "version", "value", "first derivative", "second derivative"):
        table.add_column(column, justify="right")
    for x in points:
        for name, f in VERSIONS.items():
            slope = fungrad.grad(f)
            numbers = [float(g(x)) for g in (f, slope, fungrad.grad(slope))]
            table.add_row(f"{x:g}", name, *(f"[red]{n}[/red]" if np.isnan(n) else f"{n:.7g}" for n in numbers))
        table.add_section()
    Console(width=100).print(table)


def plot(path, count):
    """Saves the derivative of the three versions, computed for all points by one compiled function each."""
    x = jnp.linspace(-110.0, 110.0, count)
    figure, axes = plt.subplots(1, 3, figsize=(9, 2.8), layout="constrained", sharey=True)
    for axis, (name, f) in zip(axes, VERSIONS.items(), strict=True):
        slope = fungrad.jit(fungrad.vmap(fungrad.grad(f)))(x)
        lost = np.isnan(slope)
        axis.plot(x, slope)
        if lost.any():
            axis.axvspan(float(x[lost.argmax()]), 110, color="red", alpha=0.15, label="nan")
            axis.legend(loc="upper left")
        axis.set(title=name, xlabel="x")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("derivative")
    figure.savefig(path, dpi=120)
    print(f"derivatives: {path}")


def main():
    """Prints programs and numbers, and checks them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="fewer points in the picture")
    parser.add_argument("--plot", default="stable_log1pexp.png", help="where to save the picture")
    args = parser.parse_args()

    print("The derivative that differentiation finds:")
    print(fungrad.make_jaxpr(fungrad.grad(log1pexp))(1.0))
    print("\nThe function with its rule is one equation:")
    print(fungrad.make_jaxpr(with_rule)(1.0))
    print("\nand its derivative is the rule:")
    print(fungrad.make_jaxpr(fungrad.grad(with_rule))(1.0), "\n")
    report((0.0, 100.0, -100.0))
    plot(args.plot, 201 if args.short else 2001)

    assert np.isnan(fungrad.grad(log1pexp)(100.0))
    for f in (with_rule, stable):
        np.testing.assert_allclose(fungrad.grad(f)(100.0), 1.0)
        np.testing.assert_allclose(fungrad.grad(f)(0.0), 0.5)
    np.testing.assert_allclose(stable(100.0), 100.0)
    np.testing.assert_allclose(fungrad.grad(stable)(-100.0), np.exp(-100.0), rtol=0.05)  # a subnormal number
    np.testing.assert_allclose(fungrad.grad(fungrad.grad(stable))(0.0), 0.25)


if __name__ == "__main__":
    main()
