"""Run-time checks: the primitive ``check``, and the transformation that turns checks into values.

A failed ``check`` raises. Compiled code cannot raise, so a function with checks is *functionalised*
first: its checks become an error code, 0 or the number of the first check that failed, and the values
that the message of each check needs. Both are ordinary values. They go through loops as carries and
through branches as results, are compiled and fused like everything else, and whoever called the
function looks at the code: a compiled program raises, ``checkify`` hands it to the user.

The code is made by the ``checked`` rules of primitives that contain jaxprs.

May import ``core``, ``ops`` and the trace modules of ``transforms``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fungrad.core import tree
from fungrad.core.array import wrap_unchecked
from fungrad.core.avals import ShapedArray
from fungrad.core.context import EVAL, AnonymousAxis, AxisData, running, state
from fungrad.core.ir import Atom, Jaxpr, Literal, Var, jaxprs_in_params
from fungrad.core.primitive import Primitive
from fungrad.core.source import Source, attributed
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.core.treedef import PyTreeDef
from fungrad.errors import DivisionByZeroError, NaNError, OOBError, RuntimeCheckError
from fungrad.ops.cast import convert_element_type, stop_gradient
from fungrad.ops.compare import ne, select
from fungrad.ops.dynamic import dynamic_index_in_dim
from fungrad.ops.elementwise import add
from fungrad.ops.foundation import move_dim
from fungrad.ops.reduce import argmax

Kinds = frozenset[type[RuntimeCheckError]]

# Every check that is written in the program; the automatic ones are those that functionalising adds to operations.
EVERY: Kinds = frozenset({RuntimeCheckError})
AUTOMATIC_KINDS: Kinds = frozenset({NaNError, OOBError, DivisionByZeroError})


class Site(NamedTuple):
    """A place in the program that can fail.

    Attributes:
      error: class of the exception.
      message: format of its text.
      structure: of the arguments of the format, ``(args, kwargs)``.
      static: arguments that are no arrays, by their number among the leaves.
      source: line of the user's code.
      places: the lanes and iterations in which it stands, outermost first, such as
        ``step {} of scan``; the number of each is a value in front of those of the message.
    """

    error: type[RuntimeCheckError]
    message: str
    structure: PyTreeDef
    static: tuple[tuple[int, Any], ...] = ()
    source: Source | None = None
    places: tuple[str, ...] = ()

    @property
    def num_values(self) -> int:
        """How many values the exception is made of."""
        return len(self.places) + self.structure.num_leaves - len(self.static)

    def within(self, place: str) -> Site:
        """The site seen from outside of a loop or a batch: it has one more leading value."""
        return self._replace(places=(place, *self.places))

    def exception(self, values: Sequence[np.ndarray]) -> RuntimeCheckError:
        """The exception for a failure with these values."""
        numbers, given = values[: len(self.places)], iter(values[len(self.places) :])
        static = dict(self.static)
        leaves = []
        for i in range(self.structure.num_leaves):
            if i in static:
                leaves.append(static[i])
            else:
                x = np.asarray(next(given))
                leaves.append(wrap_unchecked(x, ShapedArray(x.shape, x.dtype)))
        args, kwargs = tree.unflatten(self.structure, leaves)
        with running(EVAL):
            text = self.message.format(*args, **kwargs)
        where = [place.format(int(n)) for place, n in zip(self.places, numbers, strict=True)]
        error = self.error(f"{text} (in {', '.join(where)})" if where else text)
        if self.source is not None:
            error.add_note(f"The check is at {self.source}.")
        return error


Sites = tuple[Site, ...]


def failure(code: int, payload: Sequence[Any], sites: Sequence[Site]) -> RuntimeCheckError:
    """The exception of a functionalised program that returned ``code``, which is not 0."""
    start = sum(s.num_values for s in sites[: code - 1])
    site = sites[code - 1]
    return site.exception(payload[start : start + site.num_values])


# -- the primitive -------------------------------------------------------------------------------


class Check(Primitive):
    """Raises the exception of site ``code - 1`` unless the code, an int32 scalar, is 0.

    The other operands are the values of all sites, in order.
    """

    multiple_results = True
    has_effects = True

    def abstract(self, avals: tuple[ShapedArray, ...], params: dict[str, Any]) -> Any:
        # Not memoised: the memo would keep the values in messages alive.
        return self.abstract_eval(*avals, **params)

    def abstract_eval(self, code: ShapedArray, *avals: ShapedArray, sites: Sites) -> tuple:
        if code.shape or code.dtype != np.int32 or len(avals) != sum(s.num_values for s in sites):
            raise TypeError(f"check: expected a code of type i32[] and the values of {sites}")
        return ()

    def impl(self, code: np.ndarray, *payload: np.ndarray, sites: Sites) -> list:
        if code:
            raise failure(int(code), payload, sites)
        return []

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        return self.bind(*primals, **params), []

    def transpose(self, cts: Any, *args: Any, **_: Any) -> Sequence[Any]:
        # Values of a linear function do not exist while it is transposed: there is nothing to check.
        return [None] * len(args)

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], *, sites: Sites
    ) -> tuple[Any, Any]:
        if axis.size:
            code, payload, sites = first_lane(axis, args, dims, sites)
            self.bind(code, *payload, sites=sites)
        return [], []

    def bind_when(self, condition: Any, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        return self.bind(select(condition, args[0], np.int32(0)), *args[1:], **params)

    def checked(self, errors: Errors, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        """What ``errors`` collects becomes part of it, the rest stays a check."""
        sites = params["sites"]
        collected = np.array([collects(errors.kinds, s) for s in sites])
        if collected.all():
            errors.merge(args[0], sites, args[1:])
            return []
        if not collected.any():
            return self.bind(*args, **params)
        is_ours = dynamic_index_in_dim(np.insert(collected, 0, False), args[0], 0, False)
        errors.merge(select(is_ours, args[0], np.int32(0)), sites, args[1:])
        return self.bind(select(is_ours, np.int32(0), args[0]), *args[1:], **params)


check_p = Check("check")


class DebugCheck(Check):
    """A check that only ``checkify`` makes: wherever else the program runs there is nothing to do."""

    def impl(self, code: np.ndarray, *payload: np.ndarray, sites: Sites) -> list:
        return []

    def lower(self, ctx: Any, *args: Any, sites: Sites) -> list:
        return []

    def checked(self, errors: Errors, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        return [] if errors.kinds == EVERY else super().checked(errors, args, params)


debug_check_p = DebugCheck("debug_check")


def first_lane(
    axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], sites: Sites
) -> tuple[Any, list[Any], Sites]:
    """Code, values and sites of the first example of a batch in which something failed."""
    code, payload = args[0], args[1:]
    lane: Any = np.int32(0)
    if dims[0] is not None:
        lane = argmax(ne(code, np.int32(0)), 0, np.int32)
        code = dynamic_index_in_dim(code, lane, 0, False)
    given = iter(
        [
            x if d is None else dynamic_index_in_dim(move_dim(x, d, 0), lane, 0, False)
            for x, d in zip(payload, dims[1:], strict=True)
        ]
    )
    named = not isinstance(axis.name, AnonymousAxis)
    place = "lane {} of vmap" + (f" over {axis.name!r}" if named else "")
    return code, _with_number(lane, sites, given), tuple([s.within(place) for s in sites])


def _with_number(number: Any, sites: Sequence[Site], payload: Any) -> list[Any]:
    """Values with the number of a lane or iteration in front of those of each site."""
    given = iter(payload)
    return [x for s in sites for x in (number, *[next(given) for _ in range(s.num_values)])]


# Checks that ``checkify`` adds to primitives, by name: the class of errors, and a function of the collected errors, the
# primitive, its operands, parameters and results.
AUTOMATIC: dict[str, list[tuple[type[RuntimeCheckError], Callable[..., None]]]] = {}


def collects(kinds: Kinds, site: Site) -> bool:
    """Whether errors of the site's class are collected."""
    return any(issubclass(site.error, k) for k in kinds)


