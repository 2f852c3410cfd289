"""Type variables of public signatures: what goes in and out of a function that is transformed.

May import nothing.
"""

from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")
Carry = TypeVar("Carry")
X = TypeVar("X")
Y = TypeVar("Y")

__all__ = ["Carry", "P", "R", "R_co", "T", "X", "Y"]
