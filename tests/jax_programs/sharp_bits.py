"""Where programs for NumPy behave differently: purity, indices, inputs, NaN, widths, promotion."""

import numpy as np

from jax_programs import program, raised


@program
def impure_functions(jax):
    jnp = jax.numpy
    state = {"calls": 0, "scale": 2.0}

    @jax.jit
    def f(x):
        state["calls"] += 1
        return x * state["scale"]

    first = f(4.0)
    state["scale"] = 3.0
    return first, f(5.0), state["calls"], f(jnp.ones(2)), state["calls"]


@program
def out_of_bounds(jax):
    jnp = jax.numpy
    x = jnp.arange(10)
    i = jnp.array(11)
    return {
        "array index": x[i],
        "array negative": x[jnp.array([-1, -10, -11])],
        "traced": jax.jit(lambda x, i: x[i])(x, 12),
        "set": x.at[i].set(99),
        "add": x.at[jnp.array([0, 11])].add(5),
        "fill": x.at[i].get(mode="fill", fill_value=-1),
        "fill default": jnp.arange(3.0).at[i].get(mode="fill"),
        "clip": x.at[jnp.array([-20, 20])].get(mode="clip"),
        "drop": x.at[jnp.array([3, 30])].set(7, mode="drop"),
        "slice": x[5:20],
        "empty": x[7:3],
        "take": jnp.take(x, jnp.array([2, 12])),
        "take clip": jnp.take(x, jnp.array([2, 12]), mode="clip"),
        "take wrap": jnp.take(x, jnp.array([2, 12]), mode="wrap"),
        "dynamic slice": jax.lax.dynamic_slice(x, (8,), (4,)),
        "dynamic update": jax.lax.dynamic_update_slice(x, jnp.array([1, 2, 3]), (9,)),
        "too many": raised(lambda: x[0, 0]),
        "float index": raised(lambda: x[1.0]),
        "list index": raised(lambda: x[[0, 1]]),
        "string index": raised(lambda: x["a"]),
    }


@program
def inputs_that_are_not_arrays(jax):
    jnp = jax.numpy
    return {
        "sum list": raised(jnp.sum, [1, 2, 3]),
        "sin list": raised(jnp.sin, [1.0]),
        "add list": raised(lambda: jnp.ones(2) + [1.0, 2.0]),
        "string": raised(jnp.sin, "a"),
        "none": raised(jnp.add, jnp.ones(2), None),
        "dot tuple": raised(jnp.dot, (1, 2), (3, 4)),
        "array of strings": raised(jnp.array, ["a"]),
        "array": jnp.array([1, 2, 3]),
        "mixed": jnp.array([1, 2.5, True]),
        "nested": jnp.array([[1, 2], [3.0, 4]]),
        "of arrays": jnp.array([jnp.ones(2), np.zeros(2)]),
        "ragged": raised(jnp.array, [[1, 2], [3]]),
        "object": raised(jnp.array, [object()]),
        "none array": raised(jnp.asarray, None),
        "scalars": [jnp.sin(1), jnp.sin(np.float64(1)), jnp.add(1, 2), jnp.add(1, 2.0)],
        "sum of stack": jnp.sum(jnp.stack([jnp.arange(3), jnp.ones(3)])),
        "concatenate list": jnp.concatenate([np.zeros(2), jnp.ones(1)]),
        "bool": jnp.array(True) + jnp.array(True),
    }


@program
def nan_checks(jax):
    jnp = jax.numpy
    with jax.debug_nans(True):
        eager = raised(lambda: jnp.divide(0.0, 0.0).block_until_ready())
        compiled = raised(lambda: jax.jit(lambda x: jnp.log(x))(-1.0).block_until_ready())
        fine = jnp.sin(jnp.ones(2))
    return eager, compiled, fine, jnp.divide(0.0, 0.0), jnp.log(-1.0)


