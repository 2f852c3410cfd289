"""What public functions say when they are called with wrong arguments.

A facade module hands its functions to ``guard``. A guarded function checks nothing in advance: when an error leaves it
that is not worded for the caller (Python's, NumPy's, or one of a function further inside), the arguments are compared
with the annotations of its signature, and the first that does not fit is named. So a right call pays for one more
Python frame, and a signature is the only place that says what an argument may be.

``index`` and its relatives are for what would be accepted silently, or be found out too late.

May import ``core`` and the error classes.
"""

from __future__ import annotations

import functools
import inspect
import math
import numbers
import operator
import re
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

import numpy as np
import optree

from fungrad.config import config
from fungrad.core.array import Array, is_array_like, typeof
from fungrad.core.avals import ShapedArray
from fungrad.core.dimensions import is_symbolic
from fungrad.core.scalar_types import canonicalize_dtype
from fungrad.core.source import filter_exception, is_below, is_ours
from fungrad.errors import (
    ConcretizationTypeError,
    FungradTypeError,
    InconclusiveDimensionOperation,
    RankPromotionError,
    RuntimeCheckError,
    TracerArrayConversionError,
    TracerIntegerConversionError,
    TypePromotionError,
    UnboundAxisNameError,
)

# -- checks in advance -------------------------------------------------------------------------------------------------


def index(api: str, name: str, value: Any, least: int | None = None) -> int:
    """``value`` as a Python int.

    Args:
      api: full name of the public function.
      name: the argument.
      value: what came.
      least: the least allowed value; None for any.

    Raises:
      TypeError: it is not an integer.
      ValueError: it is less than ``least``.
    """
    try:
        found = operator.index(value)
    except FungradTypeError:
        raise
    except TypeError:
        raise TypeError(f"{api}: {name} must be an integer, got {shown(value)}{_whole(value)}") from None
    if least is not None and found < least:
        raise ValueError(f"{api}: {name} must be at least {least}, got {found}")
    return found


def integers(api: str, name: str, value: Any, least: int | None = None) -> tuple[int, ...]:
    """An integer or a sequence of integers as a tuple; the errors are those of ``index``."""
    if _is_index(value):
        return (index(api, name, value, least),)
    elements = _elements(value)
    if elements is None or not all(map(_is_index, elements)):
        raise TypeError(f"{api}: {name} must be an integer or a sequence of integers, got {shown(value)}")
    return tuple([index(api, name, v, least) for v in elements])


def sizes(api: str, name: str, value: Any) -> tuple[Any, ...]:
    """``integers`` for a shape, whose sizes may be symbolic."""
    if is_symbolic(value):
        return (value,)
    if isinstance(value, (tuple, list)) and any(map(is_symbolic, value)):
        return tuple([d if is_symbolic(d) else index(api, name, d, 0) for d in value])
    return integers(api, name, value, least=0)


