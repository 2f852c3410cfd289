"""Derivatives: gradients of trees, Hessian-vector products, Jacobians, products with matrices, complex numbers."""

from functools import partial

import numpy as np

from jax_programs import program, raised, submodule


def data(jax):
    jnp = jax.numpy
    inputs = jnp.array([[0.52, 1.12, 0.77], [0.88, -1.08, 0.15], [0.52, 0.06, -1.30], [0.74, -2.49, 1.39]])
    targets = jnp.array([True, True, False, True])
    key = jax.random.key(0)
    w_key, b_key = jax.random.split(key)
    return inputs, targets, jax.random.normal(w_key, (3,)), jax.random.normal(b_key, ())


def logistic(jax):
    jnp = jax.numpy

    def sigmoid(x):
        return 0.5 * (jnp.tanh(x / 2) + 1)

    def predict(w, b, inputs):
        return sigmoid(jnp.dot(inputs, w) + b)

    def loss(w, b, inputs, targets):
        preds = predict(w, b, inputs)
        label_probs = preds * targets + (1 - preds) * (1 - targets)
        return -jnp.sum(jnp.log(label_probs))

    return predict, loss


@program
def logistic_regression(jax):
    inputs, targets, w, b = data(jax)
    _, loss = logistic(jax)
    dictionary = lambda p: loss(p["W"], p["b"], inputs, targets)  # noqa: E731
    f = partial(loss, inputs=inputs, targets=targets)
    return {
        "w": jax.grad(f, argnums=0)(w, b),
        "b": jax.grad(f, argnums=1)(w, b),
        "both": jax.grad(f, (0, 1))(w, b),
        "negative": jax.grad(f, argnums=-1)(w, b),
        "dict": jax.grad(dictionary)({"W": w, "b": b}),
        "value": jax.value_and_grad(dictionary)({"W": w, "b": b}),
        "aux": jax.grad(lambda w: (f(w, b), {"aux": w * 2}), has_aux=True)(w),
        "value aux": jax.value_and_grad(lambda w: (f(w, b), "text"), has_aux=True)(w),
        "targets": raised(jax.grad(loss, argnums=3), w, b, inputs, targets),
        "integers": jax.grad(lambda w, t: jax.numpy.sum(w * t), argnums=0)(w, jax.numpy.arange(3)),
        "allowed": jax.grad(lambda t: jax.numpy.sum(t * 1.5), allow_int=True)(jax.numpy.arange(3)),
    }


@program
def checked_gradients(jax):
    inputs, targets, w, b = data(jax)
    _, loss = logistic(jax)
    test_util = submodule(jax, "test_util")
    f = lambda w, b: loss(w, b, inputs, targets)  # noqa: E731
    test_util.check_grads(f, (w, b), order=2, atol=0.05, rtol=0.05)
    test_util.check_grads(jax.jit(f), (w, b), order=1, modes=("fwd",))
    wrong = lambda x: jax.lax.stop_gradient(x) * x  # noqa: E731
    return raised(test_util.check_grads, wrong, (2.0,), order=1)


@program
def errors(jax):
    jnp = jax.numpy
    return {
        "vector": raised(jax.grad(jnp.sin), jnp.ones(3)),
        "integer": raised(jax.grad(lambda x: x * 1.0), 1),
        "integer array": raised(jax.grad(lambda x: x.sum()), jnp.arange(3)),
        "integer output": raised(jax.grad(lambda x: jnp.round(x).astype(int)), 1.0),
        "complex output": raised(jax.grad(lambda x: x * 1j), 1.0),
        "tuple output": raised(jax.grad(lambda x: (x, x)), 1.0),
        "no argument": raised(jax.grad(lambda x: x, argnums=1), 1.0),
        "string": raised(jax.grad(lambda x: x), "a"),
        "jvp trees": raised(jax.jvp, jnp.sin, (1.0,), (1.0, 2.0)),
        "jvp dtype": raised(jax.jvp, jnp.sin, (jnp.ones(2),), (jnp.arange(2),)),
        "jvp shape": raised(jax.jvp, jnp.sin, (jnp.ones(2),), (jnp.ones(3),)),
        "vjp shape": raised(jax.vjp(jnp.sin, jnp.ones(2))[1], jnp.ones(3)),
        "vjp tree": raised(jax.vjp(jnp.sin, jnp.ones(2))[1], (jnp.ones(2),)),
        "aux": raised(jax.grad(lambda x: x, has_aux=True), 1.0),
        "not callable": raised(jax.grad, 1.0),
        "jacfwd int": raised(jax.jacfwd(jnp.sin), 1),
        "jacrev int": raised(jax.jacrev(jnp.sin), 1),
        "keyword": jax.grad(lambda x, y: x * y)(2.0, y=3.0),
    }


