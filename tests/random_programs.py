"""Random programs: sequences of operations with operands that fit, drawn by hypothesis and run with any library.

A program is a list of steps; a step applies one operation to values computed before.  Operations are drawn so that they
are valid for the shapes and dtypes of their operands.  Decisions such as comparing or sorting are drawn only on values
that both libraries compute exactly, so that rounding cannot turn a tie.
"""

import dataclasses
import os

import numpy as np
from hypothesis import strategies as st

DTYPES = ("float32", "float32", "float32", "int32", "bool", "float16", "bfloat16", "complex64")
# Multiples of 1/4 of moderate size: sums and products of a few of them are exact in float32.
NUMBERS = (-2.0, -1.5, -1.0, -0.5, -0.25, 0.0, 0.0, 0.25, 0.5, 1.0, 1.25, 2.0)


def many(number):
    """How many random programs a slow test runs: a number that takes one core at most a quarter of an hour, times the
    environment variable ``FUNGRAD_MANY``."""
    return max(1, round(number * float(os.environ.get("FUNGRAD_MANY", "1"))))


@dataclasses.dataclass(frozen=True)
class Value:
    """What is known of a value while a program is drawn."""

    shape: tuple
    dtype: str
    exact: bool

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def size(self):
        return int(np.prod(self.shape))

    @property
    def kind(self):
        return (
            "f"
            if self.dtype in ("float32", "float16", "bfloat16")
            else {"i": "i", "u": "i", "b": "b", "c": "c"}[self.dtype[0]]
        )


@dataclasses.dataclass(frozen=True)
class Step:
    """One operation: ``apply(library, *values)`` of the values at ``operands``."""

    text: str
    apply: object
    operands: tuple

    def __repr__(self):
        return f"{self.text}{self.operands}"


@dataclasses.dataclass(frozen=True)
class Program:
    """Inputs as (shape, dtype), steps, and the positions of the results among inputs and steps."""

    inputs: tuple
    steps: tuple
    outputs: tuple

    def __call__(self, lib, *args, between=lambda value: value):
        """The results, and all values on the way; ``between`` is applied after every step."""
        values = list(args)
        for step in self.steps:
            values.append(between(step.apply(lib, *[values[i] for i in step.operands])))
        return [values[i] for i in self.outputs], values


# Operations --------------------------------------------------------------------------------------
# Each is (name, function of the library's numpy and a value). "Rough" ones round, or decide by value.

