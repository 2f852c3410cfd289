"""Derivative rules written by users: ``custom_jvp``, ``custom_vjp``, ``custom_gradient`` and
``closure_convert``.

This file holds the decorators: arguments, defaults and what is declared. ``rule_functions`` calls
and checks the rules, ``custom_calls`` makes transformations use them.

May import ``core``, ``ops`` and the modules of ``transforms``.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Self

from fungrad.core import dtypes, tree
from fungrad.core.arguments import integers, shown
from fungrad.core.array import as_array
from fungrad.core.context import Tracer
from fungrad.core.ir import Jaxpr, eval_jaxpr
from fungrad.core.refs import Ref, TransformedRef, check_distinct, note_backward
from fungrad.core.source import api_boundary, api_class, function_name, reference_to, wraps
from fungrad.core.staging import debug_info, trace_tree
from fungrad.core.tree_registration import Partial, register_pytree_node
from fungrad.core.treedef import structure_text
from fungrad.errors import UnexpectedTracerError
from fungrad.ops.cast import stop_gradient
from fungrad.ops.foundation import add_any, zeros
from fungrad.transforms.api import (
    abstract_argument,
    check_callable,
    flat_arrays,
    float0_zeros,
)
from fungrad.transforms.custom_calls import Custom, call
from fungrad.transforms.rule_functions import (
    CustomVJPPrimal,
    JvpRule,
    Signature,
    SymbolicZero,
    VjpRule,
)

__all__ = [
    "CustomVJPPrimal",
    "SymbolicZero",
    "closure_convert",
    "custom_gradient",
    "custom_jvp",
    "custom_vjp",
    "custom_vjp_primal_tree_values",
    "zero_from_primal",
]


@api_class
class _CustomFunction:
    """A function with derivative rules; ``_kind`` is the rule that it must have."""

    _kind: str

    def __init__(
        self,
        fun: Callable[..., Any],
        nondiff_argnums: int | Sequence[int] = (),
        nondiff_argnames: str | Sequence[str] = (),
    ):
        check_callable(fun, f"custom_{self._kind}")
        functools.update_wrapper(self, fun, updated=())
        self.fun = fun
        self._positional = _parameters(fun)
        self.nondiff_argnums = self._positions(nondiff_argnums, nondiff_argnames)
        self.jvp: Callable[..., Any] | None = None
        self.fwd: Callable[..., Any] | None = None
        self.bwd: Callable[..., Any] | None = None
        self._jvp_symbolic_zeros = self._vjp_symbolic_zeros = False

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict) -> Self:
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        return reference_to(self) or super().__reduce_ex__(protocol)

    def _positions(
        self, numbers: int | Sequence[int], names: str | Sequence[str]
    ) -> tuple[int, ...]:
        kind = f"fungrad.custom_{self._kind}"
        positions = list(integers(kind, "nondiff_argnums", numbers))
        if not isinstance(names, str) and not (
            isinstance(names, Iterable) and all(isinstance(n, str) for n in names)
        ):
            raise TypeError(f"{kind}: nondiff_argnames must be a string or a sequence of strings, got {shown(names)}")
        for name in (names,) if isinstance(names, str) else names:
            known = [p.name for p in self._positional]
            if name not in known:
                raise ValueError(
                    f"fungrad.custom_{self._kind}: nondiff_argnames names {name!r}, but "
                    f"{function_name(self.fun)} has the positional "
                    f"parameters {', '.join(known)}"
                )
            positions.append(known.index(name))
        return tuple(sorted(set(positions)))

    def defjvp(self, jvp: Callable[..., Any], symbolic_zeros: bool = False) -> Callable[..., Any]:
        """Declares the rule for forward mode (which reverse mode transposes, if there is no other
        rule).

        Args:
          jvp: ``jvp(primals, tangents) -> (output, output tangent)``, preceded by the
            non-differentiable arguments if there are any. ``primals`` and ``tangents`` are tuples
            with one entry per differentiable argument. The tangent output must be linear in
            ``tangents``.
          symbolic_zeros: whether tangents that are known to be zero are given as ``SymbolicZero``
            and not as arrays of zeros.

        Returns:
          ``jvp``, so that this can be a decorator.
        """
        check_callable(jvp, f"custom_{self._kind}.defjvp")
        self.jvp, self._jvp_symbolic_zeros = jvp, symbolic_zeros
        return jvp

    def defjvps(self, *jvps: Callable[..., Any] | None) -> None:
        """Declares the rule for forward mode one argument at a time.

        Args:
          *jvps: per argument None if the derivative is zero, or ``jvp(tangent, output, *args) ->
            output tangent``, its contribution to the output tangent.

        Raises:
          TypeError: the function has non-differentiable arguments.

        Example:
          >>> import fungrad, fungrad.numpy as jnp
          >>> f = fungrad.custom_jvp(lambda x, y: jnp.sin(x) * y)
          >>> f.defjvps(lambda t, out, x, y: jnp.cos(x) * t * y, None)
          >>> [float(g) for g in fungrad.grad(f, (0, 1))(0.0, 3.0)]
          [3.0, 0.0]
        """
        if self.nondiff_argnums:
            raise TypeError(
                "fungrad.custom_jvp: can't use ``defjvps`` with ``nondiff_argnums``; use defjvp"
            )

        def jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
            output = self(*primals)
            parts = [
                rule(t, output, *primals)
                for rule, t in zip(jvps, tangents, strict=True)
                if rule is not None
            ]
            if not parts:
                return output, tree.map(lambda x: zeros(as_array(x).aval.tangent()), output)
            return output, tree.map(lambda *ts: functools.reduce(add_any, ts), *parts)

        self.defjvp(jvp)

    def defvjp(
        self,
        fwd: Callable[..., Any],
        bwd: Callable[..., Any],
        symbolic_zeros: bool = False,
        optimize_remat: bool = False,
    ) -> None:
        """Declares the rules for reverse mode.

        Args:
          fwd: ``fwd(*args) -> (output, residuals)``, with the arguments of the function;
            ``residuals`` is any tree of arrays.
          bwd: ``bwd(residuals, cotangent) -> cotangents``, preceded by the non-differentiable
            arguments if there are any; it returns a tuple with one entry per differentiable
            argument: a tree like the argument, in which None stands for zeros.
          symbolic_zeros: whether ``fwd`` is given ``CustomVJPPrimal`` (``value`` and
            ``perturbed``) instead of arrays, and ``bwd`` ``SymbolicZero`` for cotangents that are
            known to be zero.
          optimize_remat: accepted for compatibility; what a forward pass computes and nobody uses
            is removed anyway.
        """
        check_callable(fwd, f"custom_{self._kind}.defvjp")
        check_callable(bwd, f"custom_{self._kind}.defvjp")
        self.fwd, self.bwd, self._vjp_symbolic_zeros = fwd, bwd, symbolic_zeros

    def __getattr__(self, name: str) -> Any:
        # Rules of other kinds that the function itself takes, such as a vmap rule.
        if name == "def_vmap" and hasattr(self.__dict__.get("fun"), name):
            return getattr(self.fun, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @api_boundary
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = function_name(self.fun)
        if (self.jvp if self._kind == "jvp" else self.fwd) is None:
            kind = self._kind.upper()
            raise AttributeError(
                f"fungrad.custom_{self._kind}: No {kind} defined for custom_{self._kind} function {name} using "
                f"def{self._kind}."
            )
        args = self._resolved(args, kwargs, name)
        if self._kind == "vjp" and any(isinstance(x, (Ref, TransformedRef)) for x in tree.leaves(args)):
            return self._call_with_refs(args, name)
        where = self._nondiff(len(args), name)
        static = tuple([self._static(args[i], i, name) for i in where])
        differentiable = tuple([x for i, x in enumerate(args) if i not in where])
        leaves, in_tree = flat_arrays(
            differentiable, f"custom_{self._kind}", f"an argument of {name}: args"
        )
        sig = Signature(name, in_tree, static, where)

        def body(*leaves: Any) -> tuple[list[Any], Any]:
            result = self.fun(*sig.full(tree.unflatten(in_tree, leaves)))
            return flat_arrays(result, f"custom_{self._kind}", f"the result of {name}")

        jvp = JvpRule(sig, self.jvp, self._jvp_symbolic_zeros) if self.jvp is not None else None
        vjp = None
        if self.fwd is not None and self.bwd is not None:
            vjp = VjpRule(sig, self.fwd, self.bwd, self._vjp_symbolic_zeros)
        custom = Custom(name, body, jvp, vjp)
        outs = call(custom, leaves)
        return tree.unflatten(custom.out_tree, outs)

    def _call_with_refs(self, args: tuple, name: str) -> Any:
        """A call with references among the arguments: the function and its rules close over them."""
        where = self._nondiff(len(args), name)
        leaves, structures = [], []
        for arg in args:
            own, structure = tree.flatten(arg)
            leaves.append(own)
            structures.append(structure)

        refs = [x for own in leaves for x in own if isinstance(x, (Ref, TransformedRef))]
        check_distinct(refs, f"custom_vjp: when calling {name}")
        note_backward(refs)

        def is_given(i: int, leaf: Any) -> bool:
            return i not in where and not isinstance(leaf, (Ref, TransformedRef))

        def full(given: Sequence[Any]) -> list[Any]:
            rest = iter(given)
            filled = [[next(rest) if is_given(i, x) else x for x in own] for i, own in enumerate(leaves)]
            return [tree.unflatten(s, own) for s, own in zip(structures, filled, strict=True)]

        def fwd(*given: Any) -> Any:
            result = self.fwd(*full(given))  # type: ignore[misc]
            if not isinstance(result, (tuple, list)) or len(result) != 2:
                return result
            held = [x for x in tree.leaves(result[1]) if isinstance(x, (Ref, TransformedRef))]
            if any(all(x is not r for r in refs) for x in held):
                raise ValueError(
                    f"fungrad.custom_vjp: the custom_vjp fwd function {function_name(self.fwd)} of {name} returned a "
                    "mutable array reference that is none of its arguments; return what it holds: ref[...]"
                )
            return result[0], tree.map(lambda x: _HeldRef(x) if isinstance(x, (Ref, TransformedRef)) else x, result[1])

        def bwd(residuals: Any, ct: Any) -> Any:
            residuals = tree.map(
                lambda x: x.ref if isinstance(x, _HeldRef) else x, residuals, is_leaf=lambda x: isinstance(x, _HeldRef)
            )
            result = self.bwd(*[args[i] for i in where], residuals, ct)  # type: ignore[misc]
            differentiated = [i for i in range(len(args)) if i not in where]
            if not isinstance(result, (tuple, list)) or len(result) != len(differentiated):
                raise TypeError(
                    f"fungrad.custom_vjp: the bwd rule of {name} must return a tuple with one entry per differentiable "
                    f"argument, {len(differentiated)} here, got {shown(result)}"
                )
            out = []
            for i, cts in zip(differentiated, result, strict=True):
                parts = [None] * len(leaves[i]) if cts is None else tree.flatten_up_to(structures[i], cts)
                out += [part for part, x in zip(parts, leaves[i], strict=True) if is_given(i, x)]
            return tuple(out)

        def run(*given: Any) -> Any:
            result = self.fun(*full(given))
            if any(isinstance(x, (Ref, TransformedRef)) for x in tree.leaves(result)):
                raise ValueError(
                    f"fungrad.custom_vjp: {name} returned a mutable array reference; return what it holds: ref[...]"
                )
            return result

        inner = custom_vjp(functools.wraps(self.fun)(run))
        inner._positional = []
        inner.defvjp(fwd, bwd, symbolic_zeros=self._vjp_symbolic_zeros)
        return inner(*[x for i, own in enumerate(leaves) for x in own if is_given(i, x)])

    def _resolved(self, args: tuple, kwargs: dict[str, Any], name: str) -> tuple:
        """All arguments by position, as rules take them: keywords and defaults in their places."""
        if not kwargs and len(args) >= len(self._positional):
            return args
        if not self._positional:
            unplaced = list(kwargs)
        else:
            try:
                bound = inspect.signature(self.fun).bind(*args, **kwargs)
            except TypeError as error:
                raise TypeError(
                    f"fungrad.custom_{self._kind}: cannot call {name}: {error}"
                ) from None
            bound.apply_defaults()
            unplaced = [k for k in kwargs if k in bound.kwargs]
            args = bound.args
        if unplaced:
            raise TypeError(
                f"fungrad.custom_{self._kind}: arguments of {name} must have positions, since its "
                "rules take them by position, but "
                f"{', '.join(unplaced)} can be given by keyword only; make it a positional "
                "parameter"
            )
        return args

    def _nondiff(self, n: int, name: str) -> tuple[int, ...]:
        for i in self.nondiff_argnums:
            if not -n <= i < n:
                raise ValueError(
                    f"fungrad.custom_{self._kind}: nondiff_argnums={i}, but {name} was called with "
                    f"{n} argument(s)"
                )
        return tuple(sorted({i % n for i in self.nondiff_argnums}))

    def _static(self, value: Any, position: int, name: str) -> Any:
        if not any(isinstance(x, Tracer) for x in tree.leaves(value)):
            return value
        if self.fwd is None:
            return tree.map(lambda x: stop_gradient(x) if isinstance(x, Tracer) else x, value)
        raise UnexpectedTracerError(
            f"fungrad.custom_vjp: the argument {position} of {name} is listed in nondiff_argnums, "
            "but it is a tracer or contains one. "
            "Non-differentiable arguments of custom_vjp functions are for what is not an array, "
            "such as functions and "
            "strings. Make it an ordinary argument, and let the bwd rule return None for it."
        )

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __repr__(self) -> str:
        return f"<custom_{self._kind} of {function_name(self.fun)}>"


def _parameters(fun: Callable[..., Any]) -> list[inspect.Parameter]:
    """The positional parameters of ``fun``; none if it has no signature."""
    try:
        parameters = inspect.signature(fun).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


@api_class
class custom_jvp(_CustomFunction):  # noqa: N801 - a decorator, and JAX's name
    """A function whose derivative is given by a rule for forward mode.

    Reverse mode transposes the rule, so it serves ``jvp`` and ``grad`` alike. The rule survives
    ``jit``, ``vmap`` and further differentiation (of the rule itself).  ``defvjp`` may add a rule
    that reverse mode uses instead.

    Args:
      fun: the function. Works as a decorator.
      nondiff_argnums: positions of arguments that are not differentiated, such as functions; rules
        get them first.
      nondiff_argnames: names of such arguments.

    Raises:
      AttributeError: the function is called before ``defjvp``.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> @fungrad.custom_jvp
      ... def log1pexp(x):
      ...   return jnp.log(1.0 + jnp.exp(x))
      >>> @log1pexp.defjvp
      ... def log1pexp_jvp(primals, tangents):
      ...   (x,), (t,) = primals, tangents
      ...   return log1pexp(x), (1.0 - 1.0 / (1.0 + jnp.exp(x))) * t
      >>> print(fungrad.grad(log1pexp)(100.0))
      1.0
    """

    _kind = "jvp"


@api_class
class custom_vjp(_CustomFunction):  # noqa: N801 - a decorator, and JAX's name
    """A function whose derivative is given by rules for reverse mode.

    The rules survive ``jit``, ``vmap`` and further differentiation (of the rules themselves).
    Forward mode (``jvp``, ``jacfwd``) raises TypeError, unless ``defjvp`` gives a rule for it too.

    Args:
      fun: the function. Works as a decorator.
      nondiff_argnums: positions of arguments that are not differentiated, such as functions: never
        arrays under a transformation. ``bwd`` gets them first.
      nondiff_argnames: names of such arguments.

    Raises:
      AttributeError: the function is called before ``defvjp``.
      UnexpectedTracerError: a non-differentiable argument is a tracer, or the function is
        differentiated with respect to something it closes over.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> @fungrad.custom_vjp
      ... def clip_gradient(low, high, x):
      ...   return x
      >>> def fwd(low, high, x):
      ...   return x, (low, high)
      >>> def bwd(bounds, g):
      ...   return None, None, jnp.clip(g, *bounds)
      >>> clip_gradient.defvjp(fwd, bwd)
      >>> print(fungrad.grad(lambda x: 5.0 * clip_gradient(-1.0, 1.0, x))(2.0))
      1.0
    """

    _kind = "vjp"


class _HeldRef:
    """A reference among residuals: a tree without leaves."""

    def __init__(self, ref: Ref | TransformedRef):
        self.ref = ref


register_pytree_node(_HeldRef, lambda held: ((), held.ref), lambda ref, _: _HeldRef(ref))


class _Pullback(NamedTuple):
    """A traced function of captured values and a cotangent, and the structure of its result."""

    jaxpr: Jaxpr
    out_tree: Any


class _Residuals:
    """Residuals of ``custom_gradient``: captured values, and the pullback that takes them."""

    def __init__(self, consts: Sequence[Any], pullback: _Pullback):
        self.consts, self.pullback = list(consts), pullback


register_pytree_node(
    _Residuals,
    lambda r: (r.consts, r.pullback),
    lambda pullback, consts: _Residuals(consts, pullback),
)


def custom_gradient(fun: Callable[..., Any]) -> custom_vjp:
    """A function that returns its value together with its own pullback.

    Args:
      fun: ``fun(*args) -> (output, pullback)``, where ``pullback(cotangent)`` returns the
        cotangents of the arguments: a tuple, or for one argument also just its cotangent.

    Returns:
      The function of ``*args`` that returns ``output``, with that derivative in reverse mode.

    Example:
      >>> import fungrad
      >>> @fungrad.custom_gradient
      ... def f(x):
      ...   return x ** 2, lambda g: 3.0 * g * x
      >>> print(f(3.0), fungrad.grad(f)(3.0))
      9.0 9.0
    """
    check_callable(fun, "custom_gradient")
    name = function_name(fun)

    def pair(args: tuple) -> tuple[Any, Any]:
        result = fun(*args)
        if not isinstance(result, (tuple, list)) or len(result) != 2 or not callable(result[1]):
            raise TypeError(
                f"fungrad.custom_gradient: {name} must return a pair (output, function from the "
                "cotangent of the output to those of "
                f"the arguments), got {result!r}"
            )
        return result[0], result[1]

    @wraps(fun)
    def wrapped(*args: Any) -> Any:
        return pair(args)[0]

    def fwd(*args: Any) -> tuple[Any, _Residuals]:
        output, pullback = pair(args)
        leaves, output_tree = flat_arrays(output, "custom_gradient", f"the output of {name}")
        avals = [x.aval.tangent() for x in leaves]
        example = (tree.unflatten(output_tree, avals),)
        debug = debug_info(pullback, example, {}, "custom_gradient")
        jaxpr, out_tree = trace_tree(pullback, tree.structure((example, {})), avals, debug)
        cotangents = tree.unflatten(out_tree, jaxpr.out_avals)
        # None stays, for the check of rules that return nothing.
        if len(args) == 1 and cotangents is not None and not isinstance(cotangents, (tuple, list)):
            out_tree = tree.treedef_tuple([out_tree])
        return output, _Residuals(jaxpr.consts, _Pullback(jaxpr.with_consts_as_inputs(), out_tree))

    def bwd(residuals: _Residuals, cotangent: Any) -> Any:
        jaxpr, out_tree = residuals.pullback
        cts = [as_array(x) for x in tree.leaves(cotangent)]
        return tree.unflatten(out_tree, eval_jaxpr(jaxpr, (), *residuals.consts, *cts))

    out = custom_vjp(wrapped)
    out.defvjp(fwd, bwd)
    return out


@api_boundary
def closure_convert(
    fun: Callable[..., Any], *example_args: Any
) -> tuple[Callable[..., Any], list[Any]]:
    """Makes the values of enclosing transformations that a function closes over its arguments.

    A rule for a function-valued argument can then differentiate with respect to them too.

    Args:
      fun: function of arrays and trees of arrays.
      *example_args: arguments, of which only the types are used.

    Returns:
      ``(converted, consts)``: ``converted(*args, *consts)`` equals ``fun(*args)``. ``consts`` are
      the floating values of enclosing transformations that ``fun`` closes over; concrete arrays
      stay where they are.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> def minimize(objective, x0):
      ...   converted, consts = fungrad.closure_convert(objective, x0)
      ...   return len(consts), converted(x0, *consts)
      >>> fungrad.grad(lambda a: minimize(lambda x: a * x, 2.0)[1])(3.0)
      Array(2., dtype=float32, weak_type=True)
    """
    check_callable(fun, "closure_convert")
    leaves, in_tree = tree.flatten((example_args, {}))
    avals = [
        abstract_argument(x, "closure_convert", (example_args, {}), i) for i, x in enumerate(leaves)
    ]
    jaxpr, out_tree = trace_tree(
        fun, in_tree, avals, debug_info(fun, example_args, {}, "closure_convert")
    )
    hoisted = [isinstance(c, Tracer) and dtypes.is_inexact(c.aval.dtype) for c in jaxpr.consts]
    consts = [c for c, on in zip(jaxpr.consts, hoisted, strict=True) if on]
    kept = [None if on else c for c, on in zip(jaxpr.consts, hoisted, strict=True)]
    args_tree, name = tree.structure(example_args), function_name(fun)
    # What is returned must not hold on to `fun`, which refers to the values that are hoisted.
    closed = jaxpr.with_consts_as_inputs()
    return Partial(_Converted(closed, tuple(hoisted), args_tree, out_tree, name), kept), consts


@dataclasses.dataclass(frozen=True)
class _Converted:
    """The function of arguments and hoisted constants that ``closure_convert`` returns, but for what it has kept."""

    jaxpr: Jaxpr
    hoisted: tuple[bool, ...]
    args_tree: Any
    out_tree: Any
    name: str

    def __call__(self, kept: Sequence[Any], *args: Any) -> Any:
        n = sum(self.hoisted)
        args, given = args[: len(args) - n], iter(args[len(args) - n :])
        flat, structure = tree.flatten(args)
        if structure != self.args_tree:
            raise TypeError(
                f"fungrad.closure_convert: {self.name} was converted for arguments of the structure "
                f"{structure_text(self.args_tree)}, got {structure_text(structure)}"
            )
        values = [next(given) if on else c for c, on in zip(kept, self.hoisted, strict=True)]
        operands = [as_array(x) for x in (*values, *flat)]
        return tree.unflatten(self.out_tree, eval_jaxpr(self.jaxpr, (), *operands))


def zero_from_primal(value: Any, symbolic_zeros: bool = False) -> Any:
    """The zero tangents of a tree of arrays, for rules that return them.

    Args:
      value: the primal array, or a tree of them.
      symbolic_zeros: whether to return ``SymbolicZero`` instead of arrays.

    Example:
      >>> from fungrad.custom_derivatives import zero_from_primal
      >>> zero_from_primal({"x": 3.0})
      {'x': Array(0., dtype=float32, weak_type=True)}
    """

    def zero_of(leaf: Any) -> Any:
        zero = SymbolicZero.from_primal_value(leaf)
        if symbolic_zeros:
            return zero
        return float0_zeros(zero.aval) if zero.dtype == dtypes.float0 else zeros(zero.aval)

    return tree.map(zero_of, value)


def custom_vjp_primal_tree_values(primals: Any) -> Any:
    """The tree of values of a tree of ``CustomVJPPrimal``, in a forward rule with
    ``symbolic_zeros``.

    Raises:
      TypeError: a leaf is something else.

    Example:
      >>> from fungrad.custom_derivatives import CustomVJPPrimal, custom_vjp_primal_tree_values
      >>> custom_vjp_primal_tree_values({"a": CustomVJPPrimal(1.0, True)})
      {'a': 1.0}
    """

    def value(leaf: Any) -> Any:
        if type(leaf) is not CustomVJPPrimal:
            raise TypeError(
                "fungrad.custom_vjp_primal_tree_values: expected leaves of type CustomVJPPrimal, "
                "got "
                f"{type(leaf).__name__}; only forward rules declared with symbolic_zeros=True have "
                "them"
            )
        return leaf.value

    return tree.map(value, primals)