@program
def hessian_vector_products(jax):
    jnp = jax.numpy
    grad, jvp, vjp, vmap = jax.grad, jax.jvp, jax.vjp, jax.vmap

    def f(x):
        return jnp.sum(jnp.tanh(x) ** 2)

    def forward_over_reverse(f, primals, tangents):
        return jvp(grad(f), primals, tangents)[1]

    def reverse_over_forward(f, primals, tangents):
        return grad(lambda primals: jvp(f, primals, tangents)[1])(primals)

    def reverse_over_reverse(f, primals, tangents):
        return grad(lambda primals: jnp.vdot(grad(f)(*primals), tangents[0]))(primals)

    def with_vjp(f, primals, tangents):
        return vjp(grad(f), *primals)[1](tangents[0])

    def linearized(f, primals, tangents):
        return jax.linearize(grad(f), *primals)[1](*tangents)

    x, v = jax.random.normal(jax.random.key(1), (2, 4, 5))
    products = [forward_over_reverse, reverse_over_forward, reverse_over_reverse, with_vjp, linearized]
    full = jnp.tensordot(jax.hessian(f)(x), v, 2)
    return {
        "full": full,
        "products": [hvp(f, (x,), (v,)) for hvp in products],
        "compiled": [jax.jit(partial(hvp, f))((x,), (v,)) for hvp in products],
        "columns": vmap(lambda t: forward_over_reverse(f, (x,), (t,)))(jnp.stack([v, 2 * v])),
    }


@program
def jacobians(jax):
    jnp = jax.numpy
    inputs, _, w, b = data(jax)
    predict, loss = logistic(jax)
    f = lambda w: predict(w, b, inputs)  # noqa: E731
    tree = lambda p: {"out": predict(p["W"], p["b"], inputs), "norm": jnp.sum(p["W"] ** 2)}  # noqa: E731
    both = lambda x, y: jnp.outer(x, y)  # noqa: E731
    return {
        "fwd": jax.jacfwd(f)(w),
        "rev": jax.jacrev(f)(w),
        "tree fwd": jax.jacfwd(tree)({"W": w, "b": b}),
        "tree rev": jax.jacrev(tree)({"W": w, "b": b}),
        "argnums": jax.jacfwd(both, argnums=(0, 1))(w, inputs[0]),
        "argnums rev": jax.jacrev(both, argnums=(1,))(w, inputs[0]),
        "hessian": jax.hessian(f)(w),
        "hessian tree": jax.hessian(lambda p: jnp.sum(jnp.sin(p["a"])) * p["b"] ** 2)({"a": w, "b": b}),
        "fwd fwd": jax.jacfwd(jax.jacfwd(lambda x: jnp.sum(x**3)))(w),
        "rev rev": jax.jacrev(jax.jacrev(lambda x: jnp.sum(x**3)))(w),
        "aux": jax.jacrev(lambda w: (f(w), w), has_aux=True)(w),
    }


