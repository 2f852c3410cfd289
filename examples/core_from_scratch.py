"""The core of fungrad in one file: tracing, grad, vmap, jaxprs and a small compiler, on NumPy alone.

Read it from top to bottom, with the real files beside it: the names are the same, and each section says where its
grown-up version is.  What is left out makes the library large, not different: dtypes, trees of arguments, most
primitives, control flow, error messages, speed.
"""

from __future__ import annotations

import contextlib
import itertools
import string
from collections import namedtuple
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

# -- 1. Primitives and the current trace (fungrad/core/primitive.py, core/context.py) --------------------------------
# `bind` asks the current trace what to do.  The bottom trace computes; a transformation pushes a trace of its own and
# runs the user's function on tracers.


class Primitive:
    """An operation with all its rules.  One that is missing does not exist, as the transpose of what is not linear."""

    def __init__(self, name: str, impl: Callable[..., np.ndarray]):
        self.name = name
        self.impl = impl  # computes with ndarrays
        self.partials: Any = None  # for each operand, the linear map from its tangent to that of the result
        self.transpose: Any = None  # from the cotangent of the result to those of the operands
        self.batch: Any = None  # runs the operation on whole batches, whose axis is 0

    def bind(self, *args: Any, **params: Any) -> Any:
        return state.trace.process(self, args, params)

    def abstract_eval(self, avals: Sequence[ShapedArray], params: dict) -> ShapedArray:
        """The type of the result.  (Here by computing with zeros; the library has a rule for each.)"""
        with np.errstate(all="ignore"):
            return aval_of(self.impl(*[np.zeros(a.shape) for a in avals], **params))

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], params: dict) -> tuple[Any, Any]:
        """The result and its tangent; None is a tangent of zero."""
        out, total = self.bind(*primals, **params), None
        for partial, t in zip(self.partials, tangents, strict=False):
            if t is not None:
                term = partial(t, out, *primals, **params)
                total = term if total is None else add(total, term)
        return out, total


class ShapedArray(namedtuple("ShapedArray", "shape")):
    """An abstract value: what is known of an array without its numbers."""

    def __str__(self) -> str:
        return f"f64[{','.join(map(str, self.shape))}]"


def aval_of(x: Any) -> ShapedArray:
    return x.aval if isinstance(x, Tracer) else ShapedArray(np.shape(x))


class Trace:
    """One run of a transformation: interprets operations on its own tracers, and forwards all others to its parent."""

    def __init__(self, parent: Trace | None):
        self.parent = parent

    def owns(self, x: Any) -> bool:
        return isinstance(x, Tracer) and x._trace is self


class EvalTrace(Trace):
    """The bottom: computes at once."""

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict) -> Any:
        if any(isinstance(a, Tracer) for a in args):
            raise TypeError(f"{primitive.name}: a tracer was used after its transformation had ended")
        return primitive.impl(*args, **params)


state = SimpleNamespace(trace=EvalTrace(None))


@contextlib.contextmanager
def running(trace: Trace) -> Iterator[None]:
    """Makes ``trace`` the current one."""
    before, state.trace = state.trace, trace
    try:
        yield
    finally:
        state.trace = before


class Tracer:
    """What stands for an array while a function is transformed: its trace and type, and what the trace knows."""

    __array_ufunc__ = None  # ndarray + tracer asks the tracer

    def __init__(self, trace: Trace, aval: ShapedArray, **known: Any):
        self._trace, self.aval = trace, aval
        self.__dict__.update(known)

    shape = property(lambda self: self.aval.shape)
    T = property(lambda self: einsum("ij->ji", self))
    __add__ = __radd__ = lambda self, other: add(self, other)
    __mul__ = __rmul__ = lambda self, other: mul(self, other)
    __neg__ = lambda self: neg(self)
    __sub__ = lambda self, other: add(self, neg(other))
    __rsub__ = lambda self, other: add(other, neg(self))
    __truediv__ = lambda self, other: mul(self, reciprocal(other))
    __rtruediv__ = lambda self, other: mul(other, reciprocal(self))
    __matmul__ = lambda self, other: dot(self, other)
    __rmatmul__ = lambda self, other: dot(other, self)

    sum = lambda self, axis=None: reduce_sum(self, axis)

    def __bool__(self) -> bool:
        raise TypeError("the truth value of a tracer is not known while a function is traced")


