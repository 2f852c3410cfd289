"""Targets of commands: a function in a file, and its arguments.

May import ``fungrad``.
"""

from __future__ import annotations

import inspect
import re
import runpy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import fungrad
from fungrad import numpy as jnp
from fungrad.core import dtypes

_TYPE = re.compile(r"\b(bool|key|bf16|[fiuc]\d+)\[([\d,\s]*)\]")
_DTYPES = {
    **{f"f{n}": f"float{n}" for n in (16, 32, 64)},
    **{f"i{n}": f"int{n}" for n in (8, 16, 32, 64)},
    **{f"u{n}": f"uint{n}" for n in (8, 16, 32, 64)},
    **{f"c{n}": f"complex{n}" for n in (64, 128)},
    "bf16": "bfloat16",
    "bool": "bool",
}


class TargetError(Exception):
    """A target or its arguments are wrong; the message is one line."""


@dataclass
class Target:
    """A function and its arguments.

    Attributes:
      path: of the file.
      name: of the function.
      function: itself.
      arguments: arrays, trees of arrays, or ``ShapeDtypeStruct`` in their places.
    """

    path: Path
    name: str
    function: Callable[..., Any]
    arguments: tuple

    def values(self) -> tuple:
        """The arguments, types replaced by arrays of random numbers, always the same."""
        rng = np.random.default_rng(0)
        return tuple(fungrad.tree.map(lambda x: _value(x, rng), arg, is_leaf=_is_type) for arg in self.arguments)


def _is_type(x: Any) -> bool:
    return isinstance(x, fungrad.ShapeDtypeStruct)


def _value(x: Any, rng: np.random.Generator) -> Any:
    if not _is_type(x):
        return x
    dtype = np.dtype(x.dtype)
    if dtypes.is_inexact(dtype):
        return jnp.asarray(rng.normal(size=x.shape).astype(dtype))
    return jnp.asarray(rng.integers(0, 2, size=x.shape).astype(dtype))


def load(target: str, arguments: str | None) -> Target:
    """The function of a target, with its arguments.

    Args:
      target: ``FILE:FUNCTION``.
      arguments: an expression, None for what the file says.

    Raises:
      TargetError: there is no such file or function, or no arguments are known for it.
    """
    path, name = split(target)
    names = run_file(path)
    if name not in names:
        known = sorted(n for n, v in names.items() if callable(v) and not n.startswith("_") and _is_own(v, path))
        have = f"; it has {', '.join(known[:8])}" if known else ""
        raise TargetError(f"{path} has no function {name!r}{have}")
    function = names[name]
    if not callable(function):
        raise TargetError(f"{name} in {path} is no function, but a {type(function).__name__}")
    return Target(path, name, function, _arguments(path, name, function, names, arguments))


def split(target: str) -> tuple[Path, str]:
    """File and function of a target."""
    file, colon, name = target.rpartition(":")
    if not colon or not file or not name.isidentifier():
        raise TargetError(f"a target is FILE:FUNCTION, such as model.py:loss, got {target!r}")
    path = Path(file)
    if not path.is_file():
        raise TargetError(f"there is no file {file}")
    return path, name


def run_file(path: Path) -> dict[str, Any]:
    """The names that a file defines."""
    try:
        return runpy.run_path(str(path), run_name="fungrad_target")
    except SyntaxError as error:
        raise TargetError(f"{path}:{error.lineno}: {error.msg}") from error
    except Exception as error:
        raise TargetError(f"{path} cannot be run: {type(error).__name__}: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return next(iter(str(error).strip().splitlines()), "")


def _is_own(value: Any, path: Path) -> bool:
    code = getattr(inspect.unwrap(value), "__code__", None) if callable(value) else None
    return code is not None and code.co_filename == str(path)


def _arguments(path: Path, name: str, function: Any, names: dict[str, Any], text: str | None) -> tuple:
    if text is not None:
        return evaluated(text, names)
    for key in (f"{name}_args", "example_args"):
        if key in names:
            found = names[key]() if callable(names[key]) else names[key]
            if not isinstance(found, tuple):
                raise TargetError(f"{key} in {path} must be a tuple of arguments, or a function that gives one")
            return found
    try:
        needed = [p.name for p in inspect.signature(function).parameters.values() if _is_needed(p)]
    except (TypeError, ValueError):
        needed = ["its arguments"]
    if needed:
        raise TargetError(
            f"{name} needs arguments ({', '.join(needed)}): give --args, such as --args 'f32[3,4], 2.0', or define "
            f"{name}_args in {path}"
        )
    return ()


def _is_needed(p: inspect.Parameter) -> bool:
    return p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)


def evaluated(text: str, names: dict[str, Any]) -> tuple:
    """The arguments that an expression gives."""

    def written(found: re.Match) -> str:
        if found[1] not in _DTYPES:
            raise TargetError(f"--args: {found[0]} is no type; dtypes are {', '.join(_DTYPES)}")
        shape = ", ".join(p.strip() for p in found[2].split(",") if p.strip())
        return f"_type(({shape}{',' if shape else ''}), '{_DTYPES[found[1]]}')"

    known = {"np": np, "jnp": jnp, "fungrad": fungrad, **names, "_type": fungrad.ShapeDtypeStruct}
    try:
        found = eval(_TYPE.sub(written, f"({text},)"), known)
    except TargetError:
        raise
    except Exception as error:
        raise TargetError(f"--args {text!r}: {type(error).__name__}: {first_line(error)}") from error
    return found if isinstance(found, tuple) else (found,)