def automatic_checks(primitive: Primitive, kinds: Kinds) -> list[Callable[..., None]]:
    """The checks of these kinds that a primitive gets."""
    return [rule for error, rule in AUTOMATIC.get(primitive.name, ()) if error in kinds]


# -- collecting errors -----------------------------------------------------------------------------


class Errors:
    """What has failed so far in a function that is being functionalised.

    Attributes:
      kinds: the classes of errors that are collected; other checks stay as they are.
      code: None as long as there is no check, else 0 or the number of the site that failed first.
      sites: what can fail.
      payload: their values, in order.
    """

    def __init__(self, kinds: Kinds):
        self.kinds = kinds
        self.code: Any = None
        self.sites: list[Site] = []
        self.payload: list[Any] = []

    def fail(self, failed: Any, site: Site, values: Sequence[Any]) -> None:
        """Adds a check: ``failed`` is a boolean scalar."""
        self.merge(convert_element_type(failed, np.int32), (site,), values)

    def merge(self, code: Any, sites: Sequence[Site], payload: Sequence[Any]) -> None:
        """Adds the checks of a functionalised part, which ran after those that are known."""
        payload = [stop_gradient(x) for x in payload]
        if self.code is None:
            self.code = code
        else:
            zero = np.int32(0)
            later = select(ne(code, zero), add(code, np.int32(len(self.sites))), zero)
            self.code = select(ne(self.code, zero), self.code, later)
        self.sites += sites
        self.payload += payload

    def outputs(self) -> list[Any]:
        """Code and values; call only if there are sites."""
        return [self.code, *self.payload]

    def bind(self) -> None:
        """Turns what has been collected back into a check that raises."""
        if self.sites:
            check_p.bind(self.code, *self.payload, sites=tuple(self.sites))