@program
def widths(jax):
    jnp = jax.numpy
    narrow = {
        "default": [
            jnp.zeros(2).dtype,
            jnp.arange(3).dtype,
            jnp.array(1.0).dtype,
            jnp.array(2**31 - 1).dtype,
            jnp.array(1j).dtype,
        ],
        "numpy": [jnp.asarray(np.arange(3)).dtype, jnp.asarray(np.zeros(2)).dtype],
        "mean": jnp.mean(jnp.arange(4)).dtype,
        "too large": raised(jnp.asarray, 2**40),
        "scalar": raised(lambda: jnp.ones(2, int) + 2**40),
    }
    with jax.enable_x64(True):
        wide = {
            "default": [jnp.zeros(2).dtype, jnp.arange(3).dtype, jnp.array(1.0).dtype, jnp.array(1j).dtype],
            "sum": jnp.sum(jnp.arange(3, dtype=jnp.int32)),
            "normal": jax.random.normal(jax.random.key(0), (3,)),
            "grad": jax.grad(lambda x: x**3)(2.0),
            "exact": jnp.float32(1e-9) + jnp.float64(1.0),
            "jit": jax.jit(lambda x: x * 2)(1.0),
            "linspace": jnp.linspace(0, 1, 3),
        }
    after = jnp.zeros(1).dtype
    return {
        "narrow": [str(d) for d in narrow["default"] + narrow["numpy"] + [narrow["mean"]]],
        "errors": [narrow["too large"], narrow["scalar"]],
        "wide": {k: v for k, v in wide.items() if k != "default"},
        "wide dtypes": [str(d) for d in wide["default"]],
        "after": str(after),
    }


@program
def promotion(jax):
    jnp = jax.numpy
    names = ["bool_", "uint8", "int8", "int16", "uint32", "int32", "float16", "bfloat16", "float32", "complex64"]
    values = {n: jnp.ones((), getattr(jnp, n)) for n in names}
    python = {"bool": True, "int": 2, "float": 2.0, "complex": 2j}
    out = {}
    for a in names:
        for b in names:
            out[f"{a}+{b}"] = values[a] + values[b] if (a, b) != ("bool_", "bool_") else values[a] | values[b]
        for b, scalar in python.items():
            out[f"{a}*{b}"] = values[a] * scalar
            out[f"{b}*{a}"] = scalar * values[a]
        out[f"{a}/{a}"] = values[a] / values[a]
        out[f"where {a}"] = jnp.where(True, values[a], 1)
        out[f"sum {a}"] = jnp.sum(jnp.ones(3, values[a].dtype))
        out[f"mean {a}"] = jnp.mean(jnp.ones(3, values[a].dtype))
        out[f"sin {a}"] = jnp.sin(values[a])
        out[f"sqrt {a}"] = jnp.sqrt(values[a])
        out[f"cumsum {a}"] = jnp.cumsum(jnp.ones(3, values[a].dtype))
        out[f"prod {a}"] = jnp.prod(jnp.ones(3, values[a].dtype))
    return out


@program
def weak_types(jax):
    jnp = jax.numpy
    return {
        "literal": jnp.asarray(2),
        "strong": jnp.asarray(2, dtype=jnp.int32),
        "int plus float": jnp.arange(3) + 1.5,
        "weak plus weak": jnp.asarray(2) + 3.5,
        "jit": jax.jit(lambda x: x)(2),
        "full": jnp.full((2,), 3),
        "zeros_like": jnp.zeros_like(jnp.asarray(1.0)),
        "ones_like scalar": jnp.ones_like(2.0),
        "where": jnp.where(jnp.array([True, False]), 1, 2.0),
        "maximum": jnp.maximum(1, 2),
        "stack": jnp.stack([1, 2.0]),
        "array of scalars": jnp.array([1, 2.0]),
        "numpy scalar": jnp.float16(1) * np.float32(2),
        "numpy float64": jnp.ones(2, jnp.float16) * np.float64(2),
        "result types": [
            str(jnp.result_type(*a))
            for a in [(1, 2.0), (jnp.int8, 1), ("float16", 1.0), (jnp.bfloat16, jnp.float16), (1j, 1)]
        ],
        "promote": str(jnp.promote_types("int8", "uint8")),
        "sum": jnp.sum(jnp.asarray(1.5)),
        "reshape": jnp.asarray(1.5).reshape(1),
        "astype": jnp.asarray(1).astype(float),
        "clip": jnp.clip(3, 0, 2),
        "power": jnp.power(2, 3.0),
        "arange": jnp.arange(3.0),
        "round": jnp.round(2.5),
        "abs": jnp.abs(-2),
        "negative": -jnp.asarray(2),
        "exp": jnp.exp(1),
    }


