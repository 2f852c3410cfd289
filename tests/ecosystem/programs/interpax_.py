"""interpax: interpolation in one to three dimensions."""

import jax
import jax.numpy as jnp
from interpax import Interpolator1D, PchipInterpolator, interp1d, interp2d


def one():
    x = jnp.linspace(0.0, 3.0, 8)
    f, at = jnp.sin(x), jnp.array([0.3, 1.1, 2.9])
    values = jnp.stack([interp1d(at, x, f, method=m) for m in ("linear", "cubic", "cubic2", "akima", "monotonic")])
    interpolator = Interpolator1D(x, f, method="cubic2")
    return {
        "values": values,
        "slope": jax.vmap(jax.grad(interpolator))(at),
        "derivative": interpolator(at, dx=1),
        "pchip": PchipInterpolator(x, f)(at),
    }


def two():
    x, y = jnp.linspace(0.0, 1.0, 5), jnp.linspace(0.0, 2.0, 6)
    f = jnp.cos(x)[:, None] * y**2
    at = (jnp.array([0.2, 0.7]), jnp.array([0.4, 1.3]))
    value = jax.jit(lambda a, b: interp2d(a, b, x, y, f, method="cubic"))(*at)
    slope = jax.grad(lambda f: jnp.sum(interp2d(*at, x, y, f, method="linear") ** 2))(f)
    return {"value": value, "slope": slope}
