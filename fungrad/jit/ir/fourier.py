"""Plans of Fourier transforms: what lengths are composed of, and in which steps a transform is made.

A `fft` call of the loop IR transforms along one dimension of its input (see `fungrad.jit.llvm.fourier`). Lengths must
be products of small primes; others are made of those by `fungrad.ops.fft_lowering`.

May import ``ir.tuning``.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from fungrad.jit.ir import tuning


def factors(n: int) -> list[int]:
    """The prime factors of a number, in ascending order.

    >>> factors(360)
    [2, 2, 2, 3, 3, 5]
    """
    found, p = [], 2
    while p * p <= n:
        while n % p == 0:
            found.append(p)
            n //= p
        p += 1
    return [*found, n] if n > 1 else found


def radices(n: int, registers: int) -> list[int]:
    """The lengths of the stages of a transform in one piece, whose product is `n`.

    Eight numbers and what is computed of them fit into 32 vector registers, four into 16. The longer stages come last,
    since the last one multiplies with no roots.

    >>> radices(1000, 16), radices(2048, 16)
    ([2, 4, 5, 5, 5], [2, 4, 4, 4, 4, 4])
    >>> radices(1000, 32), radices(2048, 32), radices(16, 32)
    ([8, 5, 5, 5], [4, 8, 8, 8], [4, 4])
    """
    primes = factors(n)
    twos = primes.count(2)
    if registers < 32 or twos < 3:
        found = [2] * (twos % 2) + [4] * (twos // 2)
    else:
        fours = -twos % 3
        found = [4] * fours + [8] * ((twos - 2 * fours) // 3)
    return found + [p for p in primes if p > 2]


@cache
def split(n: int) -> tuple[int, int] | None:
    """Two factors of a length as near to each other as possible, the first the smaller one; None if there are none, or
    one is too long for one piece.

    >>> split(1000), split(13), split(2 ** 25)
    ((25, 40), None, None)
    """
    if n < 4:
        return None
    first = next((d for d in range(math.isqrt(n), 1, -1) if n % d == 0), 1)
    return (first, n // first) if first > 1 and n // first <= tuning.LONGEST_PIECE else None


def way_of_rows(rows: int, n: int) -> str:
    """How rows of a matrix are transformed.

    Returns:
      `whole`: several rows at a time, each a lane, in one piece.
      `stacked`: row by row in two steps, with what is between them on the stack.
      `stepped`: in two steps, with what is between them in another array.
    """
    parts = split(n)
    if parts is None or (n <= tuning.LONGEST_PIECE and rows >= tuning.LANES_OF_ROWS) or n < tuning.SHORTEST_SPLIT:
        return "whole"
    return "stacked" if n <= tuning.LONGEST_ROW and rows >= tuning.SHARED_ROWS else "stepped"


def roots(n: int, powers: np.ndarray) -> np.ndarray:
    """`exp(-2 pi i k / n)` for an array of integers `k`, rounded correctly but for the last bit.

    >>> roots(4, np.arange(4)).tolist()
    [(1+0j), -1j, (-1+0j), 1j]
    """
    # Angles in units of a turn by 4 n, brought into an eighth of it, where sines and cosines are accurate.
    a = 4 * (np.asarray(powers, np.int64) % n)
    below = a > 2 * n
    a = np.where(below, 4 * n - a, a)
    left = a > n
    a = np.where(left, 2 * n - a, a)
    steep = 2 * a > n
    a = np.where(steep, n - a, a)
    angle = a * (math.pi / (2 * n))
    c, s = np.cos(angle), np.sin(angle)
    c, s = np.where(steep, s, c), np.where(steep, c, s)
    real, imag = np.where(left, -c, c), np.where(below, s, -s)
    return real + 0.0 + 1j * (imag + 0.0)
