"""Optimistix: roots, minima and least squares, and derivatives of solutions."""

import jax
import jax.numpy as jnp
import optimistix as optx


def roots():
    def f(y, args):
        return jnp.stack([y[0] ** 2 + y[1] - args, jnp.tanh(y[1]) - 0.5 * y[0]])

    def solve(args):
        return optx.root_find(f, optx.Newton(rtol=1e-6, atol=1e-6), jnp.array([1.0, 0.5]), args=args).value

    fixed = optx.fixed_point(lambda y, args: jnp.cos(y), optx.FixedPointIteration(1e-6, 1e-6), 0.5, max_steps=512)
    bisection = optx.root_find(
        lambda y, args: y**3 - 2.0, optx.Bisection(1e-6, 1e-6), 1.0, options={"lower": 0.0, "upper": 2.0}
    )
    return {
        "root": jax.jit(solve)(1.5), "slope": jax.jacobian(solve)(1.5), "fixed": fixed.value,
        "bisection": bisection.value,
    }  # fmt: skip


def minima():
    def rosenbrock(y, args):
        return 100.0 * (y[1] - y[0] ** 2) ** 2 + (1.0 - y[0]) ** 2

    def residuals(y, args):
        return jnp.stack([10.0 * (y[1] - y[0] ** 2), 1.0 - y[0]])

    start = jnp.array([-0.5, 1.0])
    return {
        "bfgs": optx.minimise(rosenbrock, optx.BFGS(1e-5, 1e-5), start, max_steps=512).value,
        "levenberg": optx.least_squares(residuals, optx.LevenbergMarquardt(1e-6, 1e-6), start).value,
        "gauss": jax.jit(lambda y: optx.least_squares(residuals, optx.GaussNewton(1e-6, 1e-6), y).value)(start),
        "simplex": optx.minimise(rosenbrock, optx.NelderMead(1e-4, 1e-4), start, max_steps=512).value,
    }