SMOOTH = {
    "sin": lambda np_, x: np_.sin(x),
    "cos": lambda np_, x: np_.cos(x),
    "tanh": lambda np_, x: np_.tanh(x),
    "gauss": lambda np_, x: np_.exp(-x * x),
    "log1p": lambda np_, x: np_.log1p(np_.abs(x)),
    "sqrt": lambda np_, x: np_.sqrt(np_.abs(x)),
    "logistic": lambda np_, x: 1 / (1 + np_.exp(-x)),
    "arctan": lambda np_, x: np_.arctan(x),
    "reciprocal": lambda np_, x: 1.0 / (x * x + 1),
    "power": lambda np_, x: np_.abs(x) ** 1.5,
    "cube": lambda np_, x: x**3,
    "expm1": lambda np_, x: np_.expm1(np_.minimum(x, 1.0)),
    "logaddexp": lambda np_, x: np_.logaddexp(x, 0.5),
    "rsqrt": lambda np_, x: (x * x + 0.5) ** -0.5,
}
EXACT = {
    "negative": lambda np_, x: -x,
    "abs": lambda np_, x: np_.abs(x),
    "double": lambda np_, x: x * 2,
    "square": lambda np_, x: np_.square(x),
    "shift": lambda np_, x: x - 0.5,
    "positive": lambda np_, x: np_.positive(x),
    "copy": lambda np_, x: np_.array(x),
    "plus integer": lambda np_, x: 1 + x,
    "clip": lambda np_, x: np_.clip(x, -1, 1),
    "maximum": lambda np_, x: np_.maximum(x, 0),
    "zeros_like": lambda np_, x: x + np_.zeros_like(x),
}
DECIDING = {
    "sign": lambda np_, x: np_.sign(x),
    "floor": lambda np_, x: np_.floor(x),
    "round": lambda np_, x: np_.round(x),
    "positive part": lambda np_, x: np_.where(x > 0, x, 0.25 * x),
    "is zero": lambda np_, x: x == 0,
    "to int": lambda np_, x: x.astype(int),
    "modulo": lambda np_, x: x % 1.5,
    "floor divide": lambda np_, x: x // 0.75,
    "isfinite": lambda np_, x: np_.isfinite(x),
}
COMPLEX = {
    "conj": lambda np_, x: np_.conj(x),
    "real": lambda np_, x: np_.real(x),
    "imag": lambda np_, x: np_.imag(x),
    "negative": lambda np_, x: -x,
    "times i": lambda np_, x: x * 1j,
    "minus": lambda np_, x: x - 0.5,
    "square": lambda np_, x: x * x,
}
COMPLEX_SMOOTH = {
    "abs": lambda np_, x: np_.abs(x),
    "exp": lambda np_, x: np_.exp(1j * np_.real(x)),
    "sin": lambda np_, x: np_.sin(x),
}
INTEGER = {
    "negative": lambda np_, x: -x,
    "abs": lambda np_, x: np_.abs(x),
    "square": lambda np_, x: x * x,
    "invert": lambda np_, x: ~x,
    "shift": lambda np_, x: (x & 7) << 1,
    "remainder": lambda np_, x: x % 3,
    "floor divide": lambda np_, x: x // -2,
    "half": lambda np_, x: x * 0.5,
    "to float": lambda np_, x: x.astype(np_.float32),
    "sign": lambda np_, x: np_.sign(x),
    "parity": lambda np_, x: x % 2 == 0,
    "minus": lambda np_, x: 3 - x,
}
BOOLEAN = {
    "not": lambda np_, x: ~x,
    "to int": lambda np_, x: x.astype(int),
    "to float": lambda np_, x: x * 1.0,
    "choose": lambda np_, x: np_.where(x, 2.0, 0.5),
    "add": lambda np_, x: x + 1,
    "xor": lambda np_, x: x ^ True,
}
BINARY = {
    "add": lambda np_, x, y: x + y,
    "multiply": lambda np_, x, y: x * y,
    "choose first": lambda np_, x, y: np_.where(True, x, y),
}
ORDERED_BINARY = {
    "maximum": lambda np_, x, y: np_.maximum(x, y),
    "minimum": lambda np_, x, y: np_.minimum(x, y),
    "less": lambda np_, x, y: x < y,
    "greater equal": lambda np_, x, y: x >= y,
    "where": lambda np_, x, y: np_.where(x > y, x, y),
    "equal": lambda np_, x, y: x == y,
    "not equal": lambda np_, x, y: x != y,
    "logical and": lambda np_, x, y: np_.logical_and(x, y),
}
ROUNDING_BINARY = {
    "divide": lambda np_, x, y: x / (y * y + 1),
    "arctan2": lambda np_, x, y: np_.arctan2(x, y + 4),
    "hypot": lambda np_, x, y: np_.sqrt(x * x + y * y + 1),
}


def broadcasts(a, b):
    return all(m == n or m == 1 or n == 1 for m, n in zip(a[::-1], b[::-1], strict=False))


def one_of(table):
    return st.sampled_from(sorted(table))


@st.composite
def elementwise(draw, x, i):
    table, exact = {"i": (INTEGER, True), "b": (BOOLEAN, True), "c": (COMPLEX, True), "f": (EXACT, True)}[x.kind]
    rounding = {"f": SMOOTH, "c": COMPLEX_SMOOTH}.get(x.kind)
    if rounding and draw(st.booleans()):
        table, exact = rounding, False
    elif x.kind == "f" and x.exact and draw(st.booleans()):
        table = DECIDING
    name = draw(one_of(table))
    if table is COMPLEX and name == "square":
        exact = False
    f = table[name]
    return name, lambda lib, x: f(lib.numpy, x), (i,), exact


@st.composite
def binary(draw, x, i, values):
    partners = [j for j, y in enumerate(values) if broadcasts(x.shape, y.shape) and y.size * max(x.size, 1) <= 400]
    j = draw(st.sampled_from(partners)) if partners else i
    y = values[j]
    tables = [BINARY]
    if "c" not in x.kind + y.kind:
        tables += [ROUNDING_BINARY]
        if x.exact and y.exact:
            tables += [ORDERED_BINARY]
    table = draw(st.sampled_from(tables))
    name = draw(one_of(table))
    f = table[name]
    return name, lambda lib, x, y: f(lib.numpy, x, y), (i, j), table is not ROUNDING_BINARY


