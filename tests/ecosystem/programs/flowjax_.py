"""FlowJAX: a flow of couplings and spline bijections."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from flowjax.bijections import Affine, RationalQuadraticSpline
from flowjax.distributions import Normal, StandardNormal, Transformed
from flowjax.flows import coupling_flow


def coupling():
    flow = coupling_flow(jr.key(0), base_dist=Normal(jnp.zeros(3)), flow_layers=2, nn_width=8)
    x = jr.normal(jr.key(1), (4, 3))
    value, slope = eqx.filter_jit(eqx.filter_value_and_grad(lambda f: -f.log_prob(x).mean()))(flow)
    leaves = [jnp.sum(g**2) for g in jax.tree.leaves(eqx.filter(slope, eqx.is_inexact_array))]
    return {"value": value, "slopes": jnp.stack(leaves), "sample": flow.sample(jr.key(2), (2,))}


def splines():
    spline = RationalQuadraticSpline(knots=5, interval=3)
    y, log_det = spline.transform_and_log_det(jnp.array(0.7))
    shifted = Transformed(StandardNormal((2,)), Affine(jnp.array([1.0, -1.0]), jnp.array([0.5, 2.0])))
    return {
        "y": y, "log_det": log_det, "inverse": spline.inverse(y),
        "log_prob": shifted.log_prob(jnp.array([0.3, 0.2])), "sample": shifted.sample(jr.key(0)),
    }  # fmt: skip