class Numbered(NamedTuple):
    """The functionalised body of a loop, whose error names the iteration.

    Attributes:
      sites: as seen from outside of the loop.
      avals: types of code and values, which the loop carries.
    """

    sites: Sites
    avals: list[ShapedArray]

    @staticmethod
    def of(checked: Checked, place: str) -> Numbered:
        """For a body and the name of its iterations."""
        code, *payload = checked.error_avals
        number = ShapedArray((), np.dtype(np.int32))
        avals = _with_number(number, checked.sites, payload)
        return Numbered(tuple([s.within(place) for s in checked.sites]), [code, *[a.strip_weak_type() for a in avals]])

    def updated(self, before: Sequence[Any], new: Sequence[Any], number: Any, sites: Sites) -> list[Any]:
        """The carried error after an iteration that made ``new``; the first failure stays."""
        code, *payload = new
        failed = ne(before[0], np.int32(0))
        now = [code, *_with_number(number, sites, payload)]
        return [
            select(failed, old, convert_element_type(x, old.aval.dtype)) for old, x in zip(before, now, strict=True)
        ]


class Checked(NamedTuple):
    """A functionalised jaxpr.

    Attributes:
      jaxpr: from the inputs to the results, the code, and the values of all sites; may have constants.
      sites: what can fail.
      num_results: how many results come before the code.
    """

    jaxpr: Jaxpr
    sites: Sites
    num_results: int

    @property
    def error_avals(self) -> tuple[ShapedArray, ...]:
        """Types of code and values."""
        return self.jaxpr.out_avals[self.num_results :]

    def split(self, outs: Sequence[Any], errors: Errors) -> list[Any]:
        """The results among ``outs``; the rest goes to ``errors``."""
        code, *payload = outs[self.num_results :]
        errors.merge(code, self.sites, payload)
        return list(outs[: self.num_results])


def check_jaxpr(jaxpr: Jaxpr, kinds: Kinds) -> Checked | None:
    """Functionalises a jaxpr without constants; None if it has no checks of these kinds."""
    if not needs_checks(jaxpr, kinds):
        return None
    key = ("checked", kinds, state.axis_env)
    if key not in jaxpr.memo:
        jaxpr.memo[key] = _functionalised(jaxpr, kinds)
    return jaxpr.memo[key]


