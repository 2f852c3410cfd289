"""``jax._src.api_util``."""

import inspect
from collections.abc import Iterable
from typing import Any

from fungrad.compat.rows import Row, adapter, alias


def _tuple(x: Any) -> tuple:
    if x is None:
        return ()
    return (x,) if isinstance(x, (int, str)) else tuple(x)


def infer_argnums_and_argnames(
    sig: inspect.Signature, argnums: int | Iterable[int] | None, argnames: str | Iterable[str] | None
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Positions and names of parameters, each completed by the other."""
    if argnums is None and argnames is None:
        return (), ()
    parameters = list(sig.parameters.values())
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD or p.kind is p.POSITIONAL_ONLY]
    numbers, names = _tuple(argnums), _tuple(argnames)
    if argnums is None:
        numbers = tuple([i for i, p in enumerate(positional) if p.name in names and p.kind is p.POSITIONAL_OR_KEYWORD])
    elif argnames is None:
        named = [positional[i] for i in numbers if -len(positional) <= i < len(positional)]
        names = tuple([p.name for p in named if p.kind is p.POSITIONAL_OR_KEYWORD])
    return numbers, names


NAMES: dict[str, Row] = {
    "debug_info": alias("fungrad.api_util:debug_info", "flax"),
    "flatten_fun_nokwargs": alias("fungrad.api_util:flatten_fun_nokwargs", "flax"),
    "fun_signature": adapter(inspect.signature, "flax"),
    "infer_argnums_and_argnames": adapter(infer_argnums_and_argnames, "e3nn-jax"),
}
