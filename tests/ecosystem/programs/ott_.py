"""ott-jax: optimal transport between point clouds, and its gradient."""

import jax
from ott.geometry import pointcloud
from ott.problems.linear import linear_problem
from ott.solvers import linear
from ott.solvers.linear import sinkhorn
from ott.tools import sinkhorn_divergence


def _clouds():
    k1, k2 = jax.random.split(jax.random.PRNGKey(0))
    return jax.random.normal(k1, (5, 2)), jax.random.normal(k2, (6, 2)) + 1.0


def transport():
    x, y = _clouds()

    def cost(x):
        geometry = pointcloud.PointCloud(x, y, epsilon=0.3)
        return sinkhorn.Sinkhorn(max_iterations=100)(linear_problem.LinearProblem(geometry)).reg_ot_cost

    out = jax.jit(lambda x: linear.solve(pointcloud.PointCloud(x, y, epsilon=0.5)).matrix)(x)
    return {"cost": cost(x), "slope": jax.grad(cost)(x), "matrix": out}


def divergence():
    x, y = _clouds()
    value, _ = sinkhorn_divergence.sinkdiv(x, y, epsilon=0.5)
    return {"value": value}
