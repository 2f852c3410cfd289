"""Diffrax: ordinary and stochastic differential equations, and gradients through them."""

import diffrax
import jax
import jax.numpy as jnp


def lotka_volterra():
    def field(t, y, args):
        a, b, c, d = args
        return jnp.stack([a * y[0] - b * y[0] * y[1], -c * y[1] + d * y[0] * y[1]])

    def solve(args):
        return diffrax.diffeqsolve(
            diffrax.ODETerm(field), diffrax.Tsit5(), 0.0, 4.0, 0.1, jnp.array([2.0, 1.0]), args=args,
            saveat=diffrax.SaveAt(ts=jnp.linspace(0.0, 4.0, 5)),
            stepsize_controller=diffrax.PIDController(rtol=1e-4, atol=1e-5),
        )  # fmt: skip

    args = (1.1, 0.4, 0.4, 0.1)
    solution = jax.jit(solve)(args)
    slope = jax.grad(lambda a: jnp.sum(solve(a).ys[-1]))(args)
    return {"ys": solution.ys, "steps": solution.stats["num_steps"], "slope": jnp.stack(slope)}


def stochastic():
    path = diffrax.VirtualBrownianTree(0.0, 1.0, tol=1e-3, shape=(2,), key=jax.random.PRNGKey(0))
    terms = diffrax.MultiTerm(
        diffrax.ODETerm(lambda t, y, args: -y),
        diffrax.ControlTerm(lambda t, y, args: 0.3 * jnp.diag(jnp.cos(y)), path),
    )
    solution = diffrax.diffeqsolve(
        terms, diffrax.Euler(), 0.0, 1.0, 0.05, jnp.ones(2), saveat=diffrax.SaveAt(steps=True), max_steps=32
    )
    return {"ys": solution.ys[:20], "path": path.evaluate(0.0, 0.5)}


def stiff():
    def field(t, y, args):
        return jnp.stack([-0.04 * y[0] + 1e2 * y[1] * y[2], 0.04 * y[0] - 1e2 * y[1] * y[2] - 3e3 * y[1] ** 2,
                          3e3 * y[1] ** 2])  # fmt: skip

    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(field), diffrax.Kvaerno5(), 0.0, 10.0, 1e-3, jnp.array([1.0, 0.0, 0.0]),
        stepsize_controller=diffrax.PIDController(rtol=1e-4, atol=1e-6),
    )  # fmt: skip
    return {"ys": solution.ys}
