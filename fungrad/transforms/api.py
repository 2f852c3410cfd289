"""The differentiation API: ``jvp``, ``linearize``, ``vjp``, ``linear_transpose``, ``grad`` and ``value_and_grad``.

This file checks arguments, flattens trees and words errors; the work is done in ``forward``, ``linearization`` and
``transposition``.

May import ``core``, ``ops.foundation`` and the trace modules of ``transforms``.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import operator
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

from fungrad.core import dtypes, tree
from fungrad.core.arguments import brief, shown
from fungrad.core.array import Array, ArrayImpl, as_array, is_array_like
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import Tracer
from fungrad.core.refs import Ref, check_distinct, contents, passed, store
from fungrad.core.signatures import P, R
from fungrad.core.source import api_boundary, boundary_of, function_name, wraps
from fungrad.core.transfers import unseen
from fungrad.core.treedef import structure_text
from fungrad.ops._operands import scalar_array
from fungrad.ops.summands import check_kind
from fungrad.transforms.forward import jvp_flat
from fungrad.transforms.linear_functions import Linearized, Pullback, Types, checked_tangent, float0_zeros, visible
from fungrad.transforms.linearization import LinearProgram, TangentVar, record_linear
from fungrad.transforms.manual_axes import linearize_at
from fungrad.transforms.transposition import backward_pass


def check_callable(fun: Any, api: str) -> None:
    """Raises TypeError unless ``fun`` can be called, and a call can return arrays."""
    if type(fun) is FunctionType:
        if not fun.__code__.co_flags & inspect.CO_GENERATOR:
            return
    elif isinstance(fun, staticmethod):
        raise TypeError(
            f"fungrad.{api}: fun must be a function, got the staticmethod {function_name(fun)}; put @staticmethod "
            "outermost, above the transformation"
        )
    elif not callable(fun):
        raise TypeError(f"fungrad.{api}: fun must be a function, got {shown(fun)}")
    elif not inspect.isgeneratorfunction(fun):
        return
    raise TypeError(
        f"fungrad.{api}: fun must be a function that returns arrays, got the generator function {function_name(fun)}; "
        "collect what it yields in a list and return that"
    )


def flat_arrays(values: Any, api: str, what: str) -> tuple[list[Array], Any]:
    """Leaves of a tree as arrays, and its structure.

    Raises:
      TypeError: a leaf is not an array or scalar; names its path.
    """
    if type(values) is ArrayImpl:
        return [values], tree.LEAF
    leaves, treedef = tree.flatten(values)
    out = []
    for i, leaf in enumerate(leaves):
        if not isinstance(leaf, Array):
            if not is_array_like(leaf):
                path = tree.leaf_paths(values)[i]
                raise TypeError(
                    f"fungrad.{api}: {what}{path} must be an array or a scalar, got {shown(leaf)}; {other_values(leaf)}"
                )
            leaf = as_array(leaf, f"fungrad.{api}: {what}")
        out.append(leaf)
    return out, treedef


def is_record(x: Any) -> bool:
    """Whether ``x`` is an instance of a dataclass."""
    return dataclasses.is_dataclass(x) and not isinstance(x, type)


def other_values(x: Any) -> str:
    """What to do with an argument that is no tree of arrays."""
    if isinstance(x, Ref):
        return "pass what it holds, ref[...]; what vjp returns adds cotangents to references: with_refs"
    if is_record(x):
        return f"make its fields a tree with fungrad.tree_util.register_dataclass({type(x).__name__})"
    return "pass other values through a closure or functools.partial"


class _FlatFunction:
    """A function of a tree as one of its leaves, with one or two result trees (``has_aux``).

    Auxiliary results are not differentiated: only their arrays are carried through the trace.
    """

    def __init__(self, fun: Callable[..., Any], in_tree: Any, has_aux: bool, api: str, name: str | None = None):
        self.fun, self.in_tree, self.has_aux, self.api = fun, in_tree, has_aux, api
        self.name = function_name(fun) if name is None else name

    def __call__(self, *leaves: Any) -> list[Any]:
        result = self.fun(*tree.unflatten(self.in_tree, leaves))
        if self.has_aux:
            if not isinstance(result, (tuple, list)) or len(result) != 2:
                raise TypeError(
                    f"fungrad.{self.api}: with has_aux=True {self.name} must return a pair (output, auxiliary data), "
                    f"got {shown(result)}"
                )
            result, aux = result
            self.aux_leaves, self.aux_tree = tree.flatten(aux)
            self.aux_traced = [i for i, x in enumerate(self.aux_leaves) if isinstance(x, Tracer)]
        outs, self.out_tree = flat_arrays(result, self.api, f"the result of {self.name}")
        self.n_out = len(outs)
        return outs + ([self.aux_leaves[i] for i in self.aux_traced] if self.has_aux else [])

    def aux(self, values: Sequence[Any]) -> Any:
        """The auxiliary tree, with its traced leaves replaced by ``values``."""
        leaves = list(self.aux_leaves)
        for i, x in zip(self.aux_traced, values, strict=True):
            leaves[i] = x
        return tree.unflatten(self.aux_tree, leaves)


def _types(fun: Any, primals: Sequence[Any], in_tree: Any, outs: Sequence[Any], out_tree: Any, api: str) -> Types:
    in_avals, out_avals = tuple([p.aval for p in primals]), tuple([x.aval for x in outs])
    return Types(in_avals, in_tree, out_avals, out_tree, function_name(fun), api)


# -- forward mode ------------------------------------------------------------------------------------------------------


@api_boundary
def jvp(fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False) -> Any:
    """Jacobian-vector product: the value of a function and its directional derivative.

    Args:
      fun: function of arrays and trees of arrays.
      primals: tuple or list of the arguments at which to differentiate. Of a reference (``new_ref``) the tangent is a
        reference too; where the function writes, both get new contents.
      tangents: tuple or list like ``primals``: the direction. Integer and boolean arguments have tangents of dtype
        ``float0``.
      has_aux: whether ``fun`` returns a pair of the output and auxiliary data that are not differentiated.

    Returns:
      ``(output, output tangent)``, or ``(output, output tangent, aux)`` with ``has_aux``.

    Raises:
      TypeError: primals and tangents differ in structure, shape or dtype.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> y, dy = fungrad.jvp(jnp.sin, (0.0,), (2.0,))
      >>> print(y, dy)
      0.0 2.0
    """
    check_callable(fun, "jvp")
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError(
            "fungrad.jvp: primals and tangents must be tuples or lists of arguments, got "
            f"{type(primals).__name__} and {type(tangents).__name__}; write jvp(f, (x,), (t,))"
        )
    if any(isinstance(x, Ref) for x in tree.leaves(tuple(primals))):
        return _jvp_with_refs(fun, tuple(primals), tuple(tangents), has_aux)
    flat_primals, in_tree = flat_arrays(tuple(primals), "jvp", "primals")
    flat_tangents, tangent_tree = tree.flatten(tuple(tangents))
    if in_tree != tangent_tree:
        raise TypeError(
            "fungrad.jvp: primals and tangents must have the same tree structure, got "
            f"{structure_text(in_tree)} and {structure_text(tangent_tree)}"
        )
    flat_tangents = [
        checked_tangent(t, p.aval, "jvp", i, primals)
        for i, (t, p) in enumerate(zip(flat_tangents, flat_primals, strict=True))
    ]
    flat_fun = _FlatFunction(fun, in_tree, has_aux, "jvp")
    outs, out_tangents = jvp_flat(flat_fun, flat_primals, flat_tangents, f"jvp of {function_name(fun)}")
    n = flat_fun.n_out
    value = tree.unflatten(flat_fun.out_tree, outs[:n])
    tangent = tree.unflatten(
        flat_fun.out_tree, [visible(t, x.aval) for t, x in zip(out_tangents[:n], outs[:n], strict=True)]
    )
    return (value, tangent, flat_fun.aux(outs[n:])) if has_aux else (value, tangent)


class _Discharged:
    """A function of references as one of what they hold, which it returns besides its result.

    Attributes:
      refs: the references among the arguments, by position among the leaves.
      in_tree: structure of the arguments.
      run: the function.
    """

    def __init__(self, fun: Callable[..., Any], primals: tuple, has_aux: bool, api: str):
        leaves, in_tree = tree.flatten(primals)
        refs = {i: x for i, x in enumerate(leaves) if isinstance(x, Ref)}
        self.refs, self.in_tree, self._api, self._primals = refs, in_tree, api, primals

        @functools.wraps(fun)
        def run(*args: Any) -> Any:
            flat = tree.leaves(args)
            local = {i: passed(flat[i], refs[i].aval) for i in refs}
            result = fun(*tree.unflatten(in_tree, [local.get(i, x) for i, x in enumerate(flat)]))
            result, *aux = result if has_aux else (result,)
            held = [r._value for r in local.values()]
            return ((result, held), *aux) if has_aux else (result, held)

        self.run = run

    def tangents(self, given: tuple) -> list[Any]:
        """The leaves of tangents; those of references must be others."""
        dots, structure = tree.flatten(given)
        if self.in_tree == structure:
            for i in self.refs:
                if not isinstance(dots[i], Ref):
                    raise TypeError(
                        f"fungrad.{self._api}: primals{tree.leaf_paths(self._primals)[i]} is a reference, so its "
                        f"tangent must be one too, got {shown(dots[i])}"
                    )
            used = [*self.refs.values(), *[dots[i] for i in self.refs]]
            if len(set(map(id, used))) < len(used):
                raise ValueError(f"fungrad.{self._api}: a reference appears twice among primals and tangents")
        return dots


def _held(given: tuple) -> tuple:
    """Arguments with what the references among them hold in their places."""
    return tree.map(lambda x: contents(x) if isinstance(x, Ref) else x, given)  # type: ignore[no-any-return]


def _jvp_with_refs(fun: Callable[..., Any], primals: tuple, tangents: tuple, has_aux: bool) -> Any:
    """``jvp`` where arguments are references: what they hold, and the tangents of that, are read and stored."""
    discharged = _Discharged(fun, primals, has_aux, "jvp")
    refs, dots = discharged.refs, discharged.tangents(tangents)
    (out, held), (out_dot, held_dots), *aux = jvp(discharged.run, _held(primals), _held(tangents), has_aux)
    for i, value, dot in zip(refs, held, held_dots, strict=True):
        store(refs[i], value)
        store(dots[i], dot)
    return (out, out_dot, *aux)


def _linearize_with_refs(fun: Callable[..., Any], primals: tuple, has_aux: bool) -> Any:
    """``linearize`` where arguments are references: what they hold is read and stored, and that of their tangents."""
    discharged = _Discharged(fun, primals, has_aux, "linearize")
    (out, held), linear, *aux = linearize(discharged.run, *_held(primals), has_aux=has_aux)
    for ref, value in zip(discharged.refs.values(), held, strict=True):
        store(ref, value)

    @api_boundary
    def f_jvp(*tangents: Any) -> Any:
        dots = discharged.tangents(tangents)
        out_dot, held_dots = linear(*_held(tangents))
        for i, dot in zip(discharged.refs, held_dots, strict=True):
            store(dots[i], dot)
        return out_dot

    return (out, f_jvp, *aux)


def _closing_over_refs(fun: Callable[..., Any], args: tuple) -> tuple[Callable[..., Any], tuple]:
    """A function that closes over the references among its arguments, which are None instead; and these arguments."""
    leaves, structure = tree.flatten(args)
    refs = {i: x for i, x in enumerate(leaves) if isinstance(x, Ref)}
    if not refs:
        return fun, args
    check_distinct(list(refs.values()), f"vjp: of the arguments of {function_name(fun)}")

    @functools.wraps(fun)
    def without(*given: Any) -> Any:
        rest = iter(tree.leaves(given))
        return fun(*tree.unflatten(structure, [refs[i] if i in refs else next(rest) for i in range(len(leaves))]))

    return without, tree.map(lambda x: None if isinstance(x, Ref) else x, args)


@api_boundary
def linearize(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Evaluates a function and returns its derivative at that point as a linear function.

    The function is evaluated once; every call of the derivative costs only the linear part.

    Args:
      fun: function of arrays and trees of arrays.
      *primals: arguments at which to linearize. The tangents of references (``new_ref``) are references too.
      has_aux: whether ``fun`` returns a pair of the output and auxiliary data.

    Returns:
      ``(output, f_jvp)``, or ``(output, f_jvp, aux)``, where ``f_jvp(*tangents)`` is the output tangent.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> y, f_jvp = fungrad.linearize(jnp.sin, 0.0)
      >>> print(f_jvp(1.0), f_jvp(3.0))
      1.0 3.0
    """
    check_callable(fun, "linearize")
    if any(isinstance(x, Ref) for x in tree.leaves(primals)):
        return _linearize_with_refs(fun, primals, has_aux)
    flat_primals, in_tree = flat_arrays(primals, "linearize", "primals")
    flat_fun = _FlatFunction(fun, in_tree, has_aux, "linearize")
    active = [p.aval.inexact for p in flat_primals]
    outs, program = linearize_at(flat_fun, flat_primals, active, f"linearize of {function_name(fun)}")
    n = flat_fun.n_out
    program.outputs = program.outputs[:n]
    types = _types(fun, flat_primals, in_tree, outs[:n], flat_fun.out_tree, "linearize")
    f_jvp = Linearized(program, types, flat_primals)
    value = tree.unflatten(flat_fun.out_tree, outs[:n])
    return (value, f_jvp, flat_fun.aux(outs[n:])) if has_aux else (value, f_jvp)


