"""Floating point exceptions of NumPy: arithmetic of fungrad never warns, whatever ``np.seterr`` says.

Overflow gives infinity and 0/0 gives NaN, silently, as in compiled code.  ``np.errstate`` does this
in Python code that takes longer than a small operation; here the same context variable is set
directly (``np.errstate`` stands in where a version of NumPy has none).

Imports nothing from the package.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy._core import umath

_extobj_contextvar: Any = getattr(umath, "_extobj_contextvar", None)
_make_extobj: Any = getattr(umath, "_make_extobj", None)

if _extobj_contextvar is not None and _make_extobj is not None:
    SILENT: Any = _make_extobj(all="ignore")
    # token = silence(SILENT); try: ... finally: unsilence(token)
    silence = _extobj_contextvar.set
    unsilence = _extobj_contextvar.reset
else:
    SILENT = None

    def silence(_: Any) -> Any:
        """Starts a stretch of code in which NumPy does not warn."""
        token = np.errstate(all="ignore")
        token.__enter__()
        return token

    def unsilence(token: Any) -> None:
        """Ends the stretch of code that ``silence`` started."""
        token.__exit__(None, None, None)


def quietly(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """``fun(*args, **kwargs)`` without warnings of NumPy's arithmetic."""
    token = silence(SILENT)
    try:
        return fun(*args, **kwargs)
    finally:
        unsilence(token)
