"""Batching by vmap, and scripts around it."""

from jax_programs import program, raised


@program
def convolution(jax):
    jnp = jax.numpy
    x, w = jnp.arange(5.0), jnp.array([2.0, 3.0, 4.0])

    def convolve(x, w):
        return jnp.array([jnp.dot(x[i - 1 : i + 2], w) for i in range(1, len(x) - 1)])

    xs, ws = jnp.stack([x, x * 2, x - 1]), jnp.stack([w, w + 1, -w])
    return {
        "one": convolve(x, w),
        "batch": jax.vmap(convolve)(xs, ws),
        "columns": jax.vmap(convolve, in_axes=1, out_axes=1)(xs.T, ws.T),
        "shared": jax.vmap(convolve, in_axes=[0, None])(xs, w),
        "compiled": jax.jit(jax.vmap(convolve))(xs, ws),
        "pairs": jax.vmap(jax.vmap(convolve, (None, 0)), (0, None))(xs, ws),
    }


@program
def axes(jax):
    jnp = jax.numpy
    x = jnp.arange(24.0).reshape(2, 3, 4)
    tree = {"a": x, "b": (x[0], 2.0)}
    vmap = jax.vmap
    return {
        "negative": vmap(jnp.sum, in_axes=-1)(x),
        "out": vmap(lambda a: a * 2, out_axes=2)(x),
        "out negative": vmap(lambda a: a * 2, in_axes=1, out_axes=-1)(x),
        "tree": vmap(lambda t: t["a"].sum() + t["b"][0].sum() * t["b"][1], in_axes=({"a": 1, "b": (0, None)},))(tree),
        "out tree": vmap(lambda a: {"s": a.sum(), "c": x[0, 0, 1], "a": a}, out_axes={"s": 0, "c": None, "a": 1})(x),
        "keyword": vmap(lambda a, b: a + b)(x, b=x),
        "constant": vmap(lambda a: 1.0)(x),
        "none": vmap(lambda a: (a, None))(x),
        "named": vmap(lambda a: a / jax.lax.psum(a, "i"), axis_name="i")(x),
        "index": vmap(lambda a: jax.lax.axis_index("i") + a[0, 0], axis_name="i")(x),
        "size": vmap(lambda: jnp.ones(2), axis_size=3)(),
        "empty": vmap(jnp.sin)(jnp.zeros((0, 2))),
        "sizes": raised(vmap(lambda a, b: a), jnp.ones(2), jnp.ones(3)),
        "scalar": raised(vmap(lambda a: a), 1.0),
        "all none": raised(vmap(lambda a: a, in_axes=None), x),
        "axis": raised(vmap(lambda a: a, in_axes=5), x),
        "length": raised(vmap(lambda a, b: a, in_axes=(0,)), x, x),
        "out none": raised(vmap(lambda a: a, out_axes=None), x),
        "type": raised(lambda: vmap(lambda a: a, in_axes="0")(x)),
    }


@program
def operations(jax):
    """Batching rules of the usual operations, against loops."""
    jnp = jax.numpy
    x = jax.random.normal(jax.random.key(0), (3, 4, 5))
    i = jnp.array([2, 0, 3])
    functions = {
        "matmul": lambda a: a @ a.T,
        "sort": lambda a: jnp.sort(a, axis=0),
        "argsort": lambda a: jnp.argsort(a),
        "cumsum": lambda a: jnp.cumsum(a, axis=1),
        "softmax": lambda a: jax.nn.softmax(a),
        "where": lambda a: jnp.where(a > 0, a, a.mean()),
        "reshape": lambda a: a.reshape(5, 4).ravel(),
        "concatenate": lambda a: jnp.concatenate([a, a[:1]]),
        "norm": lambda a: jnp.sqrt((a**2).sum(0)),
        "take": lambda a: a[jnp.array([0, 2])],
        "einsum": lambda a: jnp.einsum("ij,kj->ik", a, a),
        "at": lambda a: a.at[1].set(0.0).at[:, 2].add(1.0),
        "roll": lambda a: jnp.roll(a, 1, axis=1),
        "argmax": lambda a: jnp.argmax(a, axis=1),
        "std": lambda a: a.std(),
        "top_k": lambda a: jax.lax.top_k(a, 2),
        "pad": lambda a: jnp.pad(a, 1),
        "tril": lambda a: jnp.tril(a),
        "flip": lambda a: a[::-1, ::2],
        "median": lambda a: jnp.median(a, axis=0),
        "clip": lambda a: jnp.clip(a, -1, 1),
        "outer": lambda a: jnp.outer(a[0], a[1]),
        "normal": lambda a: jax.random.normal(jax.random.key(1), a.shape) + a,
    }
    out = {name: (jax.vmap(f)(x), jax.jit(jax.vmap(f))(x)) for name, f in functions.items()}
    out["gather"] = jax.vmap(lambda a, j: a[j])(x, i)
    out["scatter"] = jax.vmap(lambda a, j: a.at[j].set(9.0))(x, i)
    out["slice"] = jax.vmap(lambda a, j: jax.lax.dynamic_slice(a, (j, 0), (2, 3)))(x, i)
    out["update"] = jax.vmap(lambda a, j: jax.lax.dynamic_update_slice(a, a[:1] * 0, (j, 0)))(x, i)
    out["hessians"] = jax.vmap(jax.hessian(lambda v: jnp.sum(jnp.sin(v) ** 2)))(x[0])
    return out


@program
def distances(jax):
    jnp = jax.numpy
    points = jax.random.uniform(jax.random.key(5), (6, 3))
    distance = lambda a, b: jnp.sqrt(jnp.sum((a - b) ** 2) + 1e-9)  # noqa: E731
    table = jax.vmap(jax.vmap(distance, (None, 0)), (0, None))
    kernel = lambda a, b: jnp.exp(-0.5 * jnp.sum((a - b) ** 2))  # noqa: E731
    gram = jax.jit(lambda p: jax.vmap(lambda a: jax.vmap(lambda b: kernel(a, b))(p))(p))
    forces = jax.vmap(lambda q: -jax.grad(lambda q: jnp.sum(jax.vmap(lambda p: kernel(p, q))(points)))(q))
    return (
        table(points, points),
        gram(points),
        forces(points),
        jax.vmap(jnp.vdot)(points, points),
        jnp.argmin(table(points, points) + 10 * jnp.eye(6), 1),
    )