# -- reverse mode ------------------------------------------------------------------------------------------------------


@api_boundary
def vjp(fun: Callable[..., Any], *primals: Any, has_aux: bool = False, reduce_axes: Sequence[Any] = ()) -> Any:
    """Vector-Jacobian product: the value of a function and its pullback.

    Args:
      fun: function of arrays and trees of arrays.
      *primals: arguments at which to differentiate. Of references (``new_ref``), which ``fun`` and rules for reverse
        mode may read and write, the cotangent is None: nothing is differentiated with respect to what they hold.
      has_aux: whether ``fun`` returns a pair of the output and auxiliary data.
      reduce_axes: accepted for compatibility; must be empty.

    Returns:
      ``(output, f_vjp)``, or ``(output, f_vjp, aux)``. ``f_vjp(cotangent)`` takes a tree like the output and returns a
      tuple of cotangents like ``primals``.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> y, f_vjp = fungrad.vjp(lambda x, y: x * y, 3.0, 4.0)
      >>> [float(ct) for ct in f_vjp(1.0)]
      [4.0, 3.0]
    """
    check_callable(fun, "vjp")
    _check_reduce_axes(reduce_axes, "vjp")
    fun, primals = _closing_over_refs(fun, primals)
    flat_primals, in_tree = flat_arrays(primals, "vjp", "primals")
    flat_fun = _FlatFunction(fun, in_tree, has_aux, "vjp")
    active = [p.aval.inexact for p in flat_primals]
    outs, program = linearize_at(flat_fun, flat_primals, active, f"vjp of {function_name(fun)}")
    n = flat_fun.n_out
    program.outputs = program.outputs[:n]
    value = tree.unflatten(flat_fun.out_tree, outs[:n])
    f_vjp = Pullback(program, _types(fun, flat_primals, in_tree, outs[:n], flat_fun.out_tree, "vjp"), flat_primals)
    return (value, f_vjp, flat_fun.aux(outs[n:])) if has_aux else (value, f_vjp)


