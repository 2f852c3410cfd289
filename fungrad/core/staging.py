"""Staging: running a Python function on tracers to get its jaxpr.

``JaxprTrace`` records every operation as an equation.  Values from outside that the function closes over become
constants of the jaxpr (0-d arrays become literals); they may be tracers of enclosing transformations, which the caller
passes on as operands.

May import ``core.ir``, ``core.context``, ``core.primitive``, ``core.refs`` and ``core.tree``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fungrad.config import config
from fungrad.core import context, dtypes, tree
from fungrad.core.array import Array, ArrayImpl, as_array, is_array_like
from fungrad.core.avals import ShapedArray
from fungrad.core.context import EVAL, Trace, Tracer, evaluate, report_leaks, state, transformation
from fungrad.core.ir import Eqn, Jaxpr, Literal, Var, check_hashable
from fungrad.core.primitive import Primitive
from fungrad.core.refs import AbstractRef, Binding, Ref, RefFrame, passed
from fungrad.core.source import current_source, function_name, unattributed
from fungrad.errors import concretization_error_class, is_foreign


class DebugInfo(NamedTuple):
    """Names behind a jaxpr, for messages.

    Attributes:
      fun_name: name of the traced function.
      arg_names: one text per input, such as ``x['w']``, or an empty tuple.
      api: the transformation that traced it, such as ``jit``.
    """

    fun_name: str
    arg_names: tuple[str, ...] = ()
    api: str = "jit"


class JaxprTracer(Tracer):
    """A value of a function that is being staged: a variable of the jaxpr."""

    __slots__ = ("variable", "eqn")

    def __init__(self, trace: JaxprTrace, var: Var, eqn: Eqn | None):
        self._trace = trace
        self.aval = var.aval
        self.variable = var
        self.eqn = eqn

    def _concrete(self, what: str) -> np.ndarray:
        raise _concretization_error(self, what)

    def __index__(self) -> int:
        if self.aval.ndim or not dtypes.is_integer(self.aval.dtype):
            return super().__index__()
        raise _concretization_error(self, "__index__()")

    def origin(self) -> str:
        trace: JaxprTrace = self._trace  # type: ignore[assignment]
        if self.eqn is not None:
            return f"It was made by {self.eqn.primitive.name} at {self.eqn.source}."
        name = trace.arg_name(self.variable)
        return f"It is the argument {name} of {trace.debug.fun_name}." if name else ""


class JaxprTrace(Trace):
    """Records operations as equations of one jaxpr."""

    stages = True
    __slots__ = ("eqns", "invars", "constvars", "consts", "const_of", "debug", "frame", "bindings")

    def __init__(self, parent: Trace, debug: DebugInfo, frame: RefFrame | None = None):
        super().__init__(parent, f"{debug.api} of {debug.fun_name}")
        self.debug = debug
        self.eqns: list[Eqn] = []
        self.invars: list[Var] = []
        self.constvars: list[Var] = []
        self.consts: list[Any] = []
        self.const_of: dict[int, Var | Literal] = {}
        # What references from outside are in here, by identity.
        self.frame = frame
        self.bindings: dict[int, Binding] = {}

    def new_arg(self, aval: ShapedArray) -> JaxprTracer:
        """A tracer for a new input."""
        var = Var(aval)
        self.invars.append(var)
        return JaxprTracer(self, var, None)

    def atom(self, x: Any) -> Var | Literal:
        """The variable of ``x``; values of other traces become constants."""
        if type(x) is JaxprTracer and x._trace is self:
            return x.variable
        found = self.const_of.get(id(x))
        if found is not None:
            return found
        if isinstance(x, Tracer):
            x._leak_check()
        elif not isinstance(x, Array):
            x = as_array(x)
        aval = x.aval
        if aval.is_high and not isinstance(x, Tracer):
            _check_constant(x, aval)
        new: Var | Literal
        if type(x) is ArrayImpl and not aval.shape and aval.dtype.names is None:
            new = Literal(x._data, aval)
        else:
            new = Var(aval)
            self.constvars.append(new)
            self.consts.append(x)
            # The dictionary is keyed by identity, which `consts` keeps valid.
            self.const_of[id(x)] = new
        return new

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        if state.fold and not any(isinstance(a, Tracer) for a in args) and not primitive.axis_names(params):
            state.trace = EVAL
            return evaluate(primitive, args, params)
        invars = [self.atom(a) for a in args]
        out = primitive.abstract(tuple([a.aval for a in invars]), params)
        check_hashable(primitive, params)
        return self.emit(primitive, invars, params, out)

    def emit(self, primitive: Primitive, invars: Sequence[Any], params: dict[str, Any], out: Any) -> Any:
        """Appends an equation whose results have the avals ``out``."""
        outvars = [Var(a) for a in out] if primitive.multiple_results else [Var(out)]
        eqn = Eqn(primitive, invars, params, outvars, current_source())
        self.eqns.append(eqn)
        tracers = [JaxprTracer(self, v, eqn) for v in outvars]
        return tracers if primitive.multiple_results else tracers[0]

    def read_ref(self, ref: Any) -> Any:
        """The contents of a reference; those of one from outside are an input, if the caller provides for that."""
        if ref._owner is self:
            return super().read_ref(ref)
        binding = self.bindings.get(id(ref))
        if binding is None:
            value = self.parent.read_ref(ref)
            if self.frame is None:
                return value
            var = Var(value.aval)
            binding = self.bindings[id(ref)] = Binding(ref, JaxprTracer(self, var, None), var)
        return binding.value

    def write_ref(self, ref: Any, value: Any) -> None:
        """Replaces the contents of a reference; those of one from outside are a result."""
        if ref._owner is self:
            super().write_ref(ref, value)
            return
        if id(ref) not in self.bindings:
            if self.frame is None:
                raise NotImplementedError(
                    f"fungrad.{self.debug.api}: {self.debug.fun_name} writes to a reference of type "
                    f"{ref.aval.str_short()} from outside, which is not possible in a function given to "
                    f"{self.debug.api}; return the value and write it outside, or make the reference inside"
                )
            self.read_ref(ref)
        binding = self.bindings[id(ref)]
        binding.value, binding.written = value, True

    def to_jaxpr(self, outs: Sequence[Any]) -> Jaxpr:
        """The jaxpr with the results ``outs``, and then the contents of references from outside."""
        outvars = [self.atom(x) for x in outs]
        invars = self.invars
        if self.bindings and self.frame is not None:
            closed = list(self.bindings.values())
            self.frame.closed = [b.ref for b in closed]
            self.frame.written = [b.written for b in closed]
            invars = [*invars, *[b.var for b in closed]]
            outvars += [self.atom(b.value) for b in closed]
        return Jaxpr(self.constvars, invars, outvars, self.eqns, self.consts, self.debug)

    def arg_name(self, var: Var) -> str:
        """Name of the argument that ``var`` is, or an empty text."""
        if var in self.invars and self.debug.arg_names:
            return self.debug.arg_names[self.invars.index(var)]
        return ""

    def arguments_of(self, var: Var) -> list[str]:
        """Names of the arguments on which ``var`` depends."""
        needed = {var}
        for eqn in reversed(self.eqns):
            if any(v in needed for v in eqn.outvars):
                needed.update(a for a in eqn.invars if type(a) is Var)
        return [self.arg_name(v) for v in self.invars if v in needed and self.arg_name(v)]


def _check_constant(x: Any, aval: Any) -> None:
    """Raises if a value of a user's own type, which is a constant, has traced values inside."""
    try:
        los = aval.lower_val(x)
    except NotImplementedError:
        return
    if any(isinstance(lo, Tracer) for lo in los):
        raise TypeError(
            f"a {type(x).__name__} of type {aval.short()} was made of traced values inside of a function that is being "
            "transformed; there such values are made and taken apart by primitives only (their expand or to_lojax "
            "methods, fungrad.experimental.hijax)"
        )


