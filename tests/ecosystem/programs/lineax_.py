"""Lineax: linear systems with structure, least squares, and derivatives of their solutions."""

import jax
import jax.numpy as jnp
import lineax as lx


def _system():
    a = jax.random.normal(jax.random.PRNGKey(0), (4, 4))
    return a @ a.T + 4 * jnp.eye(4), jnp.arange(4.0)


def solvers():
    a, b = _system()
    positive = lx.MatrixLinearOperator(a, lx.positive_semidefinite_tag)
    diagonal = jnp.arange(1.0, 5.0)
    tridiagonal = lx.TridiagonalLinearOperator(diagonal, -0.5 * jnp.ones(3), 0.3 * jnp.ones(3))
    return {
        "lu": lx.linear_solve(lx.MatrixLinearOperator(a), b).value,
        "cg": jax.jit(lambda b: lx.linear_solve(positive, b, lx.CG(1e-5, 1e-5)).value)(b),
        "cholesky": lx.linear_solve(positive, b, lx.Cholesky()).value,
        "gmres": lx.linear_solve(lx.MatrixLinearOperator(a), b, lx.GMRES(1e-5, 1e-5)).value,
        "tridiagonal": lx.linear_solve(tridiagonal, b).value,
        "qr": lx.linear_solve(lx.MatrixLinearOperator(a[:, :2]), b, lx.QR()).value,
        "svd": lx.linear_solve(lx.MatrixLinearOperator(a[:2]), b[:2], lx.SVD()).value,
    }


def derivatives():
    a, b = _system()

    def loss(a, b):
        return jnp.sum(lx.linear_solve(lx.MatrixLinearOperator(a), b).value ** 2)

    function = lx.FunctionLinearOperator(lambda x: a @ x, jax.ShapeDtypeStruct((4,), jnp.float32))
    return {
        "slopes": jnp.concatenate([g.ravel() for g in jax.jit(jax.grad(loss, (0, 1)))(a, b)]),
        "mapped": jax.vmap(lambda b: lx.linear_solve(function, b, lx.AutoLinearSolver(well_posed=True)).value)(
            jnp.stack([b, 2 * b])
        ),
        "jvp": jax.jvp(loss, (a, b), (jnp.ones_like(a), b))[1],
    }
