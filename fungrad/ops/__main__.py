"""``python -m fungrad.ops``: prints which primitive has which rule, as Markdown.

A tool, not part of the library: to see every primitive it imports the whole package, above this
layer too, by name.
"""

from __future__ import annotations

import importlib
from typing import Any

from fungrad.core.primitive import Primitive
from fungrad.core.programs import finish
from fungrad.ops._families import Elementwise

RULES = ("abstract_eval", "impl", "jvp", "transpose", "batch", "lower")

# Rules that are never asked for: without operands there is nothing to batch, and seeds, keys and
# their bits have no tangents.
NOT_NEEDED = {
    "iota": ("jvp", "batch"),
    "dim_as_value": ("batch",),
    **{
        name: ("jvp",)
        for name in (
            "random_bits",
            "random_fold_in",
            "random_seed",
            "random_split",
            "random_unwrap",
            "random_wrap",
            "rng_bit_generator",
            "rng_uniform",
            "random_clone",
            "threefry2x32",
        )
    },
}

INTRODUCTION = """\
# Primitives and their rules

Written by `python -m fungrad.ops`.

- **yes**: the rule is written for this primitive.
- **derived**: the rule is that of its family.
- **zero**: the derivative is zero by definition (integers, booleans, steps).
- **host**: compiled programs call `impl` between pieces of native code.
- **none**: there is none, and asking for it says so.
- **-**: not needed. Operations among the members of a named axis are gone before a program is compiled, since `vmap`
  replaces them. A transposition rule is needed for what is linear in an operand; everything
  else is differentiated in terms of such primitives.
- **missing**: asking for it raises `NotImplementedError` naming the method to write.
"""


def all_primitives() -> list[Primitive]:
    """Every primitive of the package, after importing all modules that define some."""
    own = [p for p in Primitive.all() if type(p).__module__.startswith("fungrad.")]
    return sorted(own, key=lambda p: p.name)


def status(primitive: Primitive, rule: str) -> str:
    """Where ``primitive`` has ``rule`` from; one word, as explained in the introduction."""
    if rule in vars(primitive):
        return "yes"
    owner = next(c for c in type(primitive).__mro__ if rule in vars(c))
    if getattr(vars(owner)[rule], "raises", False):
        return "none"
    if rule == "jvp" and owner is Elementwise:
        return "zero" if primitive.jvp_rule is None else "yes"  # type: ignore[attr-defined]
    if owner is not Primitive:
        shared = sum(isinstance(p, owner) for p in Primitive.all()) > 1
        return "derived" if shared else "yes"
    if rule == "lower":
        return "-" if primitive.uses_axis_names else _native(primitive)
    return "-" if rule == "transpose" or rule in NOT_NEEDED.get(primitive.name, ()) else "missing"


def _native(primitive: Primitive) -> str:
    """Where native code comes from for a primitive without the rule ``lower``."""
    if primitive.kind == "elementwise":
        if getattr(primitive, "scalar", None) is not None:
            return "yes"
        rules: Any = importlib.import_module("fungrad.jit.formulas.scalar_rules")
        found = rules.scalar_rule(primitive) or rules.scalar_rule(primitive, ["c64"])
        return "derived" if found is not None else "host"
    return "derived" if primitive.kind == "reduction" and hasattr(primitive, "monoid") else "host"


def table() -> str:
    """The table of all primitives, as Markdown."""
    lines = [
        INTRODUCTION,
        f"| primitive | kind | {' | '.join(RULES)} |",
        f"|{' --- |' * (len(RULES) + 2)}",
    ]
    for primitive in all_primitives():
        cells = [
            f"`{primitive.name}`",
            primitive.kind,
            *(status(primitive, rule) for rule in RULES),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    finish(lambda: print(table(), end=""))
