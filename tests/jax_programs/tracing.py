"""Looking at programs: jaxprs, abstract values, interpreters."""

from functools import wraps

from jax_programs import jaxpr_text, program, raised, submodule


def interpret(jax, jaxpr, consts, *args):
    """Evaluates a jaxpr one equation at a time."""
    literal = submodule(jax, "extend.core").Literal
    env = {}
    read = lambda var: var.val if isinstance(var, literal) else env[var]  # noqa: E731
    env.update(zip(jaxpr.invars, args, strict=True))
    env.update(zip(jaxpr.constvars, consts, strict=True))
    for eqn in jaxpr.eqns:
        params = eqn.primitive.get_bind_params(eqn.params)
        out = eqn.primitive.bind(*map(read, eqn.invars), **params)
        env.update(zip(eqn.outvars, out if eqn.primitive.multiple_results else [out], strict=True))
    return [read(var) for var in jaxpr.outvars]


@program
def printed(jax):
    jnp, lax = jax.numpy, jax.lax
    table = jnp.arange(3.0)

    def first(x, y):
        return jnp.sin(x) * 3.0 + y, x.astype(jnp.int32)

    def second(params, x):
        return {"out": jnp.tanh(x @ params["w"] + params["b"])}

    params = {"w": jnp.ones((3, 2)), "b": jnp.ones(2)}
    make = jax.make_jaxpr
    return {
        "first": jaxpr_text(make(first)(1.0, jnp.ones(2))),
        "second": jaxpr_text(make(second)(params, jnp.ones(3))),
        "constant": jaxpr_text(make(lambda x: x + table)(jnp.ones(3))),
        "unused": jaxpr_text(make(lambda x, y: x)(1, 2.0)),
        "numbers": jaxpr_text(make(lambda x: (x, 1, 2.0))(1)),
        "grad": jaxpr_text(make(jax.grad(lambda x: jnp.sin(x)))(jnp.float32(1.0))),
        "vmap": jaxpr_text(make(jax.vmap(lambda x: x * 2 + 1))(jnp.ones(3))),
        "jit": jaxpr_text(make(jax.jit(lambda x: lax.mul(x, 2.0)))(jnp.float32(1.0))),
        "reduce": jaxpr_text(make(lambda x: lax.reduce_max(x, (0,)))(jnp.ones((2, 3)))),
        "dot": jaxpr_text(make(lambda x: lax.dot_general(x, x, (((1,), (1,)), ((), ()))))(jnp.ones((2, 3)))),
        "transpose": jaxpr_text(make(lambda x: lax.transpose(x, (1, 0)))(jnp.ones((2, 3)))),
        "concatenate": jaxpr_text(make(lambda x: lax.concatenate([x, x], 0))(jnp.ones(2))),
        "static": jaxpr_text(make(lambda x, n: x**n, static_argnums=1)(1.0, 3)),
        "shape": make(first, return_shape=True)(1.0, jnp.ones(2))[1][0].shape,
    }


@program
def interpreter(jax):
    jnp = jax.numpy
    table = jnp.arange(3.0)

    def f(x):
        return jnp.exp(jnp.tanh(x)) * table + x.sum(), jax.jit(jnp.cos)(x)[1:]

    closed = jax.make_jaxpr(f)(jnp.ones(3))
    x = jnp.array([0.1, -0.5, 2.0])
    return {
        "result": interpret(jax, closed.jaxpr, closed.literals, x),
        "traced": jax.jit(lambda x: interpret(jax, closed.jaxpr, closed.consts, x))(x),
        "grad": jax.grad(lambda x: interpret(jax, closed.jaxpr, closed.consts, x)[0].sum())(x),
        "built in": jax.core.eval_jaxpr(closed.jaxpr, closed.consts, x),
        "as function": submodule(jax, "extend.core").jaxpr_as_fun(closed)(x),
        "sizes": [len(closed.jaxpr.invars), len(closed.jaxpr.constvars), len(closed.consts), len(closed.jaxpr.outvars)],
        "avals": [str(a) for a in closed.in_avals + closed.out_avals],
    }


