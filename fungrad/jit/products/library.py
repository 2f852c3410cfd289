"""The compiled kernels of this process: small native modules, one per element type, shared by all programs. Those of
products, and those that library calls name ``own_...``.

A module is compiled when the first program that needs it is loaded, or comes from the cache on disk.
"""

from __future__ import annotations

import contextlib
import threading
from functools import partial
from typing import Any

from fungrad import locks
from fungrad.core.library_calls import provide
from fungrad.jit.ir.machine import Machine
from fungrad.jit.runtime import cache, native, system

PREFIX = "fg_product_"
"""What names of products begin with, before `f32` or `f64`."""

_loaded: dict[str, native.Loaded] = {}
_begun: set[str] = set()
_lock = locks.lock()


def prepare(symbol: str) -> None:
    """Begins to compile the product for an element type, on a thread of its own, if that was not done: the program that
    needs it is written and compiled meanwhile. Whatever goes wrong is raised by `address`."""
    if symbol in _begun:
        return
    _begun.add(symbol)

    def run() -> None:
        with contextlib.suppress(Exception):  # `address` tries again, and raises
            address(symbol)

    with contextlib.suppress(RuntimeError):  # no more threads
        threading.Thread(target=run, name="fungrad product compiler").start()


def address(symbol: str) -> int:
    """Address of the product for an element type.

    Its signature is `void(ptr a, i64 ars, i64 acs, ptr b, i64 brs, i64 bcs, ptr c, i64 crs, i64 m, i64 n, i64 k, i64
    add)`: strides of rows and columns in bytes; the columns of `c` are consecutive, and so is one dimension of `a` and
    of `b`; `add` other than 0 adds to `c`.
    """
    with _lock:
        if symbol not in _loaded:
            session = native.session()
            caches: dict[str, Any] = dict(system.caches())
            machine = Machine(vector_bytes=session.host.vector_bytes, **caches)
            code = cache.module(f"{symbol} {machine}", partial(_text, symbol, machine), session)
            _loaded[symbol] = session.link(code, {}, symbol)
        return _loaded[symbol].addresses[symbol]


def own_address(symbol: str) -> int:
    """Address of a function of `products.lanes` or `products.triangular`."""
    name, _, element = symbol.rpartition("_")
    kind = "lanes" if name in _OWN["lanes"] else "triangular"
    product = f"{PREFIX}{element}"
    symbols = {product: address(product)} if kind == "triangular" else {}
    with _lock:
        key = f"{kind}_{element}"
        if key not in _loaded:
            session = native.session()
            code = cache.module(key, partial(_own, kind, element), session)
            _loaded[key] = session.link(code, symbols, *[f"{n}_{element}" for n in _OWN[kind]])
        return _loaded[key].addresses[symbol]


# Functions of the modules.
_OWN = {"lanes": ("lanes_lu", "lanes_cholesky", "lanes_solve"), "triangular": ("triangular_solve", "cholesky")}

provide("own", own_address)


def _own(kind: str, element: str) -> str:
    """The module of factorisations in lanes, or of triangular systems, for an element type."""
    from fungrad.jit.products import lanes, triangular

    return lanes.module(element) if kind == "lanes" else triangular.module(element, f"{PREFIX}{element}")


def _text(symbol: str, machine: Machine) -> str:
    """The module of the product for an element type."""
    # What comes from the cache on disk is not written again.
    from fungrad.jit.products.driver import module
    from fungrad.jit.products.kernels import shape

    return module(shape(symbol.removeprefix(PREFIX), machine.vector_bytes), machine)