def _whole(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return f"; write {int(value)}, or convert it with int"
    return ""


def function(api: str, name: str, value: Any) -> None:
    """Checks that an argument can be called.

    Raises:
      TypeError: it cannot.
    """
    if not callable(value):
        raise TypeError(f"{api}: {name} must be a function, got {shown(value)}")


def number(api: str, name: str, value: Any) -> None:
    """Checks that an argument is a real number: of Python, of NumPy, or a 0-d array, traced or not.

    Raises:
      TypeError: it is not.
    """
    if not _is_number(value):
        raise TypeError(f"{api}: {name} must be a real number, got {shown(value)}")


def shown(value: Any) -> str:
    """A value and its type, for a message."""
    if value is None:
        return "None"
    if isinstance(value, Array):
        return f"an array of type {value.aval.str_short()}"
    if isinstance(value, np.ndarray):
        return f"an array of type {value.dtype.name}{list(value.shape)}"
    return f"{brief(value, 80)} of type {type(value).__name__}"


def brief(value: Any, length: int = 60) -> str:
    """A value for a message, in about ``length`` letters: arrays, also those in it, by their types."""
    if type(value) in (tuple, list) and len(value) <= 4:
        inner = ", ".join([brief(v, length) for v in value])
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if type(value) is dict and len(value) <= 4:
        return f"{{{', '.join([f'{k!r}: {brief(v, length)}' for k, v in value.items()])}}}"
    if isinstance(value, slice):
        return f"slice({', '.join([brief(v, length) for v in (value.start, value.stop, value.step)])})"
    if isinstance(value, Array):
        return value.aval.str_short()
    if isinstance(value, np.ndarray):
        return ShapedArray.__repr__(ShapedArray(value.shape, value.dtype)) if value.dtype.kind in "biufc" else "ndarray"
    text = repr(value)
    return text if len(text) <= length else text[: length - 3] + "..."


# -- annotations -------------------------------------------------------------------------------------------------------


def _is_index(value: Any) -> bool:
    try:
        operator.index(value)
    except (FungradTypeError, InconclusiveDimensionOperation):
        return True
    except TypeError:
        return False
    return True


def _is_number(value: Any) -> bool:
    if isinstance(value, numbers.Real):
        return True
    return isinstance(value, (Array, np.ndarray, np.generic)) and value.dtype.kind in "biufV" and not value.dtype.names


def _is_flag(value: Any) -> bool:
    if isinstance(value, (bool, int, np.bool_)):
        return True
    return isinstance(value, (Array, np.ndarray)) and not value.shape and value.dtype.kind in "biu"


def _elements(value: Any) -> list[Any] | None:
    """The elements of a sequence (or a one-dimensional array), None if it is none."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, (Iterable, Array)):
        return None
    if isinstance(value, (Array, np.ndarray)) and len(value.shape) != 1:
        return None
    try:
        return list(value)
    except (TypeError, FungradTypeError):
        return None


def _all(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def every(value: Any) -> bool:
        elements = _elements(value)
        return elements is not None and all(map(check, elements))

    return every


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _is_dtype(value: Any) -> bool:
    if isinstance(value, (tuple, list, set, frozenset)):
        return True  # groups of dtypes
    try:
        canonicalize_dtype(value, "")
    except TypeError:
        return False
    return True


def _is_array(value: Any) -> bool:
    return isinstance(value, (Array, np.ndarray))


def _named(*names: str) -> Callable[[Any], bool]:
    """A test for classes of layers above this one."""
    return lambda value: type(value).__name__ in names


def _is_padding(value: Any) -> bool:
    return _is_index(value) or _INTEGERS(value) or _PAIRS(value)


def _is_pair(value: Any) -> bool:
    return len(_elements(value) or ()) == 2


def _is_transformation(value: Any) -> bool:
    return hasattr(value, "init") and hasattr(value, "update")


_INTEGERS = _all(_is_index)
_PAIRS = _all(_INTEGERS)

# Words for what an annotation asks for, and the test of it.
_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "int": ("an integer", _is_index),
    "float": ("a real number", _is_number),
    "bool": ("a bool", _is_flag),
    "str": ("a string", lambda value: isinstance(value, str)),
    "None": ("None", lambda value: value is None),
    "Sequence[int]": ("a sequence of integers", _INTEGERS),
    "tuple[int, ...]": ("a sequence of integers", _INTEGERS),
    "tuple[int, int]": ("a pair of integers", lambda value: _INTEGERS(value) and len(_elements(value) or ()) == 2),
    "Sequence[tuple[int, int]]": ("a sequence of pairs of integers", _PAIRS),
    "Sequence[tuple[int, int, int]]": ("a sequence of triples of integers", _PAIRS),
    "Sequence[str]": ("a sequence of strings", _all(lambda value: isinstance(value, str))),
    "Sequence[bool]": ("a sequence of bools", _all(_is_flag)),
    "Sequence[Any]": ("a sequence", lambda value: _elements(value) is not None or isinstance(value, (Array, Iterable))),
    "Iterable[Any]": ("an iterable", lambda value: isinstance(value, (Iterable, Array))),
    "Sequence[Callable[..., Any]]": ("a sequence of functions", _all(callable)),
    "Mapping[Any, float]": ("a dict of real numbers", lambda value: isinstance(value, Mapping)),
    "Hashable": ("hashable", _is_hashable),
    "PyTreeDef": ("a tree structure", lambda value: isinstance(value, optree.PyTreeSpec)),
    "Iterable[PyTreeDef]": ("a sequence of tree structures", _all(lambda v: isinstance(v, optree.PyTreeSpec))),
    "type": ("a class", lambda value: isinstance(value, type)),
    "GradientTransformation": ("a gradient transformation such as fungrad.optim.adam(1e-3)", _is_transformation),
    "GatherDimensionNumbers": ("fungrad.lax.GatherDimensionNumbers", _named("GatherDimensionNumbers")),
    "ScatterDimensionNumbers": ("fungrad.lax.ScatterDimensionNumbers", _named("ScatterDimensionNumbers")),
    # Under names that annotations of type Any leave open:
    "padding": ("an integer, a pair of integers, or a sequence of pairs of them", _is_padding),
    "pair": ("a pair: what is contracted, and what is batched", _is_pair),
    "dtype": ("a dtype", _is_dtype),
    "array": ("an array or a scalar", lambda value: is_array_like(value) or hasattr(value, "todense")),
    "arrays": ("a sequence of arrays", lambda value: _is_array(value) or _elements(value) is not None),
}
_FUNCTION = ("a function", callable)
_ALIASES = {
    "Axis": ["int", "Sequence[int]", "None"],
    "Dims": ["Sequence[int]"],
    "Function": ["Callable"],
    "IsLeaf": ["Callable"],
    "Policy": ["Callable"],
    "T": ["Any"],
    "C": ["type"],
    "type[T]": ["type"],
    "ScalarOrSchedule": ["float", "Callable"],
    "Tolerance": ["float", "Mapping[Any, float]", "None"],
}
# What parameters annotated Any take, by their names. Those of other names are not judged.
_NAMED: dict[str, list[str]] = {
    **dict.fromkeys(("shape", "new_shape", "axes", "axis", "dimensions", "sizes"), ["int", "Sequence[int]"]),
    **dict.fromkeys(("dtype", "new_dtype", "index_dtype", "mu_dtype", "accumulator_dtype", "to"), ["dtype"]),
    "start_indices": ["array", "arrays"],
    "indices_or_sections": ["int", "Sequence[int]"],
    "shift": ["int", "Sequence[int]", "array"],
    "pad_width": ["padding"],
    "dimension_numbers": ["pair"],
    **dict.fromkeys(("arrays", "tup", "choices", "operands"), ["arrays"]),
    **dict.fromkeys(
        ("x", "y", "a", "b", "m", "v", "operand", "x1", "x2", "a1", "a2", "ar", "ar1", "ar2", "arr", "ary", "q",
         "p", "array", "val", "values", "indices", "lhs", "rhs", "update", "updates", "condition", "xp", "fp",
         "weights", "fill_value", "initial", "where", "mean", "variance", "epsilon", "start", "stop", "step",
         "num_or_size", "pred", "on_true", "on_false", "which", "scatter_indices", "start_index", "index", "query",
         "key", "bias", "minval", "maxval", "alpha", "negative_slope", "padding_value", "scale", "init_value",
         "logits", "prototype", "element", "test_elements", "ind", "vals", "repeats", "dx", "discont", "period",
         "left", "right", "rtol", "atol", "nan", "posinf", "neginf", "base", "decimals", "z", "prepend", "append",
         "to_end", "to_begin", "fweights", "aweights", "sample", "delta"),
        ["array"],
    ),
}  # fmt: skip


def _split(annotation: str) -> list[str]:
    """The members of a union, also of nested ones, split at the top level."""
    parts, depth, start = [], 0, 0
    for position, letter in enumerate(annotation):
        depth += (letter == "[") - (letter == "]")
        if letter == "|" and not depth:
            parts.append(annotation[start:position].strip())
            start = position + 1
    return [*parts, annotation[start:].strip()]


def _kinds(parameter: inspect.Parameter) -> list[tuple[str, Callable[[Any], bool]]] | None:
    """What an argument may be; None if that is not known."""
    members = _split(parameter.annotation if isinstance(parameter.annotation, str) else "Any")
    if members == ["Any"]:
        members = _NAMED.get(parameter.name, ["Any"])
    found = []
    for member in members:
        for name in _ALIASES.get(member, [member]):
            kind = _FUNCTION if name.startswith("Callable") else _KINDS.get(name)
            if kind is None:
                return None
            found.append(kind)
    if parameter.default is None and all(words != "None" for words, _ in found):
        found.append(_KINDS["None"])
    return found


def _complaint(parameter: inspect.Parameter, value: Any) -> str | None:
    """What is wrong with an argument, None if nothing is known to be."""
    if value is parameter.default:
        return None
    kinds = _kinds(parameter)
    if kinds is None or any(check(value) for _, check in kinds):
        return _too_large(parameter.name, value)
    *most, last = dict.fromkeys(words for words, _ in kinds)
    expected = f"{', '.join(most)} or {last}" if most else last
    return f"{parameter.name} must be {expected}, got {shown(value)}"


_LIMIT = 2**63


def _too_large(name: str, value: Any) -> str | None:
    """What is wrong with a shape or number that no array can have."""
    if isinstance(value, (bool, float)) or not isinstance(value, (int, tuple, list)):
        return None
    sizes = [value] if isinstance(value, int) else value
    if not all(isinstance(n, int) for n in sizes):
        return None
    if any(abs(n) >= _LIMIT for n in sizes) or (name == "shape" and math.prod(map(abs, sizes)) >= _LIMIT):
        return f"{name} is too large, got {value}"
    return None


# -- errors of guarded functions ---------------------------------------------------------------------------------------

# What a public function that gets wrong arguments may fail with, deep inside.
REFUSALS = (
    TypeError, ValueError, IndexError, OverflowError, AttributeError, ZeroDivisionError, NotImplementedError,
    UnboundAxisNameError,
)  # fmt: skip

_BUILTIN = (TypeError, ValueError, IndexError, OverflowError, AttributeError, KeyError)
# The argument that a message names; the functions inside of a public one have names of their own for it.
_BLAMED = re.compile(r": (?:the )?(\w+)[^:]{0,20} must be ")
# What says only that an array is no number, somewhere inside.
_CONVERSION = re.compile(r"fungrad\.Array(?:\.__\w+__)?")
_OURS = re.compile(r"fungrad(?:\.[A-Za-z_]\w*(?:\[\.\.\.\])?)*")


def inside(error: Exception) -> bool:
    """Whether an error being handled was raised by the library or below it, and not in a function of the user."""
    traceback = error.__traceback__
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not (is_ours(file) or is_below(file)):
            return False
        traceback = traceback.tb_next
    return True


def _first_complaint(bound: inspect.BoundArguments) -> str | None:
    for name, value in bound.arguments.items():
        parameter = bound.signature.parameters[name]
        values = [value]
        if parameter.kind is parameter.VAR_POSITIONAL:
            values = list(value)
        elif parameter.kind is parameter.VAR_KEYWORD:
            values = []
        for one in values:
            complaint = _complaint(parameter, one)
            if complaint is not None:
                return complaint
    return None


def check(api: str, fun: Callable[..., Any], args: tuple, kwargs: dict) -> None:
    """Compares arguments with the annotations of a function.

    Raises:
      TypeError: one does not fit; names it.
    """
    complaint = _first_complaint(_signature(fun).bind(*args, **kwargs))
    if complaint is not None:
        raise TypeError(f"{api}: {complaint}")


# Made anew it costs as much as the rest of such a call, `value_and_grad(loss)` in every step of a loop for example.
_signature = functools.lru_cache(1024)(inspect.signature)


def explained(error: Exception, api: str, fun: Callable[..., Any], args: tuple, kwargs: dict) -> Exception:
    """The error that a caller of the public function ``api`` should see instead of ``error``, which may be that one."""
    text = str(error)
    if isinstance(error, _CONVERSIONS) and inside(error):
        return _traced(error, api, fun, args, kwargs)
    if isinstance(error, (FungradTypeError, RuntimeCheckError)) or not inside(error):
        return error
    ours = _OURS.match(text)
    signature = inspect.signature(fun)
    if ours is not None and ours.group() == api and text[len(api) : len(api) + 1] in ":( ":
        blamed = _BLAMED.match(text, len(api))
        if blamed is None or blamed.group(1) in signature.parameters:
            return error
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as mismatch:
        names = ", ".join(str(p.replace(annotation=inspect.Parameter.empty)) for p in signature.parameters.values())
        return TypeError(f"{api}: {mismatch}; the signature is {api.rpartition('.')[2]}({names})")
    complaint = _first_complaint(bound)
    if complaint is not None:
        return _of_class(error, f"{api}: {complaint}", wrong_type="must be" in complaint)
    if any(map(_holds_function, bound.arguments.values())):
        # The error may be that of a function which was handed in, and is a public one itself.
        return error
    if isinstance(error, TypePromotionError) or text.startswith("Python integer "):
        error.args = (f"{api}: {text}", *error.args[1:])
        return error
    if ours is not None and ours.group() != api and not _CONVERSION.fullmatch(ours.group()):
        # An error of a function further inside, whose name means nothing to the caller.
        _, separator, rest = text.partition(": ")
        if separator:
            error.args = (f"{api}: {rest}", *error.args[1:])
        return error
    if ours is not None and ours.group() == api:
        return error
    listed = ", ".join(f"{name}={brief(value)}" for name, value in bound.arguments.items())
    return _of_class(error, f"{api}: these arguments do not fit together or are not supported: {listed}")


_CONVERSIONS = (ConcretizationTypeError, TracerIntegerConversionError, TracerArrayConversionError)


def _traced(error: Exception, api: str, fun: Callable[..., Any], args: tuple, kwargs: dict) -> Exception:
    """An error about a tracer whose value is needed, with the argument of the public function that needs it."""
    text = str(error)
    if "must be known while tracing" in text:
        return error
    parameters = inspect.signature(fun).parameters
    sized = next((name for name in ("size", "total_repeat_length", "length") if name in parameters), None)
    for name, value in inspect.signature(fun).bind(*args, **kwargs).arguments.items():
        kinds = _kinds(parameters[name])
        values = value if isinstance(value, (tuple, list)) else (value,)
        if not any(isinstance(v, Array) and type(v).__name__.endswith("Tracer") for v in values):
            continue
        if kinds is None or all(words in _OF_ARRAYS for words, _ in kinds):
            if sized is None or kwargs.get(sized) is not None:
                continue
            what = f"the shape of the result depends on the values of {name}; pass {sized}="
        elif name in ("shape", "new_shape"):
            what = f"{name} must be known while tracing: take sizes from x.shape, or from a static argument"
        else:
            what = f"{name} must be known while tracing: pass a Python value, or make it a static argument"
        error.args = (f"{text} In {api}, {what}.", *error.args[1:])
        break
    return error


_OF_ARRAYS = ("an array or a scalar", "a sequence of arrays", "None")


def _holds_function(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return any(map(callable, value))
    return callable(value) and not isinstance(value, type)


def _of_class(error: Exception, message: str, wrong_type: bool = False) -> Exception:
    """An error of a standard class: TypeError for what has no meaning as an argument, else that of ``error``."""
    if not wrong_type:
        for kind in (OverflowError, IndexError, ValueError, NotImplementedError):
            if isinstance(error, kind):
                return kind(message)
    return TypeError(message)


def reword(error: Exception, api: str, fun: Callable[..., Any], args: tuple, kwargs: dict) -> NoReturn:
    """Raises what a caller of the public function ``api`` should see; called while ``error`` is handled."""
    better = explained(error, api, fun, args, kwargs)
    if better is error:
        if type(error.__cause__) in _BUILTIN and config.traceback_filtering and inside(error):
            # What the library found out by an error of Python or NumPy, it has said in its own words.
            error.__cause__ = None
        raise
    raise better from (None if config.traceback_filtering else error)


_PROMOTIONS = (TypePromotionError, RankPromotionError)


def _of_own_making(error: Exception, args: tuple, kwargs: dict) -> bool:
    """Whether a promotion that is forbidden is not in the arguments but in what a function computes with them."""
    if not inside(error):
        return False
    leaves: list[Any] = optree.tree_leaves((args, kwargs), namespace="fungrad")  # type: ignore[arg-type]
    leaves = [x.array if type(x).__name__ == "IndexUpdateRef" else x for x in leaves]
    arrays = [x for x in leaves if isinstance(x, (Array, np.ndarray, np.generic))]
    if any(map(_holds_function, leaves)) or any(x.dtype.kind == "V" and x.dtype.names for x in arrays):
        return False
    if isinstance(error, TypePromotionError):
        given = {(aval.dtype, aval.weak_type) for aval in (typeof(x) for x in leaves if is_array_like(x))}
        return not given.issuperset(error.operands)
    return not {tuple(x.shape) for x in arrays}.issuperset(error.shapes)  # type: ignore[attr-defined]


def _permitted(api: str, fun: Callable[..., Any], args: tuple, kwargs: dict) -> Any:
    """Calls a function that promotes by itself: what is forbidden to the user's program is allowed to the library."""
    try:
        with config.override("numpy_dtype_promotion", "standard"), config.override("numpy_rank_promotion", "allow"):
            return fun(*args, **kwargs)
    except REFUSALS as error:
        reword(error, api, fun, args, kwargs)


def guarded(api: str, fun: Callable[..., Any], early: bool = False) -> Callable[..., Any]:
    """``fun`` as the public function ``api``, a dotted name, whose errors name it and the wrong argument.

    Args:
      api: the name.
      fun: the function.
      early: whether arguments are compared with the annotations before the call, for functions that only keep them for
        later: those that return a function.
    """

    @functools.wraps(fun)
    def checked(*args: Any, **kwargs: Any) -> Any:
        try:
            try:
                if early:
                    check(api, fun, args, kwargs)
                return fun(*args, **kwargs)
            except REFUSALS as error:
                if isinstance(error, _PROMOTIONS):
                    if getattr(fun, "asks_for_promotion", False):
                        raise
                    if _of_own_making(error, args, kwargs):
                        return _permitted(api, fun, args, kwargs)
                reword(error, api, fun, args, kwargs)
        except Exception as error:
            filter_exception(error, api)
            raise

    # Pickles refer to functions by these.
    checked.__module__, _, checked.__qualname__ = api.rpartition(".")
    return checked


def guard(
    names: dict[str, Any], module: str, public: Iterable[str], exempt: tuple[str, ...] = (), early: Iterable[str] = ()
) -> None:
    """Makes the public functions of a facade module guarded ones.

    Args:
      names: the globals of the module, changed in place.
      module: name of the module.
      public: the public names.
      exempt: names of functions that stay as they are.
      early: names of functions whose arguments are checked before the call.
    """
    for name in public:
        value = names.get(name)
        if type(value) is types.FunctionType and name not in exempt:
            names[name] = guarded(f"{module}.{name}", value, name in early)
