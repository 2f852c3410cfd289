"""``custom_vmap``: functions whose behaviour under ``vmap`` is a rule of the user.

A call is one operation, ``custom_vmap_call``, that holds the traced function and the rule. Its derivative in forward
mode is such a call again, whose rule differentiates the user's rule; in reverse mode the result comes from the call,
and the linear part from the function.

May import ``core``, ``ops.foundation`` and the trace modules of ``transforms``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fungrad.core import tree
from fungrad.core.avals import Zero
from fungrad.core.context import EVAL, AxisData, state
from fungrad.core.ir import Jaxpr, eval_jaxpr
from fungrad.core.source import api_boundary, api_class, function_name
from fungrad.core.staging import debug_info, trace_tree
from fungrad.core.treedef import structure_text
from fungrad.ops.foundation import batch_to, instantiate
from fungrad.transforms.api import check_callable, flat_arrays
from fungrad.transforms.custom_calls import CustomCall
from fungrad.transforms.forward import jvp_flat, jvp_jaxpr
from fungrad.transforms.linearization import linearize_jaxpr


@dataclass(frozen=True)
class _Rule:
    """The user's rule for the arguments behind the captured values.

    Attributes:
      name: of the function.
      fun: ``fun(axis_size, in_batched, *args) -> (output, out_batched)``.
      num_consts: how many operands are values that the function closes over.
      in_tree: structure of the arguments, a tuple.
      out_tree: structure of the output.
    """

    name: str
    fun: Callable[..., Any]
    num_consts: int
    in_tree: Any
    out_tree: Any

    def __call__(self, size: int, batched: Sequence[bool], args: Sequence[Any]) -> tuple[list[Any], list[bool]]:
        """Outputs and which of them are batched, for operands whose batch is in dimension 0."""
        n = self.num_consts
        if any(batched[:n]):
            raise NotImplementedError(
                f"fungrad.custom_batching.custom_vmap: {self.name} closes over a value that is mapped here, which its "
                "rule does not get; pass the value to the function as an argument"
            )
        arguments = tree.unflatten(self.in_tree, args[n:])
        flags = tree.unflatten(self.in_tree, list(batched[n:]))
        result = self.fun(size, list(flags), *arguments)
        rule = f"the vmap rule {function_name(self.fun)} of {self.name}"
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise TypeError(
                f"fungrad.custom_batching.custom_vmap: {rule} must return a pair (output, out_batched), got "
                f"{type(result).__name__}"
            )
        outs, out_tree = flat_arrays(result[0], "custom_batching.custom_vmap", f"the output of {rule}: output")
        out_batched, flags_tree = tree.flatten(result[1])
        if out_tree != flags_tree:
            raise ValueError(
                f"fungrad.custom_batching.custom_vmap: structure of output value and output batching specification "
                f"returned by {rule} do not match: {structure_text(out_tree)} and {structure_text(flags_tree)}"
            )
        if out_tree != self.out_tree:
            raise ValueError(
                f"fungrad.custom_batching.custom_vmap: structure of output returned by {rule} does not match that of "
                f"the original function: {structure_text(out_tree)}, and {structure_text(self.out_tree)} is expected"
            )
        return outs, [bool(b) for b in out_batched]


@dataclass(frozen=True)
class _JvpOfRule:
    """The derivative of a rule: operands are primals and, where ``nonzero``, tangents; results are both."""

    rule: Any
    nonzero: tuple[bool, ...]

    def __call__(self, size: int, batched: Sequence[bool], args: Sequence[Any]) -> tuple[list[Any], list[bool]]:
        n = len(self.nonzero)
        where = [i for i, on in enumerate(self.nonzero) if on]
        # A value and its tangent have one type, so they are mapped alike.
        either = list(batched[:n])
        for i, b in zip(where, batched[n:], strict=True):
            either[i] = either[i] or b
        wanted = [*either, *[either[i] for i in where]]
        args = [
            batch_to(x, None, 0, size) if w and not b else x for x, b, w in zip(args, batched, wanted, strict=True)
        ]
        out_batched: list[bool] = []

        def fun(*active: Any) -> list[Any]:
            values = list(args[:n])
            for i, x in zip(where, active, strict=True):
                values[i] = x
            outs, flags = self.rule(size, either, values)
            out_batched[:] = flags
            return outs

        outs, tangents = jvp_flat(fun, [args[i] for i in where], args[n:], f"jvp of the vmap rule of {self.name}")
        return [*outs, *map(instantiate, tangents)], [*out_batched, *out_batched]

    @property
    def name(self) -> str:
        """Of the function."""
        return self.rule.name  # type: ignore[no-any-return]


class CustomVmapCall(CustomCall):
    """Call of a function with a rule for ``vmap``."""

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, call_jaxpr: Jaxpr, rule: Any, name: str, **_: Any
    ) -> tuple[Any, Any]:
        nonzero = tuple([type(t) is not Zero for t in tangents])
        both, _nonzero = jvp_jaxpr(call_jaxpr, nonzero, instantiate_out=True)
        outs = self.bind(
            *both.consts,
            *primals,
            *[t for t in tangents if type(t) is not Zero],
            call_jaxpr=both.with_consts_as_inputs(),
            rule=_WithConsts(_JvpOfRule(rule, nonzero), len(both.consts)),
            name=name,
        )
        n = len(call_jaxpr.outvars)
        return outs[:n], outs[n:]

    def linearize(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, call_jaxpr: Jaxpr, **params: Any
    ) -> tuple[Any, Any]:
        forward, linear, where, out_nonzero = linearize_jaxpr(call_jaxpr, [type(t) is not Zero for t in tangents])
        results = eval_jaxpr(forward, forward.consts, *primals)
        n = len(call_jaxpr.outvars)
        # The rule decides what the result is where it is mapped; the residuals are those of the function.
        outs = self.bind(*primals, call_jaxpr=call_jaxpr, **params)
        known, new = [*primals, *results[:n]], iter(results[n:])
        residuals = [next(new) if w is None else known[w] for w in where]
        given = [t for t in tangents if type(t) is not Zero]
        made = iter(eval_jaxpr(linear, linear.consts, *residuals, *given))
        return outs, [
            next(made) if on else Zero(x.aval.tangent()) for on, x in zip(out_nonzero, call_jaxpr.outvars, strict=True)
        ]

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], *, rule: Any, call_jaxpr: Jaxpr, **_: Any
    ) -> tuple[Any, Any]:
        front = [x if d is None else batch_to(x, d, 0, axis) for x, d in zip(args, dims, strict=True)]
        outs, batched = rule(axis.size, [d is not None for d in dims], front)
        for x, on, aval in zip(outs, batched, call_jaxpr.out_avals, strict=True):
            expected = (axis.size, *aval.shape) if on else aval.shape
            if x.aval.shape != expected or x.aval.dtype != aval.dtype:
                raise ValueError(
                    f"fungrad.custom_batching.custom_vmap: the vmap rule of {rule.name} returned "
                    f"{x.aval.str_short()} where the function returns {aval.str_short()}; for a result that is "
                    f"{'' if on else 'not '}batched the rule must return {aval.update(shape=expected).str_short()}"
                )
        return outs, [0 if on else None for on in batched]

    def printed_params(self, params: dict[str, Any]) -> dict[str, Any]:
        """The parameters that say something."""
        return {k: params[k] for k in ("name", "call_jaxpr")}


@dataclass(frozen=True)
class _WithConsts:
    """A rule behind leading operands that are constants of the derivative, which nobody maps."""

    rule: Any
    num_consts: int

    def __call__(self, size: int, batched: Sequence[bool], args: Sequence[Any]) -> tuple[list[Any], list[bool]]:
        return self.rule(size, batched[self.num_consts :], args[self.num_consts :])  # type: ignore[no-any-return]

    @property
    def name(self) -> str:
        """Of the function."""
        return self.rule.name  # type: ignore[no-any-return]


custom_vmap_call_p = CustomVmapCall("custom_vmap_call")


@api_class
class custom_vmap:  # noqa: N801 - a decorator, and JAX's name
    """A function whose behaviour under ``vmap`` is given by a rule.

    The rule is used wherever the function is mapped, also inside ``jit`` and loops, and is mapped itself where maps are
    nested. Forward mode differentiates the function, and where it is mapped the rule. So does ``grad`` of a mapped
    function; ``vmap`` of a gradient takes the derivative of the function. A rule for reverse mode can be put around it
    with ``custom_vjp``.

    Args:
      fun: the function of one example. Works as a decorator.

    Raises:
      AttributeError: the function is called before ``def_vmap``.
      ValueError: the rule returns trees or types that do not fit the function.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> @fungrad.custom_batching.custom_vmap
      ... def f(x, y):
      ...   return x + y
      >>> @f.def_vmap
      ... def rule(axis_size, in_batched, xs, ys):
      ...   return xs * ys, True
      >>> fungrad.vmap(f)(jnp.arange(3), jnp.arange(1, 4))
      Array([0, 2, 6], dtype=int32)
    """

    def __init__(self, fun: Callable[..., Any]):
        check_callable(fun, "custom_batching.custom_vmap")
        functools.update_wrapper(self, fun)
        self.fun = fun
        self.vmap_rule: Callable[..., Any] | None = None

    def __getattr__(self, name: str) -> Any:
        # Rules of other kinds, for a function that has some.
        if name in ("defjvp", "defjvps", "defvjp") and hasattr(self.__dict__.get("fun"), name):
            return getattr(self.fun, name)
        raise AttributeError(f"'custom_vmap' object has no attribute {name!r}")

    def def_vmap(self, vmap_rule: Callable[..., Any]) -> Callable[..., Any]:
        """Declares the rule.

        Args:
          vmap_rule: ``vmap_rule(axis_size, in_batched, *args) -> (output, out_batched)``. ``in_batched`` is a list with
            a tree of booleans for every argument. Arguments that are batched have the batch in axis 0, and so must
            results; ``out_batched`` is a tree of booleans like the output.

        Returns:
          ``vmap_rule``, so that this can be a decorator.
        """
        check_callable(vmap_rule, "custom_batching.custom_vmap.def_vmap")
        self.vmap_rule = vmap_rule
        return vmap_rule

    @api_boundary
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = function_name(self.fun)
        if self.vmap_rule is None:
            raise AttributeError(
                "fungrad.custom_batching.custom_vmap: No batching rule defined for custom_vmap function "
                f"{name} using def_vmap."
            )
        if kwargs:
            args = self._resolved(args, kwargs, name)
        if state.trace is EVAL:
            return self.fun(*args)
        leaves, in_tree = flat_arrays(args, "custom_batching.custom_vmap", f"an argument of {name}: args")
        debug = debug_info(self.fun, args, {}, "custom_batching.custom_vmap")
        whole = tree.structure((args, {}))
        jaxpr, out_tree = trace_tree(self.fun, whole, [x.aval for x in leaves], debug)
        outs = custom_vmap_call_p.bind(
            *jaxpr.consts,
            *leaves,
            call_jaxpr=jaxpr.with_consts_as_inputs(),
            rule=_Rule(name, self.vmap_rule, len(jaxpr.consts), in_tree, out_tree),
            name=name,
        )
        return tree.unflatten(out_tree, outs)

    def _resolved(self, args: tuple, kwargs: dict[str, Any], name: str) -> tuple:
        """All arguments by position, as the rule takes them."""
        try:
            bound = inspect.signature(self.fun).bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(
                f"The input arguments to the custom_vmap-decorated function {name} could not be resolved to "
                f"positional-only arguments. Binding failed with the error: {error}"
            ) from None
        bound.apply_defaults()
        if bound.kwargs:
            raise TypeError(
                f"fungrad.custom_batching.custom_vmap: arguments of {name} must have positions, since its rule takes "
                f"them by position, but {', '.join(bound.kwargs)} can be given by keyword only"
            )
        return bound.args

    def __repr__(self) -> str:
        return f"<custom_vmap of {function_name(self.fun)}>"