@program
def matrix_jacobian_products(jax):
    jnp = jax.numpy
    inputs, _, w, b = data(jax)
    predict, _ = logistic(jax)
    f = lambda w: predict(w, b, inputs)  # noqa: E731
    m = jax.random.normal(jax.random.key(7), (6, 4))
    n = jax.random.normal(jax.random.key(8), (6, 3))
    y, vjp_fun = jax.vjp(f, w)
    by_rows = jnp.vstack([vjp_fun(row)[0] for row in m])
    (mapped,) = jax.vmap(vjp_fun)(m)
    push = lambda s: jax.jvp(f, (w,), (s,))[1]  # noqa: E731
    y2, lin = jax.linearize(f, w)
    return y, by_rows, mapped, jnp.vstack([push(s) for s in n]), jax.vmap(push)(n), y2, jax.vmap(lin)(n)


@program
def vjp_and_jvp(jax):
    jnp = jax.numpy
    x, y = jnp.arange(3.0), jnp.ones((2, 3))

    def f(a, b):
        return {"s": jnp.sin(a) * b, "t": (a.sum(), jnp.round(a).astype(int).sum())}

    out, pull = jax.vjp(f, x, y)
    float0 = np.zeros((), jax.dtypes.float0)
    primal, tangent = jax.jvp(lambda a, b: jnp.sin(a) * b, (x, y), (jnp.ones(3), jnp.zeros((2, 3))))
    out2, pull2, aux = jax.vjp(lambda a: (a**2, "aux"), x, has_aux=True)
    transposed = jax.linear_transpose(lambda z: jnp.dot(y, z), x)
    return {
        "out": out,
        "pull": pull({"s": jnp.ones((2, 3)), "t": (2.0, float0)}),
        "jvp": (primal, tangent),
        "aux": (out2, pull2(jnp.ones(3)), aux),
        "transposed": transposed(jnp.arange(2.0)),
        "integer input": jax.jvp(lambda i, z: z * i, (2, 3.0), (float0, 1.0)),
        "vjp integer": jax.vjp(lambda i, z: z * i, 2, 3.0)[1](1.0),
    }


@program
def complex_numbers(jax):
    jnp = jax.numpy

    def f(z):
        x, y = jnp.real(z), jnp.imag(z)
        return (x**2 - y**2) + 2j * (x * y) + 3 * x * 1j

    def absolute(z):
        return jnp.abs(z) ** 2 + jnp.real(z)

    z = jnp.array(3.0 + 4j, jnp.complex64)
    zs = jnp.array([1 + 2j, -3 + 0.5j])
    dot = jnp.array([[5.0, 2 + 3j, 5j], [2 - 3j, 7.0, 1 + 7j], [-5j, 1 - 7j, 12.0]])
    return {
        "C to R": jax.grad(absolute)(z),
        "C to R arrays": jax.grad(lambda z: jnp.sum(jnp.abs(z)))(zs),
        "holomorphic": jax.grad(jnp.sin, holomorphic=True)(z),
        "holomorphic polynomial": jax.grad(lambda z: z**3 - 2j * z, holomorphic=True)(z),
        "not holomorphic": raised(jax.grad(jnp.sin), z),
        "real holomorphic": raised(jax.grad(jnp.sin, holomorphic=True), 1.0),
        "R to C jvp": jax.jvp(lambda x: jnp.exp(1j * x), (0.5,), (1.0,)),
        "R to C vjp": jax.vjp(lambda x: jnp.exp(1j * x), 0.5)[1](1.0 + 2j),
        "R to C jacfwd": jax.jacfwd(lambda x: jnp.exp(1j * x))(0.5),
        "jvp": jax.jvp(f, (z,), (1.0 + 1j,)),
        "vjp": jax.vjp(f, z)[1](1.0 + 1j),
        "jacfwd": jax.jacfwd(jnp.sin, holomorphic=True)(zs),
        "jacrev": jax.jacrev(jnp.sin, holomorphic=True)(zs),
        "conj": jax.vjp(jnp.conj, zs)[1](zs),
        "quadratic": jax.grad(lambda v: jnp.real(jnp.vdot(v, dot @ v)))(dot[0]),
        "abs at zero": jax.grad(jnp.abs)(0.0 + 0j),
        "angle": jax.grad(lambda z: jnp.angle(z))(z),
    }