def _check_reduce_axes(reduce_axes: Any, api: str) -> None:
    if reduce_axes:
        raise TypeError(f"fungrad.{api}: reduce_axes is not supported, got {reduce_axes!r}; use lax.psum on the result")


@api_boundary
def linear_transpose(fun: Callable[..., Any], *primals: Any, reduce_axes: Sequence[Any] = ()) -> Callable[..., tuple]:
    """Transpose of a function that is linear in its arguments.

    Args:
      fun: linear function of arrays and trees of arrays.
      *primals: arguments, of which only shapes and dtypes are used (arrays or ``ShapeDtypeStruct``).
      reduce_axes: accepted for compatibility; must be empty.

    Returns:
      A function from cotangents of the output to a tuple of cotangents of the arguments.

    Raises:
      TypeError: an argument has an integer dtype.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> transposed = fungrad.linear_transpose(lambda x: 3.0 * x, jnp.ones(2))
      >>> transposed(jnp.ones(2))
      (Array([3., 3.], dtype=float32),)
    """
    check_callable(fun, "linear_transpose")
    _check_reduce_axes(reduce_axes, "linear_transpose")
    leaves, in_tree = tree.flatten(primals)
    avals = tuple(abstract_argument(x, "linear_transpose", primals, i) for i, x in enumerate(leaves))
    flat_fun = _FlatFunction(fun, in_tree, False, "linear_transpose")
    program = record_linear(flat_fun, avals, [True] * len(avals), f"linear_transpose of {function_name(fun)}")
    _check_linear(program, function_name(fun))
    out_avals = tuple(x.aval for x in program.outputs)
    kinds = [[("integer", "inexact")[a.inexact] for a in some] for some in (avals, out_avals)]
    if len({*kinds[0], *kinds[1]}) > 1:
        raise TypeError(
            f"fungrad.linear_transpose: the primals and the results of {function_name(fun)} must be all floating or "
            f"complex, or all integers, got primals {', '.join(a.str_short() for a in avals)} and results "
            f"{', '.join(a.str_short() for a in out_avals)}"
        )
    types = Types(avals, in_tree, out_avals, flat_fun.out_tree, function_name(fun), "linear_transpose")
    return Pullback(program, types)