@program
def inverses(jax):
    """An interpreter that runs a program backwards, with a table from primitives to inverses."""
    jnp, lax = jax.numpy, jax.lax
    literal = submodule(jax, "extend.core").Literal
    registry = {lax.exp_p: jnp.log, lax.tanh_p: jnp.arctanh, lax.neg_p: lambda y: -y}

    def inverse(fun):
        @wraps(fun)
        def wrapped(*args):
            closed = jax.make_jaxpr(fun)(*args)
            return inverse_jaxpr(closed.jaxpr, closed.literals, *args)[0]

        return wrapped

    def inverse_jaxpr(jaxpr, consts, *args):
        env = dict(zip(jaxpr.outvars, args, strict=True))
        env.update(zip(jaxpr.constvars, consts, strict=True))
        for eqn in jaxpr.eqns[::-1]:
            invals = [env[v] if not isinstance(v, literal) else v.val for v in eqn.outvars]
            if eqn.primitive not in registry:
                raise NotImplementedError(f"{eqn.primitive} does not have registered inverse.")
            env[eqn.invars[0]] = registry[eqn.primitive](*invals)
        return [env[v] for v in jaxpr.invars]

    def f(x):
        return jnp.exp(jnp.tanh(x))

    f_inv = inverse(f)
    return {
        "inverse": f_inv(f(1.0)),
        "text": jaxpr_text(jax.make_jaxpr(f_inv)(f(1.0))),
        "compiled": jax.jit(jax.vmap(jax.grad(f_inv)))((jnp.arange(5) + 1.0) / 5),
        "missing": raised(inverse(jnp.sin), 1.0),
        "name": f_inv.__name__,
    }


@program
def equations(jax):
    jnp = jax.numpy
    closed = jax.make_jaxpr(lambda x: jnp.sum(jax.jit(lambda y: y * 2.0)(x), axis=1))(jnp.ones((2, 3)))
    jaxpr = closed.jaxpr
    inner = jaxpr.eqns[0].params["jaxpr"]
    core = submodule(jax, "extend.core")
    return {
        "names": [eqn.primitive.name for eqn in jaxpr.eqns],
        "inner": [eqn.primitive.name for eqn in inner.jaxpr.eqns],
        "axes": jaxpr.eqns[1].params["axes"],
        "results": [str(v.aval) for eqn in jaxpr.eqns for v in eqn.outvars],
        "types": [type(v).__name__ for v in inner.jaxpr.eqns[0].invars],
        "isinstance": [
            isinstance(jaxpr, core.Jaxpr),
            isinstance(closed, core.ClosedJaxpr),
            isinstance(jaxpr.eqns[0], core.JaxprEqn),
            isinstance(jaxpr.invars[0], core.Var),
            isinstance(jaxpr.eqns[0].primitive, core.Primitive),
        ],
        "primitives": core.primitives.add_p.name,
    }


@program
def abstract_evaluation(jax):
    jnp = jax.numpy
    seen = []

    def f(a, b):
        seen.append(isinstance(a["x"], jax.core.Tracer))
        return {"sum": a["x"] @ b, "n": jnp.argmax(b)}

    big = jax.ShapeDtypeStruct((2000, 1000), jnp.float32)
    out = jax.eval_shape(f, {"x": big}, jax.ShapeDtypeStruct((1000,), jnp.bfloat16))
    typ = jax.typeof(jnp.ones((2, 3)))
    return {
        "out": {k: (v.shape, str(v.dtype)) for k, v in out.items()},
        "tracer": seen,
        "typeof": [typ.shape, str(typ.dtype), typ.ndim, typ.size, str(typ), typ.weak_type],
        "weak": str(jax.typeof(2.0)),
        "struct": str(big),
        "mismatch": raised(jax.eval_shape, lambda x: x @ x, big),
        "is tracer": isinstance(jnp.ones(2), jax.core.Tracer),
        "shaped": str(jax.core.ShapedArray((2,), jnp.dtype("int32"))),
    }


@program
def constant_expressions(jax):
    """Values that are known while tracing."""
    jnp = jax.numpy

    @jax.jit
    def f(x):
        with jax.ensure_compile_time_eval():
            size = int(jnp.sum(jnp.arange(4)))
        return jnp.full((size,), x)

    with jax.disable_jit():
        eager = jax.jit(lambda x: x if x > 0 else -x)(-2.0)
    with jax.named_scope("part"):
        named = jax.jit(lambda x: x + 1)(1.0)
    return f(2.0), eager, named
