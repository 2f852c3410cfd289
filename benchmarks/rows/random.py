"""Random numbers: large draws from one key."""

from collections.abc import Callable
from typing import Any

from benchmarks.registry import row


def _row(name: str, draw: Callable[[Any, Any], Any], bytes: float) -> None:
    @row(name, tolerance=1e-3, bytes=bytes)
    def made(lib):
        key = lib.random.key(0)
        f = lib.jit(lambda key: draw(lib.random, key))
        return lambda: lib.done(f(key))


_row("random/uniform_1e7", lambda random, key: random.uniform(key, (10**7,)), 4e7)
_row("random/normal_1e7", lambda random, key: random.normal(key, (10**7,)), 4e7)
_row("random/permutation_1e6", lambda random, key: random.permutation(key, 10**6), 4e6)
_row("random/gamma_1e6", lambda random, key: random.gamma(key, 2.5, (10**6,)), 4e6)