def _functionalised(jaxpr: Jaxpr, kinds: Kinds) -> Checked | None:
    sites: list[Site] = []

    def fun(*args: Any) -> list[Any]:
        errors = Errors(kinds)  # it holds tracers, which must not outlive this
        outs = eval_checked(jaxpr, errors, (), *args)
        sites[:] = errors.sites
        return [*outs, *errors.outputs()] if errors.sites else outs

    name = jaxpr.debug.fun_name if jaxpr.debug else "jaxpr"
    staged = trace_flat(fun, jaxpr.in_avals, DebugInfo(name, (), "checkify"))
    if not sites:
        return None
    return Checked(staged, tuple(sites), len(jaxpr.outvars))


def needs_checks(jaxpr: Jaxpr, kinds: Kinds) -> bool:
    """Whether a jaxpr has checks of some of these kinds."""
    if not jaxpr.has_effects and not kinds & AUTOMATIC_KINDS:
        return False
    key = ("needs checks", kinds)
    if key not in jaxpr.memo:
        jaxpr.memo[key] = any(_eqn_needs_checks(e.primitive, e.params, kinds) for e in jaxpr.eqns)
    return jaxpr.memo[key]


def _eqn_needs_checks(primitive: Primitive, params: dict[str, Any], kinds: Kinds) -> bool:
    if primitive is debug_check_p and kinds == EVERY:
        return False
    if isinstance(primitive, Check):
        return any(collects(kinds, s) for s in params["sites"])
    if automatic_checks(primitive, kinds):
        return True
    return any(needs_checks(j, kinds) for j in jaxprs_in_params(params))


def eval_checked(jaxpr: Jaxpr, errors: Errors, consts: Sequence[Any], *args: Any) -> list[Any]:
    """Applies a jaxpr in the current context and collects its errors."""
    env: dict[Var, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    env.update(zip(jaxpr.invars, args, strict=True))

    def read(a: Atom) -> Any:
        return a.array if isinstance(a, Literal) else env[a]

    for eqn in jaxpr.eqns:
        with attributed(eqn.source):
            out = apply_checked(eqn.primitive, errors, [read(a) for a in eqn.invars], eqn.params)
        if eqn.primitive.multiple_results:
            env.update(zip(eqn.outvars, out, strict=True))
        else:
            env[eqn.outvars[0]] = out
    return [read(a) for a in jaxpr.outvars]


def apply_checked(primitive: Primitive, errors: Errors, args: Sequence[Any], params: dict[str, Any]) -> Any:
    """Applies a primitive in the current context and collects its errors."""
    if primitive.has_rule("checked"):
        if isinstance(primitive, Check) or any(needs_checks(j, errors.kinds) for j in jaxprs_in_params(params)):
            return primitive.checked(errors, args, params)
    elif any(needs_checks(j, errors.kinds - AUTOMATIC_KINDS) for j in jaxprs_in_params(params)):
        raise NotImplementedError(
            f"fungrad.debug.check: the function given to {primitive.name} contains a check, which "
            "cannot be reported from there; check its arguments or its result instead"
        )
    out = primitive.bind(*args, **params)
    for rule in automatic_checks(primitive, errors.kinds):
        rule(errors, primitive, args, params, out if primitive.multiple_results else [out])
    return out


def checked_call(jaxpr: Jaxpr, errors: Errors, args: Sequence[Any], call: Any) -> list[Any]:
    """The ``checked`` rule of a call: ``call(jaxpr, args)`` of the functionalised jaxpr."""
    checked = check_jaxpr(jaxpr, errors.kinds)
    if checked is None:
        return call(jaxpr, args)
    return checked.split(call(checked.jaxpr, args), errors)


def without_checks(jaxpr: Jaxpr, kinds: Kinds) -> Jaxpr:
    """A jaxpr less those of its checks that are collected."""
    checked = check_jaxpr(jaxpr, kinds - AUTOMATIC_KINDS)
    if checked is None:
        return jaxpr
    return checked.jaxpr.replace(outvars=checked.jaxpr.outvars[: checked.num_results])


def recharged(primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
    """Applies a loop or branch so that the checks in it come after it, as one that raises."""
    errors = Errors(EVERY)
    outs = primitive.checked(errors, args, params)
    errors.bind()
    return outs