def trace_flat(
    fun: Callable[..., Sequence[Any]], in_avals: Sequence[ShapedArray], debug: DebugInfo, frame: RefFrame | None = None
) -> Jaxpr:
    """Traces a function of flat arguments that returns a flat sequence of arrays.

    Args:
      fun: called once with one tracer per aval.
      in_avals: types of the inputs.
      debug: names for messages.
      frame: takes the references from outside that the function touches, if the caller passes their contents, as last
        operands, and stores the last results in them. Without it, contents are constants and cannot be written.

    Returns:
      The jaxpr, with whatever the function closes over as ``consts``.
    """
    trace = JaxprTrace(state.trace, debug, frame)
    context.mark_call_site(trace)
    with transformation(trace):
        args = [trace.new_arg(a) for a in in_avals]
        jaxpr = trace.to_jaxpr(fun(*args))
    if config.check_tracer_leaks:
        del args
        report_leaks(trace)
    return jaxpr


def trace_tree(
    fun: Callable[..., Any], in_tree: Any, in_avals: Sequence[Any], debug: DebugInfo, frame: RefFrame | None = None
) -> tuple[Jaxpr, Any]:
    """Traces ``fun(*args, **kwargs)``, where ``in_tree`` is the structure of ``(args, kwargs)``.

    Arguments of type ``AbstractRef`` are references; the results are followed by what they hold in the end.

    Returns:
      The jaxpr and the tree of the results.

    Raises:
      TypeError: a result is not an array or scalar; names its path.
    """
    out_tree = None

    def flat_fun(*flat: Any) -> list[Any]:
        nonlocal out_tree
        leaves = list(flat)
        for i, aval in passed_in.items():
            leaves[i] = passed(leaves[i], aval)
        refs = [leaves[i] for i in passed_in]
        args, kwargs = tree.unflatten(in_tree, leaves)
        with unattributed():
            result = fun(*args, **kwargs)
        leaves, out_tree = tree.flatten(result)
        results = check_results(leaves, result, debug)
        if frame is not None:
            frame.args = list(passed_in)
            frame.args_written = [r._value is not flat[i] for r, i in zip(refs, passed_in, strict=True)]
        return [*results, *[r._value for r in refs]]

    passed_in = {i: a for i, a in enumerate(in_avals) if type(a) is AbstractRef}
    if passed_in and frame is None:
        raise NotImplementedError(
            f"fungrad.{debug.api}: {debug.fun_name} gets a reference as an argument, which functions given to "
            f"{debug.api} cannot; pass what it holds (ref[...]), and write to it outside"
        )
    avals = [a.inner_aval if i in passed_in else a for i, a in enumerate(in_avals)] if passed_in else in_avals
    jaxpr = trace_flat(flat_fun, avals, debug, frame)
    return jaxpr, out_tree