# -- 2. Linearize: one run, with the derivative recorded (fungrad/transforms/linearization.py) ------------------------
# The rule of each primitive runs under a `TangentTrace`, which records what concerns tangents and executes the rest.


class TangentVar(Tracer):
    """A tangent that has no value yet: a variable of the linear program."""


LinearProgram = namedtuple("LinearProgram", "invars eqns outvar")  # the derivative at a point
LinearEqn = namedtuple("LinearEqn", "primitive args params out")  # operands that are no variables are the residuals


class TangentTrace(Trace):
    def __init__(self, parent: Trace):
        super().__init__(parent)
        self.eqns: list[LinearEqn] = []

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict) -> Any:
        if not any(map(self.owns, args)):
            with running(self.parent):
                return primitive.bind(*args, **params)
        out = TangentVar(self, primitive.abstract_eval([aval_of(a) for a in args], params))
        self.eqns.append(LinearEqn(primitive, args, params, out))
        return out


class LinearizeTracer(Tracer):
    """A value, `primal`, and the variable of its `tangent`."""


class LinearizeTrace(Trace):
    def __init__(self, parent: Trace):
        super().__init__(parent)
        self.tangent_trace = TangentTrace(parent)

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict) -> Any:
        primals = [a.primal if self.owns(a) else a for a in args]
        tangents = [a.tangent if self.owns(a) else None for a in args]
        if all(t is None for t in tangents):
            with running(self.parent):
                return primitive.bind(*primals, **params)
        with running(self.tangent_trace):
            out, tangent = primitive.jvp(primals, tangents, params)
        return out if tangent is None else LinearizeTracer(self, aval_of(out), primal=out, tangent=tangent)


def linearize_flat(fun: Callable, primals: Sequence[Any]) -> tuple[Any, LinearProgram]:
    """The result at a point, and the derivative there."""
    trace = LinearizeTrace(state.trace)
    invars = [TangentVar(trace.tangent_trace, aval_of(p)) for p in primals]
    with running(trace):
        out = fun(*[LinearizeTracer(trace, v.aval, primal=p, tangent=v) for p, v in zip(primals, invars, strict=True)])
    primal, outvar = (out.primal, out.tangent) if trace.owns(out) else (out, None)
    return primal, LinearProgram(invars, trace.tangent_trace.eqns, outvar)


# -- 3. Transpose: the linear program run backwards (fungrad/transforms/transposition.py) -----------------------------


def backward_pass(program: LinearProgram, cotangent: Any) -> list[Any]:
    """Cotangents of the inputs, from that of the result: reverse mode is linearize and transpose."""
    cts: dict[int, Any] = {} if program.outvar is None else {id(program.outvar): cotangent}
    for eqn in reversed(program.eqns):
        ct = cts.pop(id(eqn.out), None)
        if ct is None:
            continue  # the result does not depend on it
        linear = [isinstance(a, TangentVar) and a._trace is eqn.out._trace for a in eqn.args]
        for a, c in zip(eqn.args, eqn.primitive.transpose(ct, eqn.args, linear, **eqn.params), strict=True):
            if c is not None:
                cts[id(a)] = add(cts[id(a)], c) if id(a) in cts else c
    return [cts.get(id(v), np.zeros(v.shape)) for v in program.invars]


def vjp(fun: Callable, *primals: Any) -> tuple[Any, Callable]:
    """The result, and the function from its cotangent to those of the arguments."""
    out, program = linearize_flat(fun, primals)
    return out, lambda ct: backward_pass(program, ct)