@st.composite
def scalar(draw, x, i):
    number = draw(st.sampled_from([2, -1, 0.5, True, 3.0] + ([1j] if x.kind == "c" else [])))
    name = draw(st.sampled_from(["+", "*", "r-", "/"]))
    if x.kind == "b" and number is True or (name == "r-" and number is True):
        number = 2
    f = {"+": lambda x: x + number, "*": lambda x: number * x, "r-": lambda x: number - x, "/": lambda x: x / number}[
        name
    ]
    return f"{name}{number}", lambda lib, x: f(x), (i,), name != "/" or number not in (3.0, True)


@st.composite
def reduction(draw, x, i):
    axes = draw(
        st.one_of(st.none(), st.sets(st.integers(0, max(x.ndim - 1, 0)), max_size=x.ndim) if x.ndim else st.just(()))
    )
    axis = axes if axes is None else tuple(a - x.ndim if draw(st.booleans()) else a for a in sorted(axes))
    keep = draw(st.booleans())
    names = ["sum", "mean", "any", "all"]
    names += ["prod", "var"] if x.kind != "b" else []
    nonempty = all(x.shape[a] for a in (range(x.ndim) if axis is None else axis))
    names += ["max", "min"] if nonempty and x.kind != "c" else []
    names += ["logsumexp"] if nonempty and x.kind == "f" else []
    name = draw(st.sampled_from(names))
    if name in ("any", "all") and not x.exact:
        name = "sum"
    if name == "logsumexp":
        return name, lambda lib, x: lib.nn.logsumexp(x, axis=axis, keepdims=keep), (i,), False
    text = f"{name}[{axis},{keep}]"
    return (
        text,
        lambda lib, x: getattr(lib.numpy, name)(x, axis=axis, keepdims=keep),
        (i,),
        name in ("sum", "any", "all", "max", "min"),
    )


@st.composite
def along_axis(draw, x, i):
    if not x.ndim:
        return "ravel", lambda lib, x: x.ravel(), (i,), True
    axis = draw(st.integers(-x.ndim, x.ndim - 1))
    functions = {
        "cumsum": lambda lib, x: lib.numpy.cumsum(x, axis=axis),
        "cumprod": lambda lib, x: lib.numpy.cumprod(x, axis=axis),
        "flip": lambda lib, x: lib.numpy.flip(x, axis),
        "roll": lambda lib, x: lib.numpy.roll(x, 2, axis),
        "stack": lambda lib, x: lib.numpy.stack([x, x], axis),
        "concatenate": lambda lib, x: lib.numpy.concatenate([x, x * 2], axis),
        "repeat": lambda lib, x: lib.numpy.repeat(x, 2, axis),
        "diff": lambda lib, x: lib.numpy.diff(x, axis=axis),
        "split": lambda lib, x: lib.numpy.array_split(x, 2, axis)[0],
    }
    if x.exact and x.kind != "c":
        functions["sort"] = lambda lib, x: lib.numpy.sort(x, axis=axis)
        functions["argsort"] = lambda lib, x: lib.numpy.argsort(x, axis=axis)
        if x.shape[axis]:
            functions["argmax"] = lambda lib, x: lib.numpy.argmax(x, axis=axis)
    if x.kind == "f":
        functions["softmax"] = lambda lib, x: lib.nn.softmax(x, axis=axis)
    if x.kind == "b":
        del functions["diff"]
    name = draw(one_of(functions))
    return f"{name}[{axis}]", functions[name], (i,), name not in ("cumprod", "softmax")


