"""Short paths of eager evaluation: operations of one or two operands and no parameters, on concrete arrays.

``Primitive.bind`` works for every operation; what it costs (packing arguments, asking what the primitive is like) is
more than small arrays take to compute. The functions made here know all that, and leave to ``bind`` whatever is not
the commonest case.

May import ``core.array``, ``core.context``, ``core.float_errors`` and ``core.primitive``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fungrad.config import watch
from fungrad.core.array import ArrayImpl
from fungrad.core.context import EVAL, state
from fungrad.core.float_errors import SILENT, silence, unsilence
from fungrad.core.primitive import Primitive

_new = object.__new__


def unary_bind(primitive: Primitive) -> Callable[..., Any]:
    """``primitive.bind`` for a quiet primitive of one operand and one result; fast without parameters.

    Results are not checked against ``abstract_eval``: for primitives whose ``impl`` is known to keep to it.
    """
    impl, memo, general = primitive.impl, primitive.memo, primitive.bind

    def bind(x: Any, /, **params: Any) -> Any:
        trace = state.trace
        if params:
            return general(x, **params)
        if trace is not EVAL:
            return trace.bind(primitive, (x,), {}) if trace is not None else general(x)
        if type(x) is not ArrayImpl or watch.slow:
            return general(x)
        aval = memo.get((x.aval,))
        if aval is None:
            return general(x)
        token = silence(SILENT)
        try:
            data = impl(x._data)
        finally:
            unsilence(token)
        out = _new(ArrayImpl)
        out._data = data if type(data) is np.ndarray else np.asarray(data)
        out.aval = aval
        return out

    return bind


def binary_bind(primitive: Primitive) -> Callable[..., Any]:
    """As ``unary_bind``, for two operands."""
    impl, memo, general = primitive.impl, primitive.memo, primitive.bind

    def bind(x: Any, y: Any, /, **params: Any) -> Any:
        trace = state.trace
        if params:
            return general(x, y, **params)
        if trace is not EVAL:
            return trace.bind(primitive, (x, y), {}) if trace is not None else general(x, y)
        if type(x) is not ArrayImpl or type(y) is not ArrayImpl or watch.slow:
            return general(x, y)
        aval = memo.get((x.aval, y.aval))
        if aval is None:
            return general(x, y)
        token = silence(SILENT)
        try:
            data = impl(x._data, y._data)
        finally:
            unsilence(token)
        out = _new(ArrayImpl)
        out._data = data if type(data) is np.ndarray else np.asarray(data)
        out.aval = aval
        return out

    return bind
