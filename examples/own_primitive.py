"""A primitive of one's own, with all its rules in one place and native code written with numba.

Two of them: ``huberized``, elementwise, whose kernel runs inside of fused loops; and ``ema``, an exponential moving
average along the last axis, whose kernel is a loop over an array. Both work eagerly and under ``jit``, ``vmap``,
``scan`` and derivatives of any order; nothing in a compiled program goes back to Python.

Run: python examples/own_primitive.py
"""

import numpy as np

import fungrad
import fungrad.numpy as jnp
from fungrad import lax
from fungrad.extend import Elementwise, ShapedArray, core, numba_array_kernel, numba_kernel

# -- elementwise: one call ---------------------------------------------------------------------------------------------


@numba_kernel
def huberized(x, width):
    """A parabola near 0, straight lines outside."""
    return 0.5 * x * x / width if abs(x) < width else abs(x) - 0.5 * width


def slope(g, y, x, width):
    """Tangent of the result for the tangent ``g`` of ``x``: rules are written with fungrad's own functions."""
    return g * jnp.clip(x / width, -1, 1)


huberized_p = Elementwise("huberized", huberized.impl, "f", (slope, None), scalar=huberized, arity=2)


# -- a step on arrays: a class with the rules as methods ---------------------------------------------------------------


@numba_array_kernel
def ema_kernel(x, decay, out):
    for i in range(x.shape[0]):
        state = 0.0
        for j in range(x.shape[1]):
            state = decay[()] * state + (1 - decay[()]) * x[i, j]
            out[i, j] = state


class Ema(core.Primitive):
    """Moving average along the last of two axes, linear in ``x``; the 0-d decay is not differentiated."""

    def abstract_eval(self, x, decay):
        if x.ndim != 2 or decay.shape:
            raise TypeError(f"ema: expected a matrix and a 0-d decay, got {x.str_short()} and {decay.str_short()}")
        return ShapedArray(x.shape, x.dtype)

    def impl(self, x, decay):
        return ema_kernel.impl([x, decay], [x])[0]

    def lower(self, ctx, x, decay):
        return ctx.kernel(ema_kernel, [x, decay])[0]

    def jvp(self, primals, tangents):
        return self.bind(*primals), self.bind(tangents[0], primals[1])

    def transpose(self, ct, x, decay):
        return self.bind(ct[:, ::-1], decay)[:, ::-1], None  # the average of the reversed signal

    def batch(self, axis, args, dims):
        x = jnp.moveaxis(args[0], dims[0], 0)  # batched decays would need a loop over them
        return self.bind(x.reshape(-1, x.shape[-1]), args[1]).reshape(x.shape), 0


ema_p = Ema("ema")


def main():
    rng = np.random.default_rng(0)
    x = jnp.asarray(np.cumsum(rng.normal(size=(4, 200)), axis=1), "float32")
    width, decay = jnp.float32(0.5), jnp.float32(0.9)

    @fungrad.jit
    def loss(x):
        return jnp.mean(huberized_p.bind(x - ema_p.bind(x, decay), width))

    print(loss.lower(x).as_text("steps"))
    print("loss", float(loss(x)))
    gradient = fungrad.jit(fungrad.grad(loss))(x)
    print("gradient", np.asarray(gradient[0, :3]))

    # Descent on the signal itself: the kernels run inside of a native loop.
    def step(x, _):
        return x - 20 * fungrad.grad(loss)(x), loss(x)

    smooth, losses = fungrad.jit(lambda x: lax.scan(step, x, None, 50))(x)
    print("loss after 50 steps", float(losses[-1]))

    examples = fungrad.vmap(lambda x: ema_p.bind(x, decay))(jnp.stack([x, smooth]))
    np.testing.assert_allclose(np.asarray(examples[1]), np.asarray(ema_p.bind(smooth, decay)), rtol=1e-6)


if __name__ == "__main__":
    main()
