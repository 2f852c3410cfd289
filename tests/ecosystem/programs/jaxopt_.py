"""jaxopt: minimisation, projections, and derivatives of solutions."""

import jax
import jax.numpy as jnp
import jaxopt


def _data():
    x = jax.random.normal(jax.random.key(0), (20, 4))
    return x, x @ jnp.array([1.0, -2.0, 0.5, 0.0]) + 0.1 * jnp.sin(jnp.arange(20.0))


def ridge():
    x, y = _data()

    def objective(w, strength):
        return jnp.mean((x @ w - y) ** 2) + strength * jnp.sum(w**2)

    solver = jaxopt.LBFGS(fun=objective, maxiter=50, tol=1e-6)

    def solution(strength):
        return solver.run(jnp.zeros(4), strength).params

    return {"w": solution(0.1), "slope": jax.jacobian(solution)(0.1)}


def projected():
    x, y = _data()
    solver = jaxopt.ProjectedGradient(
        fun=lambda w: jnp.mean((x @ w - y) ** 2), projection=jaxopt.projection.projection_simplex, maxiter=200
    )
    root = jaxopt.Bisection(lambda t: t**3 - 2.0, lower=0.0, upper=2.0).run().params
    return {"w": solver.run(jnp.ones(4) / 4).params, "root": root}
