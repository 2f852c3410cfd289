"""``Primitive`` of ``fungrad.extend.core``: primitives whose rules are registered functions, as JAX's are.

Rules may be methods of a subclass (see `fungrad.extend`), or functions: ``def_impl`` and ``def_abstract_eval`` here,
the registries of ``fungrad.interpreters`` for derivatives, batching and code. Either way they end up as the rules of
``core.primitive.Primitive``, so that there is one kind of primitive for the rest of the library.

May import ``core``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.core import primitive as _core
from fungrad.core.array import Array, as_array, wrap_unchecked
from fungrad.core.avals import ShapedArray
from fungrad.core.context import EVAL, running, state
from fungrad.core.ir import Jaxpr
from fungrad.core.staging import DebugInfo, trace_flat

# So many expansions are kept per primitive; emptied when full.
_KNOWN_LIMIT = 256


class Opaque:
    """A parameter that does not hash, as one that equals only itself."""

    __slots__ = ("value",)

    def __init__(self, value: Any):
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return type(other) is Opaque and other.value is self.value

    def __repr__(self) -> str:
        return repr(self.value)


def _closed(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return Opaque(value)
    return value


def opened(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters as the user gave them."""
    return {name: value.value if type(value) is Opaque else value for name, value in params.items()}


# What JAX calls a rule that is missing, by the method here.
_RULES = {
    "impl": "Evaluation rule",
    "abstract_eval": "Abstract evaluation",
    "jvp": "Differentiation rule",
    "transpose": "Transpose rule (for reverse-mode differentiation)",
    "batch": "Batching rule",
}
_REGISTERED = {
    "impl": "def_impl",
    "abstract_eval": "def_abstract_eval",
    "jvp": "fungrad.interpreters.ad.primitive_jvps",
    "transpose": "fungrad.interpreters.ad.primitive_transposes",
    "batch": "fungrad.interpreters.batching.primitive_batchers",
}


class _AnyPrimitive(type):
    """Every primitive is an instance of ``Primitive``, also those of the library, whose class is its base."""

    def __instancecheck__(cls, instance: Any) -> bool:
        kind = _core.Primitive if cls is Primitive else cls
        return kind in type(instance).__mro__