# Operations that are linear in one operand only: the positions where the arguments of a linear function may not meet.
_LINEAR_IN_ONE = {"mul": (0, 1), "dot_general": (0, 1), "div": (1,)}


def _check_linear(program: LinearProgram, name: str) -> None:
    """Raises if a recorded function is not linear, as far as its operations show."""
    for eqn in program.eqns:
        primitive = eqn.primitive
        positions = _LINEAR_IN_ONE.get(primitive.name)
        if positions is not None:
            linear = all([type(eqn.args[i]) is not TangentVar for i in positions])
            linear = linear or (len(positions) == 2 and not all(type(eqn.args[i]) is TangentVar for i in positions))
        else:
            linear = primitive.has_rule("transpose")
        if not linear:
            place = f" at {eqn.source}" if eqn.source is not None else ""
            raise TypeError(
                f"fungrad.linear_transpose: {name} is not linear in its arguments: {primitive.name}{place} is not; use "
                "fungrad.vjp for the derivative of a function that is not linear"
            )


def abstract_argument(x: Any, api: str, whole: Any, position: int) -> ShapedArray:
    """Aval of an argument given as a value or as anything with ``shape`` and ``dtype``."""
    if isinstance(x, (Array, Ref)):
        return x.aval  # type: ignore[return-value]
    if not is_array_like(x) and hasattr(x, "shape") and hasattr(x, "dtype"):
        return ShapedArray(
            tuple(x.shape),
            dtypes.canonicalize_dtype(x.dtype, api),
            bool(getattr(x, "weak_type", False)),
            sharding=_type_sharding(x),
        )
    if not is_array_like(x):
        raise TypeError(
            f"fungrad.{api}: the argument{tree.leaf_paths(whole)[position]} must be an array, a scalar or a "
            f"ShapeDtypeStruct, got {shown(x)}"
        )
    try:
        with unseen():
            return as_array(x).aval
    except (TypeError, ValueError, OverflowError):
        # Once more for the message: finding the name of the argument takes longer than everything else here.
        return as_array(x, f"fungrad.{api}: the argument{tree.leaf_paths(whole)[position]}").aval