def grad(fun: Callable, argnum: int = 0) -> Callable:
    """The function that computes the gradient of ``fun`` with respect to one argument."""

    def gradient(*args: Any) -> Any:
        out, pull = vjp(lambda x: fun(*args[:argnum], x, *args[argnum + 1 :]), args[argnum])
        if aval_of(out).shape != ():
            raise TypeError(f"gradients are defined for functions with a scalar output, got {aval_of(out)}")
        return pull(np.ones(()))[0]

    return gradient


def jvp(fun: Callable, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The result and its tangent: the linear program run forwards.  (The library has a trace of its own for this.)"""
    out, program = linearize_flat(fun, primals)
    if program.outvar is None:
        return out, np.zeros(aval_of(out).shape)
    env = {id(v): t for v, t in zip(program.invars, tangents, strict=True)}
    for eqn in program.eqns:
        env[id(eqn.out)] = eqn.primitive.bind(*[env.get(id(a), a) for a in eqn.args], **eqn.params)
    return out, env[id(program.outvar)]


# -- 4. vmap: one example that is a whole batch (fungrad/transforms/batching.py) --------------------------------------


class BatchTracer(Tracer):
    """A batch, `value`, with its axis in front, that looks like one example."""


class BatchTrace(Trace):
    def __init__(self, parent: Trace, size: int):
        super().__init__(parent)
        self.size = size

    def example(self, value: Any) -> BatchTracer:
        return BatchTracer(self, ShapedArray(aval_of(value).shape[1:]), value=value)

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict) -> Any:
        mapped = [self.owns(a) for a in args]
        values = [a.value if m else a for a, m in zip(args, mapped, strict=True)]
        with running(self.parent):
            if not any(mapped):
                return primitive.bind(*values, **params)
            return self.example(primitive.batch(values, mapped, self.size, **params))


def vmap(fun: Callable, in_axes: Any = 0) -> Callable:
    """Maps ``fun`` over axis 0 of its arguments, but for those whose entry in ``in_axes`` is None."""

    def mapped(*args: Any) -> Any:
        axes = in_axes if isinstance(in_axes, tuple) else (in_axes,) * len(args)
        (size,) = {aval_of(a).shape[0] for a, axis in zip(args, axes, strict=True) if axis is not None}
        trace = BatchTrace(state.trace, size)
        with running(trace):
            out = fun(*[a if axis is None else trace.example(a) for a, axis in zip(args, axes, strict=True)])
        return out.value if trace.owns(out) else broadcast(out, (size, *aval_of(out).shape), (0,))

    return mapped


# -- 5. jaxprs: a function as data (fungrad/core/ir.py, core/staging.py) ----------------------------------------------

Eqn = namedtuple("Eqn", "primitive args params out")  # operands are variables and arrays


class Var(namedtuple("Var", "count aval")):
    def __str__(self) -> str:
        return f"v{self.count}"


class Jaxpr(namedtuple("Jaxpr", "invars eqns out")):
    def __str__(self) -> str:
        show = lambda a: str(a) if isinstance(a, Var) else f"{a:.6g}" if np.ndim(a) == 0 else f"const{aval_of(a)}"
        lines = [f"{{ lambda ; {' '.join(f'{v}:{v.aval}' for v in self.invars)}. let"]
        for e in self.eqns:
            params = f"[{' '.join(f'{k}={v}' for k, v in e.params.items())}]" if e.params else ""
            lines.append(f"    {e.out}:{e.out.aval} = {e.primitive.name}{params} {' '.join(map(show, e.args))}")
        return "\n".join([*lines, f"  in ({show(self.out)},) }}"])


class JaxprTrace(Trace):
    """Computes nothing: writes down what would be computed."""

    def __init__(self, parent: Trace):
        super().__init__(parent)
        self.eqns: list[Eqn] = []
        count = itertools.count()
        self.new = lambda aval: Tracer(self, aval, var=Var(next(count), aval))

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict) -> Any:
        out = self.new(primitive.abstract_eval([aval_of(a) for a in args], params))
        atoms = tuple(a.var if self.owns(a) else np.asarray(a) for a in args)
        self.eqns.append(Eqn(primitive, atoms, params, out.var))
        return out


def trace_flat(fun: Callable, avals: Sequence[ShapedArray]) -> Jaxpr:
    trace = JaxprTrace(EvalTrace(None))
    args = [trace.new(a) for a in avals]
    with running(trace):
        out = fun(*args)
    return Jaxpr([a.var for a in args], trace.eqns, out.var if trace.owns(out) else np.asarray(out))


make_jaxpr = lambda fun: lambda *args: trace_flat(fun, [aval_of(a) for a in args])


def eval_jaxpr(jaxpr: Jaxpr, *args: Any) -> Any:
    """Runs a jaxpr, in whatever trace is current: so it can be differentiated and mapped like any function."""
    env = dict(zip(jaxpr.invars, args, strict=True))
    read = lambda a: env[a] if isinstance(a, Var) else a
    for e in jaxpr.eqns:
        env[e.out] = e.primitive.bind(*map(read, e.args), **e.params)
    return read(jaxpr.out)


# -- 6. jit: passes, then one function of NumPy (fungrad/jit/passes/, jit/fusion/, jit/front/) ------------------------


def dce(jaxpr: Jaxpr) -> Jaxpr:
    """Dead code elimination: what nobody reads is not computed."""
    needed, kept = {jaxpr.out} if isinstance(jaxpr.out, Var) else set(), []
    for e in reversed(jaxpr.eqns):
        if e.out in needed:
            kept.append(e)
            needed.update(a for a in e.args if isinstance(a, Var))
    return jaxpr._replace(eqns=kept[::-1])


def compile_jaxpr(jaxpr: Jaxpr) -> tuple[Callable, str]:
    """One Python function for the program, and its text."""
    jaxpr = dce(jaxpr)
    names = {"inf": np.inf, "nan": np.nan} | {e.primitive.name: e.primitive.impl for e in jaxpr.eqns}

    def write(a: Any) -> str:
        if isinstance(a, Var) or a.ndim == 0:
            return str(a)
        names[name := f"k{len(names)}"] = a
        return name

    lines = [f"def program({', '.join(map(str, jaxpr.invars))}):"]
    for e in jaxpr.eqns:
        operands = [*map(write, e.args), *(f"{k}={v!r}" for k, v in e.params.items())]
        lines.append(f"    {e.out} = {e.primitive.name}({', '.join(operands)})")
    source = "\n".join([*lines, f"    return {write(jaxpr.out)}"])
    exec(source, names)
    return names["program"], source


def jit(fun: Callable) -> Callable:
    """Compiles ``fun`` for each combination of shapes.  (Inside of a transformation the library keeps the call as one
    operation, with the jaxpr as its parameter; here it is as if the decorator were not there.)"""
    programs: dict[Any, Callable] = {}

    def call(*args: Any) -> Any:
        if not isinstance(state.trace, EvalTrace):
            return fun(*args)
        avals = tuple(map(aval_of, args))
        if avals not in programs:
            programs[avals], call.source = compile_jaxpr(trace_flat(fun, avals))
        return programs[avals](*args)

    return call


# -- 7. The primitives, a few lines each (fungrad/ops/) ---------------------------------------------------------------


def _elementwise(name: str, impl: Callable, *partials: Callable) -> Primitive:
    p = Primitive(name, impl)
    repeat = lambda a, m, size: a if m else broadcast(a, (size, *aval_of(a).shape), (0,))
    p.partials = partials
    p.batch = lambda args, mapped, size: p.bind(*[repeat(a, m, size) for a, m in zip(args, mapped, strict=True)])
    return p


add_p = _elementwise("add", np.add, lambda t, *_: t, lambda t, *_: t)
mul_p = _elementwise("mul", np.multiply, lambda t, o, x, y: mul(t, y), lambda t, o, x, y: mul(x, t))
neg_p = _elementwise("neg", np.negative, lambda t, *_: neg(t))
sin_p = _elementwise("sin", np.sin, lambda t, o, x: mul(t, cos(x)))
cos_p = _elementwise("cos", np.cos, lambda t, o, x: mul(t, neg(sin(x))))
exp_p = _elementwise("exp", np.exp, lambda t, o, x: mul(t, o))
log_p = _elementwise("log", np.log, lambda t, o, x: mul(t, reciprocal(x)))
tanh_p = _elementwise("tanh", np.tanh, lambda t, o, x: mul(t, add(1.0, neg(mul(o, o)))))
reciprocal_p = _elementwise("reciprocal", np.reciprocal, lambda t, o, x: mul(t, neg(mul(o, o))))

add_p.transpose = lambda ct, args, linear: [ct if is_linear else None for is_linear in linear]
mul_p.transpose = lambda ct, args, linear: [mul(ct, args[1]), None] if linear[0] else [None, mul(args[0], ct)]
neg_p.transpose = lambda ct, args, linear: [neg(ct)]

neg, sin, cos, exp, log, tanh = (p.bind for p in (neg_p, sin_p, cos_p, exp_p, log_p, tanh_p))
add = lambda x, y: add_p.bind(*_same_shape(x, y))
mul = lambda x, y: mul_p.bind(*_same_shape(x, y))
reciprocal = lambda x: reciprocal_p.bind(x if isinstance(x, Tracer) else np.asarray(x, float))


def _same_shape(x: Any, y: Any) -> list[Any]:
    """Operands broadcast to one shape, by operations of their own: so the rules of the others need not know of it."""
    shape = np.broadcast_shapes(aval_of(x).shape, aval_of(y).shape)
    longer = [reshape(a, (1,) * (len(shape) - len(aval_of(a).shape)) + aval_of(a).shape) for a in (x, y)]
    return [a if aval_of(a).shape == shape else broadcast(a, shape) for a in longer]


def _linear_of_one(name: str, impl: Callable, transpose: Callable, batch: Callable) -> Primitive:
    """A linear operation on one operand: its derivative is itself."""
    p = Primitive(name, impl)
    p.partials = [lambda t, o, x, **params: p.bind(t, **params)]
    p.transpose = lambda ct, args, linear, **params: [transpose(ct, aval_of(args[0]).shape, **params)]
    p.batch = lambda args, mapped, size, **params: batch(args[0], size, **params)
    return p


reshape_p = _linear_of_one(
    "reshape", lambda x, new: np.reshape(x, new),
    lambda ct, old, new: reshape(ct, old),
    lambda x, size, new: reshape(x, (size, *new)),
)  # fmt: skip
reduce_sum_p = _linear_of_one(
    "reduce_sum", lambda x, axes: np.sum(x, axes),
    lambda ct, old, axes: broadcast(ct, old, axes),
    lambda x, size, axes: reduce_sum_p.bind(x, axes=tuple(a + 1 for a in axes)),
)  # fmt: skip
broadcast_p = _linear_of_one(  # along new axes, and along those of size 1
    "broadcast", lambda x, new, axes: np.broadcast_to(np.expand_dims(x, axes), new),
    lambda ct, old, new, axes: _sum_to(ct, old, axes),
    lambda x, size, new, axes: broadcast_p.bind(x, new=(size, *new), axes=tuple(a + 1 for a in axes)),
)  # fmt: skip

reshape = lambda x, new: x if aval_of(x).shape == tuple(new) else reshape_p.bind(x, new=tuple(new))
broadcast = lambda x, new, axes=(): broadcast_p.bind(x, new=tuple(new), axes=axes)


def reduce_sum(x: Any, axis: Any = None) -> Any:
    ndim = len(aval_of(x).shape)
    axes = tuple(a % ndim for a in (range(ndim) if axis is None else np.atleast_1d(axis).astype(int).tolist()))
    return reduce_sum_p.bind(x, axes=axes) if axes else x


def _sum_to(ct: Any, old: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    """The transpose of a broadcast: sums over what was repeated."""
    ct = reduce_sum(ct, axes)
    stretched = tuple(i for i, n in enumerate(old) if n == 1 and aval_of(ct).shape[i] != 1)
    return reshape(reduce_sum(ct, stretched), old)


# Products and transpositions, in the notation of Einstein: linear in each operand, with derivatives that are the same
# operation with the letters in another order, and a letter more for a batch.
einsum_p = Primitive("einsum", lambda *xs, spec: np.einsum(spec, *xs))
einsum = lambda spec, *xs: einsum_p.bind(*xs, spec=spec)
einsum_p.partials = [lambda t, o, x, *y, spec: einsum(spec, t, *y), lambda t, o, x, y, spec: einsum(spec, x, t)]


def _einsum_transpose(ct: Any, args: Sequence[Any], linear: Sequence[bool], spec: str) -> list[Any]:
    *operands, out = spec.replace("->", ",").split(",")
    if len(args) == 1:
        return [einsum(f"{out}->{operands[0]}", ct)]
    i = linear.index(True)
    ct = einsum(f"{out},{operands[1 - i]}->{operands[i]}", ct, args[1 - i])
    return [ct, None] if i == 0 else [None, ct]


def _einsum_batch(args: Sequence[Any], mapped: Sequence[bool], size: int, spec: str) -> Any:
    *operands, out = spec.replace("->", ",").split(",")
    letter = next(c for c in string.ascii_letters if c not in spec)
    return einsum(",".join(letter * m + o for m, o in zip(mapped, operands, strict=True)) + f"->{letter}{out}", *args)


einsum_p.transpose, einsum_p.batch = _einsum_transpose, _einsum_batch
_DOT = {(1, 1): "i,i->", (2, 1): "ij,j->i", (1, 2): "i,ij->j", (2, 2): "ij,jk->ik"}
dot = lambda x, y: einsum(_DOT[len(aval_of(x).shape), len(aval_of(y).shape)], x, y)


# -- 8. Everything together -------------------------------------------------------------------------------------------


def main() -> None:
    f = lambda x: sin(x) * x
    print("sin(x) x at 1, and its derivatives:", *[f"{g(np.float64(1)):+.6f}" for g in (f, grad(f), grad(grad(f)))])
    rng = np.random.default_rng(0)
    w, xs = np.array([1.0, -2.0, 0.5]), rng.normal(size=(20, 3))
    predict = lambda w, x: tanh(dot(x, w))
    print("\nThe gradient of tanh(x . w) as a jaxpr:", make_jaxpr(grad(predict))(w, xs[0]), sep="\n")
    per_example = jit(vmap(grad(predict), in_axes=(None, 0)))
    assert np.allclose(per_example(w, xs), np.stack([grad(predict)(w, x) for x in xs]))
    print("\nvmap of it, compiled to one function of NumPy:", per_example.source, sep="\n")

    square = lambda x: x * x
    loss = lambda v: reduce_sum(square(vmap(predict, in_axes=(None, 0))(v, xs) + -predict(w, xs)))
    step = jit(lambda v: v - 0.05 * grad(loss)(v))
    v = np.zeros(3)
    for _ in range(2000):
        v = step(v)
    print("\nweights found by 2000 compiled steps of gradient descent:", np.round(v, 3))
    assert np.allclose(v, w, atol=1e-3)


if __name__ == "__main__":
    main()