class Primitive(_core.Primitive, metaclass=_AnyPrimitive):
    """An operation of one's own, with the rules that it needs.

    Rules are registered as in JAX: ``def_impl`` evaluates, ``def_abstract_eval`` gives the type of the result, and
    ``fungrad.interpreters`` has the registries ``ad.primitive_jvps``, ``ad.primitive_transposes``,
    ``batching.primitive_batchers`` and ``mlir.register_lowering``. A function registered with ``mlir.lower_fun``
    becomes part of compiled programs; without it they call the implementation. Or the rules are methods of a subclass.

    Parameters of ``bind`` are static. One that does not hash equals only itself.

    Attributes:
      name: as printed in jaxprs.
      multiple_results: whether ``bind`` returns a list; set it before the first use.

    Example:
      >>> import numpy as np, fungrad, fungrad.numpy as jnp
      >>> from fungrad.extend.core import Primitive
      >>> from fungrad.interpreters import ad
      >>> cube_p = Primitive("doc_cube")
      >>> _ = cube_p.def_impl(lambda x: x**3)
      >>> _ = cube_p.def_abstract_eval(lambda x: x)
      >>> ad.defjvp(cube_p, lambda t, x: 3 * x**2 * t)
      >>> fungrad.jit(fungrad.grad(cube_p.bind))(2.0)
      Array(12., dtype=float32, weak_type=True)
    """

    expansion: Callable[..., Jaxpr | None] | None = None

    def bind(self, *args: Any, **params: Any) -> Any:
        """Applies the primitive to arrays, tracers and numbers; parameters are static."""
        operands = [as_array(x, f"operand of {self.name}") for x in args]
        closed = {name: _closed(value) for name, value in params.items()}
        if state.trace is EVAL and not self.has_rule("abstract_eval") and self.has_rule("impl"):
            # As in JAX, what is only evaluated needs no rule for types.
            out = self.impl(*[x._concrete(self.name) for x in operands], **closed)
            outs = [wrap_unchecked(x, ShapedArray(x.shape, x.dtype)) for x in (out if self.multiple_results else [out])]
            return outs if self.multiple_results else outs[0]
        return super().bind(*operands, **closed)

    def process_in(self, trace: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
        return trace.process_primitive(self, args, opened(params))

    def def_impl(self, impl: Callable[..., Any]) -> Callable[..., Any]:
        """Registers ``impl(*arrays, **params)``, which returns an array (a sequence if ``multiple_results``).

        Returns:
          ``impl``, so that this serves as a decorator.
        """

        def run(*operands: np.ndarray, **params: Any) -> Any:
            arrays = [wrap_unchecked(x, ShapedArray(x.shape, x.dtype)) for x in operands]
            with running(EVAL):
                out = impl(*arrays, **opened(params))
                if self.multiple_results:
                    return [as_array(x)._concrete(self.name) for x in out]
                return as_array(out)._concrete(self.name)

        self.impl = run  # type: ignore[method-assign]
        return impl

    def def_abstract_eval(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Registers ``rule(*avals, **params)``, which returns the aval of the result (a sequence of them).

        Returns:
          ``rule``.
        """

        def types(*avals: ShapedArray, **params: Any) -> Any:
            out = rule(*avals, **opened(params))
            return [_aval(a) for a in out] if self.multiple_results else _aval(out)

        self.abstract_eval = types  # type: ignore[method-assign]
        return rule

    def def_effectful_abstract_eval(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """As ``def_abstract_eval``, for a rule that returns the avals and a set of effects.

        A primitive that has had an effect once runs even if its results are unused.
        """

        def types(*avals: ShapedArray, **params: Any) -> Any:
            out, effects = rule(*avals, **opened(params))
            if effects:
                self.has_effects = True
            return [_aval(a) for a in out] if self.multiple_results else _aval(out)

        self.abstract_eval = types  # type: ignore[method-assign]
        return rule

    def define_expansion(self, fun: Callable[..., Any], multiple_results: bool) -> None:
        """Lets compiled programs contain ``fun(*args, **params)`` in the place of the primitive."""

        known: dict[Any, Jaxpr | None] = {}

        def expand(avals: tuple[ShapedArray, ...], params: dict[str, Any]) -> Jaxpr | None:
            key = (avals, *params.items())
            if key not in known:
                if len(known) >= _KNOWN_LIMIT:
                    known.clear()
                known[key] = traced(avals, params)
            return known[key]

        def traced(avals: tuple[ShapedArray, ...], params: dict[str, Any]) -> Jaxpr | None:
            def flat(*args: Any) -> Sequence[Any]:
                out = fun(*args, **opened(params))
                return [as_array(x) for x in out] if multiple_results else [as_array(out)]

            with running(EVAL):
                jaxpr = trace_flat(flat, avals, DebugInfo(self.name, (), "jit"))
            expected = self.abstract(avals, params)
            for a, b in zip(jaxpr.out_avals, expected if multiple_results else (expected,), strict=True):
                if (a.shape, a.dtype) != (b.shape, b.dtype):
                    raise TypeError(
                        f"primitive {self.name!r}: the function registered for compiled programs returns "
                        f"{a.str_short()} where def_abstract_eval announces {b.str_short()}"
                    )
            # Arrays that the function refers to have no place in the program: then the implementation is called.
            return None if jaxpr.consts else jaxpr

        self.expansion = expand

    def _missing(self, method: str, purpose: str) -> NotImplementedError:
        if method not in _RULES or type(self) is not Primitive:
            return super()._missing(method, purpose)
        return NotImplementedError(
            f"{_RULES[method]} for '{self.name}' not implemented; {purpose} needs it: register it with "
            f"{_REGISTERED[method]}"
        )


def _aval(x: Any) -> ShapedArray:
    """What a rule returned, a ``ShapedArray`` or something with a shape and a dtype, as an aval."""
    if isinstance(x, ShapedArray):
        return x
    if isinstance(x, Array):
        return x.aval
    return ShapedArray(tuple(x.shape), x.dtype, bool(getattr(x, "weak_type", False)))