def _type_sharding(x: Any) -> Any:
    """The sharding that a type given as an argument names, if it is one that types know."""
    found = getattr(x, "sharding", None)
    return found if hasattr(found, "of_type") else None


def grad(
    fun: Callable[P, Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Any] = (),
) -> Callable[P, Any]:
    """Gradient of a scalar-valued function.

    Args:
      fun: function whose output is a real scalar (an array of shape ``()``).
      argnums: position of the argument to differentiate, or a tuple of positions.
      has_aux: whether ``fun`` returns a pair of the output and auxiliary data.
      holomorphic: whether ``fun`` is promised to be holomorphic; inputs and output must then be complex.
      allow_int: whether integer arguments are allowed; their gradients have dtype ``float0``.
      reduce_axes: accepted for compatibility; must be empty.

    Returns:
      A function with the arguments of ``fun`` that returns the gradient, a tree like the argument (a tuple of trees for
      a tuple of ``argnums``), or ``(gradient, aux)``.

    Raises:
      TypeError: the output is not a scalar, or an argument or the output has the wrong kind of dtype.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> fungrad.grad(lambda w: jnp.sum(w ** 2))(jnp.array([1.0, 2.0]))
      Array([2., 4.], dtype=float32)
    """
    value_and_grad_f = _value_and_grad(fun, argnums, has_aux, holomorphic, allow_int, reduce_axes, "grad")

    @wraps(fun)
    @boundary_of("fungrad.grad")
    def grad_f(*args: Any, **kwargs: Any) -> Any:
        if has_aux:
            (_, aux), g = value_and_grad_f(args, kwargs)
            return g, aux
        return value_and_grad_f(args, kwargs)[1]

    return grad_f


