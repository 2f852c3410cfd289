"""First steps: arrays, a compiled activation, derivatives, batching."""

import numpy as np

from jax_programs import program


def make_selu(jax):
    jnp = jax.numpy
    return lambda x, alpha=1.67, lambda_=1.05: lambda_ * jnp.where(x > 0, x, alpha * jnp.exp(x) - alpha)


@program
def activation(jax):
    jnp, random = jax.numpy, jax.random
    selu = make_selu(jax)
    key, subkey = random.split(random.key(1701))
    x = random.normal(subkey, (1000,))
    fast = jax.jit(selu)
    return {
        "x": x,
        "eager": selu(x),
        "compiled": fast(x).block_until_ready(),
        "small": fast(jnp.arange(5.0)),
        "key": key,
    }


@program
def sum_logistic(jax):
    jnp = jax.numpy

    def sum_logistic(x):
        return jnp.sum(1.0 / (1.0 + jnp.exp(-x)))

    x = jnp.arange(3.0)
    step = jnp.array(1e-2)
    central = [(sum_logistic(x + step * v) - sum_logistic(x - step * v)) / (2 * step) for v in jnp.eye(len(x))]
    third = jax.grad(jax.jit(jax.grad(jax.jit(jax.grad(sum_logistic)))))
    return {
        "grad": jax.grad(sum_logistic)(x),
        "close": bool(jnp.allclose(jnp.stack(central), jax.grad(sum_logistic)(x), atol=1e-2)),
        "third": third(1.0),
        "jacobian": jax.jacobian(jnp.exp)(x),
        "hessian": jax.jit(jax.jacfwd(jax.jacrev(sum_logistic)))(x),
    }


@program
def batched_products(jax):
    jnp, random = jax.numpy, jax.random
    key1, key2 = random.split(random.key(1701))
    mat = random.normal(key1, (15, 10))
    batch = random.normal(key2, (4, 10))

    def apply_matrix(x):
        return jnp.dot(mat, x)

    naive = jnp.stack([apply_matrix(v) for v in batch])
    by_hand = jax.jit(lambda b: jnp.dot(b, mat.T))(batch)
    mapped = jax.jit(lambda b: jax.vmap(apply_matrix)(b))(batch)
    np.testing.assert_allclose(naive, mapped, atol=1e-4, rtol=1e-4)
    return naive, by_hand, mapped


@program
def conversions(jax):
    jnp = jax.numpy
    x = jnp.linspace(0.0, 1.0, 5)
    return {
        "x": x,
        "numpy": np.asarray(x),
        "list": x.tolist(),
        "item": x[1].item(),
        "float": float(x[2]),
        "int": int(jnp.array(3)),
        "len": len(x),
        "iterated": [row for row in jnp.ones((2, 3))],
        "repr": repr(jnp.arange(6).reshape(2, 3)),
        "repr_weak": repr(jnp.asarray(1.5)),
        "str": str(jnp.arange(3.0)),
        "isinstance": [isinstance(x, jax.Array), isinstance(np.ones(3), jax.Array)],
        "meta": [x.ndim, x.size, x.nbytes, x.itemsize, x.shape, str(x.dtype)],
        "format": f"{jnp.float32(2.5):.2f} {x[0]}",
        "numpy_function": np.sum(np.asarray(x)),
        "scalar_index": [10, 20, 30][jnp.array(1)],
    }


@program
def equality_and_truth(jax):
    jnp = jax.numpy
    x = jnp.arange(4)
    return {
        "eq": x == 2,
        "ne": x != np.arange(4)[::-1],
        "none": [x is None, bool((x == None) is False)],  # noqa: E711
        "any": bool((x > 2).any()),
        "and": (x > 0) & (x < 3),
        "not": ~(x > 1),
        "xor": (x > 0) ^ (x < 2),
        "chained": jnp.logical_and(x > 0, x < 3),
        "divmod": divmod(x, 3),
        "pow": [x**2, 2**x, 2.0**x, pow(x, 3), x**0.5],
        "shift": [x << 1, x >> 1],
        "floor": [x // 2, -x // 2, x % 3, -x % 3, 7 // (x + 1)],
        "abs": [abs(-x), +x, -x, round(jnp.array([0.5, 1.5, 2.567]), 1)],
        "matmul": jnp.ones((2, 3)) @ jnp.arange(3),
    }