@st.composite
def reshaping(draw, x, i):
    perm = tuple(draw(st.permutations(range(x.ndim))))
    factors = [d for d in range(1, 5) if x.size % d == 0]
    d = draw(st.sampled_from(factors))
    at = draw(st.integers(0, x.ndim))
    functions = {
        "transpose": lambda lib, x: lib.numpy.transpose(x, perm),
        "ravel": lambda lib, x: x.ravel(),
        "expand_dims": lambda lib, x: lib.numpy.expand_dims(x, at),
        "squeeze": lambda lib, x: lib.numpy.squeeze(x),
        "atleast": lambda lib, x: lib.numpy.atleast_2d(x),
        "broadcast_to": lambda lib, x: lib.numpy.broadcast_to(x, (2, *x.shape)),
        "tile": lambda lib, x: lib.numpy.tile(x, 2),
        "pad": lambda lib, x: lib.numpy.pad(x, 1),
        "reshape": lambda lib, x: lib.numpy.reshape(x, (d, x.size // d)),
    }
    if x.size:
        functions["reshape unknown"] = lambda lib, x: x.reshape(-1, d)
    if x.size > 60 or x.ndim > 4:
        functions = {name: functions[name] for name in ("transpose", "ravel", "squeeze", "reshape")}
    name = draw(one_of(functions))
    return name, functions[name], (i,), True


@st.composite
def index(draw, x, i):
    """A tuple of integers, slices, None, and at most one index array."""
    entries, array_used = [], False
    for n in x.shape[: draw(st.integers(0, x.ndim))]:
        kinds = ["slice", "full", "none"] + (["int", "array"] if n else [])
        kind = draw(st.sampled_from(kinds))
        if kind == "int":
            entries.append(draw(st.integers(-n, n - 1)))
        elif kind == "array" and not array_used:
            array_used = True
            size = draw(st.integers(0, 3))
            entries.append(np.array([draw(st.integers(-n, n - 1)) for _ in range(size)], np.int32))
        elif kind == "none":
            entries += [None, slice(None)]
        elif kind == "slice":
            bound = st.one_of(st.none(), st.integers(-n - 1, n + 1))
            entries.append(slice(draw(bound), draw(bound), draw(st.sampled_from([None, 1, 2, -1, -2]))))
        else:
            entries.append(slice(None))
    if draw(st.booleans()):
        entries.append(Ellipsis)
    return tuple(entries)


@st.composite
def indexing(draw, x, i):
    where = draw(index(x, i))
    unique = all(len(set((e % n).tolist())) == len(e) for e, n in _arrays(where, x.shape))
    names = ["get", "get", "add"] + (["set", "multiply"] if unique else [])
    names += ["max"] if x.exact and x.kind != "c" else []
    name = draw(st.sampled_from(names))
    text = f"{name}[{where}]"
    if name == "get":
        return text, lambda lib, x: x[where], (i,), True
    if x.kind == "b":
        return text, lambda lib, x: x.at[where].set(True), (i,), True
    value = draw(st.sampled_from([1, 2]))
    return text, lambda lib, x: getattr(x.at[where], name)(value), (i,), True


def _arrays(where, shape):
    """The index arrays of ``where`` with the sizes of their dimensions."""
    d = 0
    for entry in where:
        if entry is Ellipsis:
            return
        if entry is None:
            continue
        if isinstance(entry, np.ndarray):
            yield entry, shape[d]
        d += 1


@st.composite
def product(draw, x, i):
    if not x.ndim:
        return "outer", lambda lib, x: lib.numpy.outer(x, x), (i,), False
    functions = {
        "matmul": lambda lib, x: x @ lib.numpy.swapaxes(x, -1, -2) if x.ndim > 1 else x @ x,
        "vdot": lambda lib, x: lib.numpy.vdot(x, x),
        "einsum": lambda lib, x: lib.numpy.einsum("...i,...i->...", x, x + 1),
        "tensordot": lambda lib, x: lib.numpy.tensordot(x, x, axes=((0,), (0,))),
        "dot": lambda lib, x: lib.numpy.dot(x, lib.numpy.ones((x.shape[-1], 2), x.dtype)),
    }
    if x.size > 24:
        del functions["tensordot"]
    name = draw(one_of(functions))
    return name, functions[name], (i,), False


@st.composite
def nested(draw, x, i):
    """A small function under a transformation of its own."""
    functions = {
        "jit": lambda lib, x: lib.jit(lambda y: lib.numpy.sin(y) * 2)(x),
        "stop": lambda lib, x: lib.lax.stop_gradient(x) * x,
        "jvp": lambda lib, x: lib.jvp(lambda y: y * lib.numpy.tanh(y), (x,), (x,))[1],
        "grad": lambda lib, x: lib.grad(lambda y: lib.numpy.sum(lib.numpy.sin(y) * y))(x),
        "while grad": lambda lib, x: lib.vjp(lambda y: y * y, x)[1](x)[0],
    }
    if x.ndim and x.shape[0]:
        functions["vmap"] = lambda lib, x: lib.vmap(lambda row: row - row.mean())(x)
    if x.kind != "f":
        functions = {"jit": lambda lib, x: lib.jit(lambda y: y * 2)(x)}
    name = draw(one_of(functions))
    return f"{name}-nested", functions[name], (i,), False


def steps(x, i, values):
    """The strategies of the next step on the value ``x``, number ``i`` of ``values``."""
    choices = [
        elementwise(x, i),
        elementwise(x, i),
        binary(x, i, values),
        scalar(x, i),
        along_axis(x, i),
        reshaping(x, i),
    ]
    return st.one_of(*choices, reduction(x, i), indexing(x, i), product(x, i), nested(x, i))


SHAPES = st.lists(st.sampled_from([0, 1, 1, 2, 2, 3, 3, 4]), max_size=3).map(tuple)


@st.composite
def programs(draw, abstract, max_steps=6, more=None):
    """A program and its inputs.

    Args:
      abstract: ``(function, avals) -> (shape, dtype)`` of the result of one operation.
      max_steps: the largest number of operations.
      more: as ``steps``, further strategies for half of the steps (or None if there is none for a value).
    """
    base = draw(SHAPES)
    values = []
    for _ in range(draw(st.integers(1, 3))):
        shape = tuple(1 if draw(st.integers(0, 3)) == 0 else n for n in base)
        shape = shape[draw(st.integers(0, len(shape))) if draw(st.integers(0, 2)) == 0 else 0 :]
        values.append(Value(shape, draw(st.sampled_from(DTYPES)), True))
    inputs, program = tuple((v.shape, v.dtype) for v in values), []
    for _ in range(draw(st.integers(3, max_steps))):
        i = draw(st.integers(0, len(values) - 1)) if draw(st.booleans()) else len(values) - 1
        further = more(values[i], i, values) if more and draw(st.booleans()) else None
        text, apply, operands, exact = draw(steps(values[i], i, values) if further is None else further)
        shape, dtype = abstract(apply, [(values[j].shape, values[j].dtype) for j in operands])
        half = dtype in ("float16", "bfloat16")
        exact = exact and all(values[j].exact for j in operands) and not half
        program.append(Step(text, apply, operands))
        values.append(Value(tuple(shape), str(dtype), exact))
    used = {j for step in program for j in step.operands}
    outputs = tuple(k for k in range(len(inputs), len(values)) if k not in used)
    return Program(inputs, tuple(program), outputs)


FLOATS = ("float32", "float16", "bfloat16")


def inputs(lib, program, arrays):
    """Arrays of a library for the inputs of a program."""
    return [lib.numpy.asarray(x, dtype=dtype) for x, (_, dtype) in zip(arrays, program.inputs, strict=True)]


def modes(lib, program, **options):
    """Functions of the inputs, and of inputs with a batch dimension, by name."""
    floats = tuple(i for i, (_, dtype) in enumerate(program.inputs) if dtype in FLOATS)
    run = lambda *args: program(lib, *args, **options)[0]  # noqa: E731

    def loss(*args):
        total = 0.0
        for out in run(*args):
            if lib.numpy.issubdtype(out.dtype, lib.numpy.inexact):
                total = total + lib.numpy.sum(lib.numpy.real(out).astype(lib.numpy.float32))
        return total

    def push(*args):
        f = lambda *xs: run(*[xs[floats.index(i)] if i in floats else a for i, a in enumerate(args)])  # noqa: E731
        xs = [args[i] for i in floats]
        return lib.jvp(f, xs, [lib.numpy.ones_like(x) for x in xs])

    one, many = {"eager": run}, {"vmap": lib.vmap(run)}
    if floats:
        gradient = lib.grad(loss, argnums=floats)
        one |= {"grad": gradient, "jvp": push}
        many |= {
            "vmap grad": lib.vmap(gradient),
            "grad vmap": lib.grad(lambda *args: lib.numpy.sum(lib.vmap(loss)(*args)), argnums=floats),
        }
    return one, many


def arguments(program, seed, batch=None):
    """NumPy arrays for the inputs of a program, with a leading dimension ``batch`` if given."""
    rng = np.random.default_rng(seed)
    out = []
    for shape, dtype in program.inputs:
        shape = shape if batch is None else (batch, *shape)
        x = rng.choice(NUMBERS, shape)
        if dtype == "complex64":
            x = x + 1j * rng.choice(NUMBERS, shape)
        out.append(np.asarray(x * 2 if dtype == "int32" else x > 0 if dtype == "bool" else x))
    return out