def value_and_grad(
    fun: Callable[P, R],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Any] = (),
) -> Callable[P, tuple[R, Any]]:
    """Value and gradient of a scalar-valued function; arguments as for ``grad``.

    Returns:
      A function that returns ``(value, gradient)``, or ``((value, aux), gradient)`` with ``has_aux``.

    Example:
      >>> import fungrad
      >>> value, g = fungrad.value_and_grad(lambda x: x ** 3)(2.0)
      >>> print(value, g)
      8.0 12.0
    """
    value_and_grad_f = _value_and_grad(fun, argnums, has_aux, holomorphic, allow_int, reduce_axes, "value_and_grad")

    @wraps(fun)
    @boundary_of("fungrad.value_and_grad")
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return value_and_grad_f(args, kwargs)

    return wrapped


def _value_and_grad(
    fun: Callable[..., Any], argnums: Any, has_aux: bool, holomorphic: bool, allow_int: bool, reduce_axes: Any, api: str
) -> Callable[[tuple, dict], Any]:
    """``value_and_grad`` as a function of ``args`` and ``kwargs``; errors name ``api``."""
    check_callable(fun, api)
    _check_reduce_axes(reduce_axes, api)
    single = not isinstance(argnums, (tuple, list))
    positions = _positions((argnums,) if single else argnums, api)
    name = function_name(fun)
    label = f"{api} of {name}"

    def run(args: tuple, kwargs: dict) -> Any:
        where = _resolve_all(positions, len(args), api, name)
        selected = args[where[0]] if single else tuple([args[i] for i in where])
        primals, in_tree = flat_arrays(selected, api, "the differentiated argument")
        active = [p.aval.inexact for p in primals]
        if holomorphic or not all(active):
            for i, p in enumerate(primals):
                _check_input(p, i, selected, api, holomorphic, allow_int)

        def of_selected(*leaves: Any) -> Any:
            full = list(args)
            if single:
                full[where[0]] = leaves[0] if in_tree is tree.LEAF else tree.unflatten(in_tree, leaves)
            else:
                for i, v in zip(where, tree.unflatten(in_tree, leaves), strict=True):
                    full[i] = v
            return fun(*full, **kwargs)

        flat_fun = _ScalarFunction(of_selected, has_aux, api, name, holomorphic)
        outs, program = linearize_at(flat_fun, primals, active, label)
        value = outs[0]
        one = _one(value.aval)
        check_kind(one, value.aval, api)
        cts = iter(backward_pass(program, [one] + [Zero(x.aval.tangent()) for x in outs[1:]]))
        gradients = [
            visible(next(cts), p.aval) if on else float0_zeros(p.aval) for p, on in zip(primals, active, strict=True)
        ]
        gradient = gradients[0] if in_tree is tree.LEAF else tree.unflatten(in_tree, gradients)
        return ((value, flat_fun.aux(outs[1:])) if has_aux else value), gradient

    return run


def _one(aval: ShapedArray) -> Array:
    """The cotangent that gradients start from."""
    return scalar_array(1, aval.dtype, aval.weak_type)