@program
def strict_modes(jax):
    jnp = jax.numpy
    with jax.numpy_dtype_promotion("strict"):
        dtype = raised(lambda: jnp.ones(2, jnp.float32) + jnp.ones(2, jnp.int32))
        fine = jnp.ones(2, jnp.float32) + 1
    with jax.numpy_rank_promotion("raise"):
        rank = raised(lambda: jnp.ones((2, 3)) + jnp.ones(3))
    return dtype, fine, rank


@program
def checks(jax):
    """What the checks of a compiled program or an argument say."""
    jnp = jax.numpy
    return {
        "reshape": raised(lambda: jnp.ones(6).reshape(4)),
        "broadcast": raised(lambda: jnp.ones(3) + jnp.ones(4)),
        "matmul": raised(lambda: jnp.ones((2, 3)) @ jnp.ones((2, 3))),
        "matmul scalar": raised(lambda: jnp.ones((2, 3)) @ 2.0),
        "concatenate": raised(lambda: jnp.concatenate([jnp.ones((2, 2)), jnp.ones((3, 3))])),
        "concatenate none": raised(lambda: jnp.concatenate([])),
        "axis": raised(lambda: jnp.sum(jnp.ones(3), axis=1)),
        "duplicate axis": raised(lambda: jnp.sum(jnp.ones((3, 3)), axis=(0, 0))),
        "transpose": raised(lambda: jnp.transpose(jnp.ones((2, 3)), (0, 0))),
        "squeeze": raised(lambda: jnp.squeeze(jnp.ones((2, 3)), 0)),
        "empty max": raised(lambda: jnp.max(jnp.zeros(0))),
        "empty argmax": raised(lambda: jnp.argmax(jnp.zeros(0))),
        "einsum": raised(lambda: jnp.einsum("ij,jk->ik", jnp.ones((2, 3)), jnp.ones((2, 3)))),
        "dtype": raised(lambda: jnp.ones(2, dtype="no such type")),
        "shape": raised(lambda: jnp.ones((2, -1))),
        "bits": raised(lambda: jnp.ones(2) & 1),
        "truth": raised(lambda: bool(jnp.ones(2))),
        "truth empty": raised(lambda: bool(jnp.ones(0))),
        "item": raised(lambda: jnp.ones(2).item()),
        "float": raised(lambda: float(jnp.ones(2))),
        "len": raised(lambda: len(jnp.array(1))),
        "iter": raised(lambda: list(jnp.array(1))),
        "hash": raised(lambda: hash(jnp.ones(2))),
        "attribute": raised(lambda: jnp.ones(2).no_such),
        "lax rank": raised(lambda: jax.lax.add(jnp.ones((2, 3)), jnp.ones(3))),
        "lax dtype": raised(lambda: jax.lax.add(jnp.ones(3), jnp.arange(3))),
        "stack": raised(lambda: jnp.stack([jnp.ones(2), jnp.ones(3)])),
        "split": raised(lambda: jnp.split(jnp.ones(5), 2)),
        "key": raised(lambda: jax.random.normal(3)),
        "in place": raised(lambda: jnp.ones(2).__setitem__(0, 1.0)),
        "out": raised(lambda: jnp.sum(jnp.ones(2), out=np.zeros(()))),
    }


@program
def sums_of_narrow_integers(jax):
    jnp = jax.numpy
    x = jnp.array([100, 100, 100], jnp.int8)
    return {
        "sum": [x.sum(), x.sum(dtype=jnp.int8), jnp.sum(x > 0), jnp.mean(x), x.prod(), x.cumsum()],
        "overflow": x + x,
        "convert": jnp.array([300, -1]).astype(jnp.uint8),
        "float to int": jnp.array([1.9, -1.9]).astype(int),
        "integer division": jnp.array([7, -7]) // jnp.array([2, 2]),
        "zero": jnp.array([7, 0]) // 0,
        "remainder": jnp.array([7, -7]) % 0,
        "bool sum": jnp.array([True, True]) + jnp.array([True, False]),
        "uint minus": jnp.array([1], jnp.uint8) - jnp.array([2], jnp.uint8),
        "power": jnp.array([2, -2]) ** jnp.array([3, 2]),
    }
