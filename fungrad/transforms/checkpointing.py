"""``checkpoint``: derivatives that recompute intermediate values instead of keeping them.

A checkpointed function is one operation ``remat2`` that holds the traced function. Linearizing it
computes the results, and keeps its operands and what the policy names; the linear program gets one
operation that recomputes the other residuals and applies the derivative. Compiled programs inline
the operation only after common subexpressions have been merged, so that nothing merges what is
recomputed with the original.

May import ``core``, ``ops`` and the trace modules of ``transforms``.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, overload

import numpy as np

from fungrad.config import config
from fungrad.core import tree
from fungrad.core.arguments import integers, shown
from fungrad.core.array import as_array
from fungrad.core.avals import ShapedArray, Zero, same_type
from fungrad.core.context import EVAL, AxisData, Tracer, state
from fungrad.core.ir import Eqn, Jaxpr, Literal, Var, eval_jaxpr
from fungrad.core.lojax import expand_call
from fungrad.core.primitive import Primitive, is_linear
from fungrad.core.ref_calls import call_with_refs
from fungrad.core.refs import Ref, RefFrame, RefsUsedError, differentiating
from fungrad.core.signatures import P, R
from fungrad.core.source import api_boundary, boundary_of, function_name, wraps
from fungrad.core.staging import (
    DebugInfo,
    JaxprTrace,
    JaxprTracer,
    argument_names,
    trace_flat,
    trace_tree,
)
from fungrad.ops.cast import name_p
from fungrad.transforms.api import check_callable, flat_arrays
from fungrad.transforms.batching import batch_jaxpr, used_axis_names
from fungrad.transforms.checkpoint_answers import is_saved
from fungrad.transforms.conditional_effects import when_jaxpr
from fungrad.transforms.custom_calls import evaluate_flat
from fungrad.transforms.forward import jvp_jaxpr
from fungrad.transforms.linearization import TangentVar, linearize_flat, linearize_jaxpr
from fungrad.transforms.runtime_checks import Errors, checked_call
from fungrad.transforms.transposition import transpose_jaxpr, transposed_in_place

Policy = Callable[..., Any]

# -- the primitive -------------------------------------------------------------------------------


class Remat(Primitive):
    """A function of which derivatives keep only what ``policy`` allows.

    ``differentiated`` says that it is such a derivative.
    """

    kind = "higher_order"
    multiple_results = True
    inline_param = "jaxpr"
    inline_late = True

    def bind(self, *args: Any, **params: Any) -> Any:
        return (
            eval_jaxpr(params["jaxpr"], (), *args)
            if state.trace is EVAL
            else super().bind(*args, **params)
        )

    def abstract_eval(self, *avals: ShapedArray, jaxpr: Jaxpr, **_: Any) -> Sequence[ShapedArray]:
        if len(avals) != len(jaxpr.invars) or not all(map(same_type, avals, jaxpr.in_avals)):
            raise TypeError(
                "checkpoint: expected operands of types "
                f"{', '.join(a.short() for a in jaxpr.in_avals)}, got "
                f"{', '.join(a.short() for a in avals)}"
            )
        return jaxpr.out_avals

    def is_high_in(self, params: dict[str, Any]) -> bool:
        return params["jaxpr"].is_high  # type: ignore[no-any-return]

    def expand(self, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        return expand_call(self, args, params, "jaxpr")

    def impl(self, *args: np.ndarray, jaxpr: Jaxpr, **_: Any) -> list[np.ndarray]:
        return evaluate_flat(lambda *xs: eval_jaxpr(jaxpr, (), *xs), args)

    def lower(self, ctx: Any, *args: Any, jaxpr: Jaxpr, **_: Any) -> Any:
        return ctx.inline(jaxpr, args)

    def bind_when(
        self, condition: Any, args: Sequence[Any], params: dict[str, Any]
    ) -> list[Any]:
        rest = {k: v for k, v in params.items() if k != "jaxpr"}
        return call(when_jaxpr(params["jaxpr"]), [condition, *args], **rest)

    def checked(
        self, errors: Errors, args: Sequence[Any], params: dict[str, Any]
    ) -> list[Any]:
        rest = {k: v for k, v in params.items() if k != "jaxpr"}
        return checked_call(params["jaxpr"], errors, args, lambda j, xs: call(j, xs, **rest))

    def axis_names(self, params: dict[str, Any]) -> tuple:
        return tuple(used_axis_names(params["jaxpr"]))

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, jaxpr: Jaxpr, **params: Any
    ) -> tuple[Any, Any]:
        both, out_nonzero = jvp_jaxpr(jaxpr, [type(t) is not Zero for t in tangents])
        outs = call(both, [*primals, *[t for t in tangents if type(t) is not Zero]], **params)
        n = len(jaxpr.outvars)
        return outs[:n], _tangents(outs[n:], out_nonzero, jaxpr)

    def linearize(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, jaxpr: Jaxpr, **params: Any
    ) -> tuple[Any, Any]:
        parts = split(jaxpr, tuple([type(t) is not Zero for t in tangents]), params["policy"])
        n = len(jaxpr.outvars)
        # The present derivative needs no more than the values; one further out must not keep more
        # than this one does.
        outer = state.trace.parent
        if outer is EVAL or type(outer) is JaxprTrace:
            outs = eval_jaxpr(parts.forward, parts.forward.consts, *primals)
        else:
            outs = call(parts.forward, primals, **params)
        if not any(parts.out_nonzero):
            return outs[:n], _tangents([], parts.out_nonzero, jaxpr)
        operands = [
            *[primals[i] for i in parts.inputs],
            *outs[n:],
            *[t for t in tangents if type(t) is not Zero],
        ]
        results = call(parts.linear, operands, **{**params, "differentiated": True})
        return outs[:n], _tangents(results, parts.out_nonzero, jaxpr)

    def transpose(
        self, cts: Sequence[Any], *args: Any, jaxpr: Jaxpr, **params: Any
    ) -> Sequence[Any]:
        linear = [is_linear(a) for a in args]
        try:
            transposed, nonzero = transpose_jaxpr(jaxpr, linear, [type(ct) is not Zero for ct in cts])
        except RefsUsedError:
            return transposed_in_place(lambda *xs: eval_jaxpr(jaxpr, (), *xs), args, cts, "transpose")
        operands = [a for a in args if not is_linear(a)] + [
            ct for ct in cts if type(ct) is not Zero
        ]
        given = iter(call(transposed, operands, **params))
        results = iter([next(given) if nz else None for nz in nonzero])
        return [next(results) if on else None for on in linear]

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], *, jaxpr: Jaxpr, **params: Any
    ) -> tuple[Any, Any]:
        batched, out_dims = batch_jaxpr(jaxpr, axis, dims)
        return call(batched, args, **params), out_dims

    def dce(self, eqn: Eqn, used: Sequence[bool]) -> Eqn | None:
        """The equation without unused results and the operands that only they need."""
        jaxpr = eqn.params["jaxpr"]
        outvars = [v for v, on in zip(jaxpr.outvars, used, strict=True) if on]
        body = jaxpr.replace(outvars=outvars, eqns=live_eqns(jaxpr, outvars), debug=None)
        read = {a for e in body.eqns for a in e.invars} | set(outvars)
        kept = [v in read for v in jaxpr.invars]
        body = body.replace(invars=[v for v, on in zip(jaxpr.invars, kept, strict=True) if on])
        return eqn.replace(
            invars=[a for a, on in zip(eqn.invars, kept, strict=True) if on],
            outvars=[v for v, on in zip(eqn.outvars, used, strict=True) if on],
            params={**eqn.params, "jaxpr": body},
        )


remat_p = Remat("remat2")


def call(jaxpr: Jaxpr, args: Sequence[Any], **params: Any) -> list[Any]:
    """Calls a jaxpr, which may have constants, as one checkpointed operation."""
    return remat_p.bind(*jaxpr.consts, *args, jaxpr=jaxpr.with_consts_as_inputs(), **params)


def _tangents(given: Sequence[Any], nonzero: Sequence[bool], jaxpr: Jaxpr) -> list[Any]:
    values = iter(given)
    return [
        next(values) if nz else Zero(v.aval.tangent())
        for nz, v in zip(nonzero, jaxpr.outvars, strict=True)
    ]


def live_eqns(jaxpr: Jaxpr, outvars: Sequence[Any]) -> list[Eqn]:
    """The equations on which ``outvars`` depend, narrowed to what is used, or with effects."""
    live = {a for a in outvars if type(a) is Var}
    kept: list[Eqn] = []
    for eqn in reversed(jaxpr.eqns):
        used = [v in live for v in eqn.outvars]
        if not any(used) and not eqn.has_effects:
            continue
        narrow = getattr(eqn.primitive, "dce", None)
        narrowed = narrow(eqn, used) if narrow is not None and not all(used) else eqn
        if narrowed is not None:
            live.update(a for a in narrowed.invars if type(a) is Var)
            kept.append(narrowed)
    return kept[::-1]


# -- what is saved -------------------------------------------------------------------------------


class Split(NamedTuple):
    """The derivative of a jaxpr, divided into what is computed now and what is left to the linear
    part.

    Attributes:
      forward: from the inputs to the results and the values that are saved.
      linear: from some inputs, the saved values and the input tangents to the non-zero result
        tangents.
      inputs: positions of those inputs.
      out_nonzero: which results have a tangent.
    """

    forward: Jaxpr
    linear: Jaxpr
    inputs: list[int]
    out_nonzero: list[bool]


def split(jaxpr: Jaxpr, nonzero: tuple[bool, ...], policy: Policy | None) -> Split:
    """Linearizes a jaxpr without constants, saving what ``policy`` allows (nothing if None)."""
    key = ("checkpoint", nonzero, policy, state.axis_env)
    if key not in jaxpr.memo:
        jaxpr.memo[key] = _split(jaxpr, nonzero, policy)
    return jaxpr.memo[key]


def _split(jaxpr: Jaxpr, nonzero: tuple[bool, ...], policy: Policy | None) -> Split:
    source = jaxpr if policy is None else _calls_inlined(jaxpr)
    forward, linear, where, out_nonzero = linearize_jaxpr(source, nonzero)
    n_in, n_out = len(jaxpr.invars), len(jaxpr.outvars)
    inputs, new = forward.invars, iter(forward.outvars[n_out:])
    residuals = [
        next(new) if w is None else inputs[w] if w < n_in else forward.outvars[w - n_in]
        for w in where
    ]
    saved, recomputed = _divide(forward, residuals, policy)
    read = {a for e in recomputed for a in e.invars} | set(residuals)
    kept = [i for i, v in enumerate(inputs) if v in read]
    outvars = [*forward.outvars[:n_out], *saved]
    now = forward.replace(outvars=outvars, eqns=live_eqns(forward, outvars))
    recompute = forward.replace(
        invars=[*[inputs[i] for i in kept], *saved], outvars=residuals, eqns=recomputed
    )
    return Split(now, _then(recompute, linear), kept, out_nonzero)


def _divide(
    jaxpr: Jaxpr, residuals: Sequence[Any], policy: Policy | None
) -> tuple[list[Var], list[Eqn]]:
    """The values to save, and the equations that make ``residuals`` from them and the inputs, or show values again."""
    needed = {a for a in residuals if type(a) is Var}
    saved: list[Var] = []
    recomputed: list[Eqn] = []
    for eqn in reversed(jaxpr.eqns):
        wanted = [v for v in eqn.outvars if v in needed]
        if not wanted and not eqn.observes:
            continue
        if policy is not None and is_saved(
            policy(eqn.primitive, *[a.aval for a in eqn.invars], **eqn.params), policy
        ):
            saved += wanted
        else:
            needed.update(a for a in eqn.invars if type(a) is Var)
            recomputed.append(eqn)
    return saved[::-1], recomputed[::-1]


def _then(recompute: Jaxpr, linear: Jaxpr) -> Jaxpr:
    """The linear part after the recomputation of its residuals: from the inputs of both."""
    n, n_res = len(recompute.invars), len(recompute.outvars)

    def fun(*args: Any) -> list[Any]:
        residuals = eval_jaxpr(recompute, recompute.consts, *args[:n])
        return eval_jaxpr(linear, linear.consts, *residuals, *args[n:])

    avals = [v.aval for v in [*recompute.invars, *linear.invars[n_res:]]]
    return trace_flat(fun, avals, DebugInfo("checkpoint", (), "checkpoint"))


def _calls_inlined(jaxpr: Jaxpr) -> Jaxpr:
    """``jaxpr`` with the bodies of nested ``jit`` calls in their place, for policies to see."""

    def run(body: Jaxpr, *args: Any) -> list[Any]:
        env: dict[Any, Any] = dict(zip(body.invars, args, strict=True))
        for eqn in body.eqns:
            operands = [a.array if isinstance(a, Literal) else env[a] for a in eqn.invars]
            if eqn.primitive.name == "jit":
                outs = run(eqn.params["jaxpr"], *operands)
            else:
                out = eqn.primitive.bind(*operands, **eqn.params)
                outs = out if eqn.primitive.multiple_results else [out]
            env.update(zip(eqn.outvars, outs, strict=True))
        return [a.array if isinstance(a, Literal) else env[a] for a in body.outvars]

    key = "checkpoint: calls inlined"
    if key not in jaxpr.memo:
        calls = any(eqn.primitive.name == "jit" for eqn in jaxpr.eqns)
        jaxpr.memo[key] = (
            trace_flat(lambda *xs: run(jaxpr, *xs), jaxpr.in_avals, jaxpr.debug) if calls else jaxpr
        )
    return jaxpr.memo[key]


# -- names and policies --------------------------------------------------------------------------


@api_boundary
def checkpoint_name(x: Any, name: str) -> Any:
    """The identity, which names a value for the policies of ``checkpoint``.

    Args:
      x: array or tree of arrays.
      name: the name.

    Returns:
      ``x``.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> from fungrad.ad_checkpoint import checkpoint_name
      >>> f = lambda x: jnp.sin(checkpoint_name(jnp.cos(x), "c"))
      >>> g = fungrad.checkpoint(f, policy=fungrad.checkpoint_policies.save_only_these_names("c"))
      >>> fungrad.ad_checkpoint.print_saved_residuals(g, 1.0)  # doctest: +ELLIPSIS
      f32[] from the argument x
      f32[] named 'c' from ...
    """
    if not isinstance(name, str):
        raise TypeError(f"fungrad.checkpoint_name: name must be a text, got {shown(name)}")
    return tree.map(
        lambda leaf: name_p.bind(as_array(leaf, "fungrad.checkpoint_name: x"), name=name), x
    )


def everything_saveable(*_: Any, **__: Any) -> bool:
    """Saves all residuals, as without ``checkpoint``."""
    return True


def nothing_saveable(*_: Any, **__: Any) -> bool:
    """Recomputes everything from the arguments."""
    return False


def dots_saveable(primitive: Primitive, *_: Any, **__: Any) -> bool:
    """Saves results of matrix products and convolutions."""
    return primitive.name in ("dot_general", "conv_general_dilated")


def dots_with_no_batch_dims_saveable(primitive: Primitive, *_: Any, **params: Any) -> bool:
    """Saves results of matrix products without batch dimensions, such as those with weights."""
    return primitive.name == "dot_general" and not any(params["dimension_numbers"][1])


@dataclasses.dataclass(frozen=True)
class _NamesPolicy:
    """Whether to save a value that has one of ``names``, another name, or none."""

    kind: str
    names: frozenset
    these: bool
    others: bool
    unnamed: bool

    def __call__(self, primitive: Primitive, *_: Any, **params: Any) -> bool:
        if primitive is not name_p:
            return self.unnamed
        return self.these if params["name"] in self.names else self.others

    def __repr__(self) -> str:
        return f"{self.kind}({', '.join(map(repr, sorted(self.names)))})"

    @property
    def __name__(self) -> str:
        """How it prints as a parameter."""
        return repr(self)


def save_only_these_names(*names: str) -> Policy:
    """A policy that saves the values with one of ``names``."""
    return _NamesPolicy("save_only_these_names", frozenset(names), True, False, False)


def save_any_names_but_these(*names: str) -> Policy:
    """A policy that saves the values with a name, other than ``names``."""
    return _NamesPolicy("save_any_names_but_these", frozenset(names), False, True, False)


def save_anything_except_these_names(*names: str) -> Policy:
    """A policy that saves everything but the values with one of ``names``."""
    return _NamesPolicy("save_anything_except_these_names", frozenset(names), False, True, True)


@dataclasses.dataclass(frozen=True)
class _EitherPolicy:
    first: Policy
    second: Policy

    def __call__(self, *args: Any, **params: Any) -> bool:
        return bool(self.first(*args, **params)) or bool(self.second(*args, **params))


def save_from_both_policies(policy_1: Policy, policy_2: Policy) -> Policy:
    """A policy that saves what either policy saves."""
    return _EitherPolicy(policy_1, policy_2)


def offload_dot_with_no_batch_dims(offload_src: str = "device", offload_dst: str = "pinned_host") -> Policy:
    """``dots_with_no_batch_dims_saveable``: there is one memory, so what JAX would move elsewhere is kept here."""
    del offload_src, offload_dst
    return dots_with_no_batch_dims_saveable


def save_and_offload_only_these_names(
    *,
    names_which_can_be_saved: Sequence[str],
    names_which_can_be_offloaded: Sequence[str],
    offload_src: str = "device",
    offload_dst: str = "pinned_host",
) -> Policy:
    """``save_only_these_names`` of both: there is one memory, so what JAX would move elsewhere is kept here.

    Raises:
      ValueError: a name is in both lists.
    """
    del offload_src, offload_dst
    both = sorted(set(names_which_can_be_saved) & set(names_which_can_be_offloaded))
    if both:
        raise ValueError(
            f"fungrad.checkpoint_policies.save_and_offload_only_these_names: {both[0]!r} cannot be both saved and "
            "offloaded"
        )
    return save_only_these_names(*names_which_can_be_saved, *names_which_can_be_offloaded)


class _Policies:
    """Namespace of the policies of ``checkpoint``: which intermediate values are kept."""

    everything_saveable = staticmethod(everything_saveable)
    nothing_saveable = staticmethod(nothing_saveable)
    dots_saveable = staticmethod(dots_saveable)
    checkpoint_dots = staticmethod(dots_saveable)
    dots_with_no_batch_dims_saveable = staticmethod(dots_with_no_batch_dims_saveable)
    checkpoint_dots_with_no_batch_dims = staticmethod(dots_with_no_batch_dims_saveable)
    save_only_these_names = staticmethod(save_only_these_names)
    save_any_names_but_these = staticmethod(save_any_names_but_these)
    save_anything_except_these_names = staticmethod(save_anything_except_these_names)
    save_from_both_policies = staticmethod(save_from_both_policies)
    offload_dot_with_no_batch_dims = staticmethod(offload_dot_with_no_batch_dims)
    save_and_offload_only_these_names = staticmethod(save_and_offload_only_these_names)


checkpoint_policies = _Policies()

# -- the public function -------------------------------------------------------------------------

# What functions were traced to, by function and then by the arguments; functions that close over
# tracers are not kept.
_traces: weakref.WeakKeyDictionary[Any, dict[Any, tuple[Jaxpr, Any, RefFrame]]] = weakref.WeakKeyDictionary()


def _checked_cse(prevent_cse: Any) -> Any:
    """The option as a value that can be a parameter of an operation."""
    leaves = tree.leaves(prevent_cse)
    if not leaves or not all(isinstance(x, (bool, np.bool_)) for x in leaves):
        raise TypeError(
            "fungrad.checkpoint: prevent_cse must be a bool, or a tuple with one or a tree of them for every argument, "
            f"got {shown(prevent_cse)}"
        )
    return prevent_cse if isinstance(prevent_cse, bool) else tuple(map(bool, leaves))


@overload
def checkpoint(
    fun: Callable[P, R],
    *,
    prevent_cse: Any = True,
    policy: Policy | None = None,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
    concrete: bool = False,
) -> Callable[P, R]: ...


@overload
def checkpoint(
    fun: None = None,
    *,
    prevent_cse: Any = True,
    policy: Policy | None = None,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
    concrete: bool = False,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def checkpoint(
    fun: Callable[..., Any] | None = None,
    *,
    prevent_cse: Any = True,
    policy: Policy | None = None,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
    concrete: bool = False,
) -> Any:
    """A function whose derivatives recompute intermediate values instead of keeping them in memory.

    Its value and derivatives are those of ``fun``. Reverse mode keeps the arguments and what
    ``policy`` names, and runs ``fun`` again when it gets to it. Useful for long chains: with each
    link checkpointed, memory is that of the links' arguments and of one link's inside.

    Args:
      fun: function of arrays and trees of arrays. Works as a decorator.
      prevent_cse: a bool, or a tuple with one or a tree of them for every argument. Accepted for compatibility: the
        compiler never merges what is recomputed with the original.
      policy: which intermediate values are kept: ``policy(primitive, *types, **params) -> bool``,
        one of ``fungrad.checkpoint_policies``. None keeps nothing but the arguments. It sees the
        operations of nested ``jit`` functions, but loops and branches as a whole.
      static_argnums: positions of arguments that are Python values, not arrays.
      static_argnames: names of such keyword arguments.
      concrete: must be False: declare static arguments instead.

    Returns:
      A function with the arguments of ``fun``.

    Raises:
      ValueError: ``static_argnums`` names an argument that was not passed.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> block = fungrad.checkpoint(lambda x: jnp.sin(jnp.sin(x)))
      >>> fungrad.ad_checkpoint.print_saved_residuals(block, 1.0)
      f32[] from the argument x
      >>> print(fungrad.grad(block)(0.0))
      1.0
    """
    if concrete:
        raise NotImplementedError(
            "fungrad.checkpoint: concrete=True is not supported; declare arguments that decide "
            "Python control flow in static_argnums"
        )
    if fun is None:
        return functools.partial(
            checkpoint,
            prevent_cse=prevent_cse,
            policy=policy,
            static_argnums=static_argnums,
            static_argnames=static_argnames,
        )
    check_callable(fun, "checkpoint")
    numbers = integers("fungrad.checkpoint", "static_argnums", static_argnums)
    names = (static_argnames,) if isinstance(static_argnames, str) else tuple(static_argnames)
    params = {
        "policy": policy,
        "prevent_cse": _checked_cse(prevent_cse),
        "differentiated": False,
    }

    @wraps(fun)
    @boundary_of("fungrad.checkpoint")
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        static = _static(fun, args, kwargs, numbers, names)
        dynamic = tuple([x for i, x in enumerate(args) if i not in static])
        keywords = {k: v for k, v in kwargs.items() if k not in static}
        leaves, in_tree = _flat(fun, (dynamic, keywords))
        jaxpr, out_tree, frame = _trace(fun, static, len(args), (dynamic, keywords), in_tree, leaves)
        if not frame:
            return tree.unflatten(out_tree, call(jaxpr, leaves, **params))
        if frame.backward and differentiating():
            return fun(*args, **kwargs)
        name = function_name(fun)
        return call_with_refs(
            frame,
            out_tree,
            leaves,
            argument_names(fun, dynamic, keywords),
            name,
            lambda given: call(jaxpr, given, **params),
            "checkpoint",
        )

    return checkpointed


def _flat(fun: Callable[..., Any], arguments: Any) -> tuple[list[Any], Any]:
    """The leaves of the arguments, arrays and references, and their structure."""
    leaves, in_tree = tree.flatten(arguments)
    refs = {i for i, x in enumerate(leaves) if isinstance(x, Ref)}
    what = f"an argument of {function_name(fun)}: "
    if not refs:
        return flat_arrays(arguments, "checkpoint", what)
    others = tree.unflatten(in_tree, [None if i in refs else x for i, x in enumerate(leaves)])
    arrays = iter(flat_arrays(others, "checkpoint", what)[0])
    return [x if i in refs else next(arrays) for i, x in enumerate(leaves)], in_tree


def _static(
    fun: Callable[..., Any], args: tuple, kwargs: dict[str, Any], numbers: Sequence[int], names: Sequence[str]
) -> dict[int | str, Any]:
    """The static arguments of a call, by position or keyword."""
    n = len(args)
    for i in numbers:
        if not -n <= i < n:
            raise ValueError(
                f"fungrad.checkpoint: static_argnums={tuple(numbers)}, but {function_name(fun)} "
                f"was called with {n} positional "
                f"argument(s); each must be at least {-n} and less than {n}"
            )
    found: dict[int | str, Any] = {i % n: args[i] for i in numbers}
    if names:
        parameters = list(inspect.signature(fun).parameters)
        found |= {
            i: x for i, (x, name) in enumerate(zip(args, parameters, strict=False)) if name in names
        }
        found |= {name: kwargs[name] for name in names if name in kwargs}
    return found


def _trace(
    fun: Callable[..., Any], static: dict, n: int, arguments: tuple, in_tree: Any, leaves: Sequence[Any]
) -> tuple[Jaxpr, Any, RefFrame]:
    """The jaxpr of ``fun`` with its static arguments, the structure of its result, and the references it uses."""
    known: dict[Any, Any] = {}
    key: Any = (in_tree, tuple([x.aval for x in leaves]), config.trace_key, state.axis_env)
    try:
        key = (*key, frozenset(static.items()))
        known = _traces.setdefault(fun, {})
    except (
        TypeError
    ):  # static arguments that do not hash, or a function that cannot be referred to weakly
        pass
    found = known.get(key)
    if found is None:

        def with_static(*rest: Any, **keywords: Any) -> Any:
            given = iter(rest)
            full = [static[i] if i in static else next(given) for i in range(n)]
            return fun(*full, **keywords, **{k: v for k, v in static.items() if isinstance(k, str)})

        debug = DebugInfo(function_name(fun), argument_names(fun, *arguments), "checkpoint")
        frame = RefFrame()
        traced = trace_tree(with_static if static else fun, in_tree, [x.aval for x in leaves], debug, frame)
        found = (*traced, frame)
        # Those that it closes over may belong to a trace.
        if not frame.closed and not any(isinstance(c, Tracer) for c in found[0].consts):
            known[key] = found
    return found


# -- inspection ----------------------------------------------------------------------------------


@api_boundary
def print_saved_residuals(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Prints what reverse-mode differentiation of ``fun`` keeps: type and origin, one value per
    line.

    Args:
      fun: function of arrays and trees of arrays.
      *args: its arguments.
      **kwargs: its keyword arguments.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.ad_checkpoint import print_saved_residuals
      >>> print_saved_residuals(lambda x, y: x * y, jnp.ones(3), jnp.ones(3))
      f32[3] from the argument x
      f32[3] from the argument y
    """
    for aval, origin in saved_residuals(fun, *args, **kwargs):
        print(f"{aval.str_short()} {origin}")