class _ScalarFunction(_FlatFunction):
    """A function of leaves whose result must be one scalar (and auxiliary data)."""

    def __init__(self, fun: Callable[..., Any], has_aux: bool, api: str, name: str, holomorphic: bool):
        self.fun, self.has_aux, self.api, self.name, self.holomorphic = fun, has_aux, api, name, holomorphic

    def __call__(self, *leaves: Any) -> list[Any]:
        result = self.fun(*leaves)
        traced: list[Any] = []
        if self.has_aux:
            if not isinstance(result, (tuple, list)) or len(result) != 2:
                raise TypeError(
                    f"fungrad.{self.api}: with has_aux=True {self.name} must return a pair (loss, auxiliary data), got "
                    f"{shown(result)}"
                )
            result, aux = result
            self.aux_leaves, self.aux_tree = tree.flatten(aux)
            self.aux_traced = [i for i, x in enumerate(self.aux_leaves) if isinstance(x, Tracer)]
            traced = [self.aux_leaves[i] for i in self.aux_traced]
        if not isinstance(result, Array) and not is_array_like(result):
            if result is None:
                raise TypeError(
                    f"fungrad.{self.api}: {self.name} must return a scalar, but it returned None; did you forget "
                    "return?"
                )
            hint = " (return (loss, aux) with has_aux=True)" if isinstance(result, (tuple, list)) else ""
            raise TypeError(
                f"fungrad.{self.api}: {self.name} must return a scalar, got a {type(result).__name__}{hint}"
            )
        if not isinstance(result, Array):
            result = as_array(result)
        _check_output(result.aval, self.api, self.name, self.holomorphic)
        return [result, *traced]


def _resolve_all(positions: Sequence[int], n_args: int, api: str, name: str) -> list[int]:
    """Positions of the arguments to differentiate, counted from the front.

    Raises:
      TypeError: there is no such argument, or one is meant twice (by a negative position perhaps).
    """
    where = [_resolve(p, n_args, api, name) for p in positions]
    if len(set(where)) < len(where):
        twice = next(p for k, p in enumerate(where) if p in where[:k])
        raise TypeError(
            f"fungrad.{api}: argnums={tuple(positions)} names argument {twice} of {name} more than once (it was called "
            f"with {n_args} positional argument(s)); name each argument once"
        )
    return where


def _positions(argnums: Any, api: str) -> tuple[int, ...]:
    try:
        return tuple(operator.index(a) for a in argnums)
    except TypeError:
        raise TypeError(f"fungrad.{api}: argnums must be an int or a tuple of ints, got {brief(argnums)}") from None


def _resolve(position: int, n_args: int, api: str, name: str) -> int:
    if not -n_args <= position < n_args:
        raise TypeError(
            f"fungrad.{api}: argnums={position} but {name} was called with {n_args} positional argument(s); arguments "
            "to be differentiated must be passed by position"
        )
    return position % n_args


def _check_input(
    x: Array, position: int, selected: Any, api: str, holomorphic: bool, allow_int: bool, forward: bool = False
) -> None:
    if x.aval.is_high:
        return
    dtype = x.aval.dtype
    if holomorphic:
        ok, wanted = dtypes.is_complex(dtype), "complex, since holomorphic=True"
    elif forward:
        # Along one real direction per element, forward mode would see half of a complex argument only.
        ok, wanted = dtypes.is_float(dtype) or (allow_int and not dtypes.is_complex(dtype)), "floating"
    else:
        ok, wanted = allow_int or dtypes.is_inexact(dtype), "floating or complex"
    if ok:
        return
    path = tree.leaf_paths(selected)[position]
    hint = ""
    if not dtypes.is_inexact(dtype):
        hint = "; convert it to float, or differentiate another argument (argnums)"
        if not forward:
            hint += "; allow_int=True gives it a gradient of dtype float0"
    elif not holomorphic:
        hint = "; pass holomorphic=True if the function is holomorphic, or use jvp"
    raise TypeError(
        f"fungrad.{api}: the differentiated argument{path} must be {wanted}, got {x.aval.str_short()}{hint}"
    )


def _check_output(aval: ShapedArray, api: str, name: str, holomorphic: bool) -> None:
    if aval.is_high or aval.shape:
        raise TypeError(
            f"fungrad.{api}: gradients are defined for functions with a scalar output, but {name} returned "
            f"{aval.short()}; reduce it (for example with .sum()), or use jacrev, jacfwd or vjp"
        )
    if holomorphic:
        if not dtypes.is_complex(aval.dtype):
            raise TypeError(
                f"fungrad.{api}: with holomorphic=True {name} must return a complex scalar, got {aval.str_short()}"
            )
    elif not dtypes.is_float(aval.dtype):
        hint = "; pass holomorphic=True, or take the real part" if dtypes.is_complex(aval.dtype) else ""
        raise TypeError(f"fungrad.{api}: {name} must return a real floating scalar, got {aval.str_short()}{hint}")