def check_results(leaves: Sequence[Any], result: Any, debug: DebugInfo) -> list[Any]:
    """The results of a traced function as arrays.

    Raises:
      TypeError: a leaf is not an array or scalar; names its path in ``result``.
    """
    try:
        return [as_array(x) for x in leaves]
    except TypeError:
        pass
    for path, leaf in tree.flatten_with_path(result)[0]:
        if isinstance(leaf, Ref):
            raise ValueError(
                f"fungrad.{debug.api}: function {debug.fun_name} returned a mutable array reference of type "
                f"{leaf.aval.str_short()} at result{tree.keystr(path)}, but mutable array references cannot be "
                "returned; return what it holds: fungrad.freeze(ref), or ref[...]"
            )
        if not is_array_like(leaf):
            raise TypeError(
                f"fungrad.{debug.api}: the result{tree.keystr(path)} of {debug.fun_name} must be an array or a scalar, "
                f"got {leaf!r} of type {type(leaf).__name__}; return arrays, or keep other values outside the function"
            )
    raise AssertionError("internal error: a result was refused without a reason")


def argument_names(fun: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[str, ...]:
    """A readable name of every leaf of the arguments: ``params['w']``, ``x``, ``args[1][0]``."""
    code = getattr(getattr(fun, "__func__", fun), "__code__", None)
    names: Sequence[str] = ()
    if code is not None:
        first = 1 if hasattr(fun, "__func__") else 0
        names = code.co_varnames[first : code.co_argcount]
    out = []
    for position, arg in enumerate(args):
        name = names[position] if position < len(names) else f"args[{position}]"
        out += [name + path for path in tree.leaf_paths(arg)]
    for name in sorted(kwargs):
        out += [name + path for path in tree.leaf_paths(kwargs[name])]
    return tuple(out)


# -- concretisation errors --------------------------------------------------------------------------------------------

# What is asked of a value: the problem, and what to do instead.
_ADVICE = {
    "bool()": (
        "the truth value of a traced array is needed",
        "Use fungrad.numpy.where or fungrad.lax.select for a choice between values, fungrad.lax.cond or while_loop "
        "for control flow",
    ),
    "__index__()": (
        "a traced array is used as a Python integer",
        "Index an array instead of a list, use fungrad.lax.fori_loop instead of range",
    ),
    "__array__()": (
        "a traced array is converted to a NumPy array",
        "Use the function of fungrad.numpy instead of NumPy's (or SciPy's); for X[i] with an ndarray X, index "
        "fungrad.numpy.asarray(X); instead of filling an ndarray, stack the values with fungrad.numpy.array or use "
        "x.at[i].set(v)",
    ),
    "float()": (
        "a traced array is used as a Python float",
        "Use the functions of fungrad.numpy instead of those of math and float()",
    ),
    "complex()": (
        "a traced array is used as a Python complex number",
        "Use the functions of fungrad.numpy instead of those of cmath and complex()",
    ),
    "boolean index": (
        "the values of a boolean index are needed, since the shape of the result depends on them,",
        "Use fungrad.numpy.where(mask, x, y) to select without removing, or fungrad.numpy.nonzero(mask, size=n) for a "
        "fixed number of positions",
    ),
    "format()": (
        "a traced array is formatted as a number",
        "fungrad.debug.print(\"{x:.3f}\", x=x) prints values, also inside of compiled functions",
    ),
    "pickle": ("a traced array is pickled", "Return it from the function, and pickle the result"),
    "__dlpack__()": ("a traced array is given to another library", "Return it from the function first"),
}


def conversion_advice(what: str) -> tuple[str, str]:
    """The problem with a conversion of a traced value, and what to do instead.

    Args:
      what: the conversion, such as ``float()``, or the function of another library that needs the value, as in
        ``numpy.linalg.inv``.
    """
    if is_foreign(what):
        return (
            f"{what} needs the value of a traced array",
            "Use a function of fungrad.numpy or fungrad.scipy for it, or fungrad.pure_callback, which calls a function "
            "of NumPy on values (with fungrad.custom_jvp for its derivative)",
        )
    default = (
        f"the value of a traced array is needed by {what}",
        "Keep the computation in arrays: use fungrad.numpy functions and .astype instead of Python numbers",
    )
    return _ADVICE.get(what, default)


def _concretization_error(tracer: JaxprTracer, what: str) -> TypeError:
    trace: JaxprTrace = tracer._trace  # type: ignore[assignment]
    if not trace.alive:
        return context.leaked_tracer_error(tracer)
    problem, advice = conversion_advice(what)
    arguments = trace.arguments_of(tracer.variable)
    names = ", ".join(arguments)
    depends = f" It depends on the value of the argument{'s' if len(arguments) > 1 else ''} {names}." if names else ""
    made = f" It was made by {tracer.eqn.primitive.name} at {tracer.eqn.source}." if tracer.eqn is not None else ""
    static = ""
    if trace.debug.api == "jit":
        static = ", or declare the argument static (static_argnums, static_argnames) if it takes few values"
    return concretization_error_class(what)(
        f"fungrad.{trace.debug.api}: {problem} while tracing {trace.debug.fun_name}, at {current_source()}. "
        f"The value has type {tracer.aval.str_short()}.{depends}{made} {advice}{static}."
    )


def debug_info(fun: Any, args: Sequence[Any], kwargs: dict[str, Any], api: str) -> DebugInfo:
    """Names for tracing ``fun(*args, **kwargs)``."""
    return DebugInfo(function_name(fun), argument_names(fun, args, kwargs), api)