def saved_residuals(
    fun: Callable[..., Any], *args: Any, **kwargs: Any
) -> list[tuple[ShapedArray, str]]:
    """Type and origin of every value that reverse-mode differentiation of ``fun`` keeps.

    Args:
      fun: function of arrays and trees of arrays.
      *args: its arguments.
      **kwargs: its keyword arguments.

    Returns:
      One pair per value, arguments first: what ``print_saved_residuals`` prints.
    """
    check_callable(fun, "print_saved_residuals")
    leaves, in_tree = flat_arrays((args, kwargs), "print_saved_residuals", "args")
    names = argument_names(inspect.unwrap(fun), args, kwargs)
    found: list[tuple[int, ShapedArray, str]] = []

    def flat_fun(*xs: Any) -> list[Any]:
        positional, keywords = tree.unflatten(in_tree, xs)
        return flat_arrays(fun(*positional, **keywords), "print_saved_residuals", "the result")[0]

    def record(*xs: Any) -> list[Any]:
        active = [x.aval.tangent() is x.aval for x in xs]
        outs, program = linearize_flat(flat_fun, xs, active, "print_saved_residuals")
        positions = {id(x): i for i, x in enumerate(xs)}
        seen: dict[int, Any] = {}
        for eqn in program.live_eqns():
            seen.update({id(a): a for a in eqn.args if type(a) is not TangentVar})
        for x in seen.values():
            at = positions.get(id(x))
            if at is not None:
                found.append((at, x.aval, f"from the argument {names[at]}"))
            elif isinstance(x, Tracer) or x.aval.shape:
                found.append((len(xs), x.aval, _origin(x)))
        return outs

    trace_flat(
        record,
        [x.aval for x in leaves],
        DebugInfo(function_name(fun), names, "print_saved_residuals"),
    )
    found.sort(key=lambda entry: entry[0])
    return [(aval, origin) for _, aval, origin in found]


def _origin(x: Any) -> str:
    if type(x) is not JaxprTracer or x.eqn is None:
        return "from a constant"
    if x.eqn.primitive is name_p:
        return f"named {x.eqn.params['name']!r} from {x.eqn.source}"
    return f"output of {x.eqn.primitive.name} from {x.eqn.source}"
