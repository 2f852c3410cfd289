"""Prints the composition matrix of ``docs/composition.md``:
``python tests/composition_table.py > docs/composition.md``.

Every composition of up to three transformations of a small program is compared with JAX.
"""

import itertools

import jax
from control_programs import CASES, FORWARD, ORDERS, REVERSIBLE
from programs import PROGRAMS
from test_composition import TRANSFORMS, arrays, assert_same, transformed

import fungrad

PROGRAM = "nested_jit"


def verdict(order, program=PROGRAM):
    """``ok`` if fungrad and JAX agree, else the error."""
    program, args = {**PROGRAMS, **REVERSIBLE, **FORWARD}[program]
    try:
        wanted = transformed(jax, program, order)(*arrays(jax, args))
        got = transformed(fungrad, program, order)(*arrays(fungrad, args))
        assert_same(got, wanted)
    except Exception as error:  # noqa: BLE001 - the table shows it
        return type(error).__name__
    return "ok"


def main():
    """Prints the page."""
    names = list(TRANSFORMS)
    print("# Composition of transformations\n")
    print(
        "Each cell is `first(second(third(f)))` of a program with nested `jit`, compared with JAX in value, shape, "
        "dtype and"
    )
    print(
        "weak type. `vmap` maps over two scaled copies of the argument, `jvp` differentiates along the argument "
        "itself, and `grad`"
    )
    print("is of a sum of sines of the result. Renew with `python tests/composition_table.py > docs/composition.md`.\n")
    print("| first, second | alone | " + " | ".join(f"third = {n}" for n in names) + " |")
    print("| --- | --- |" + " --- |" * len(names))
    for first in [(n,) for n in names] + list(itertools.product(names, repeat=2)):
        cells = [verdict(first)] + [verdict((*first, third)) if len(first) == 2 else "" for third in names]
        print(f"| {', '.join(first)} | {' | '.join(cells)} |")


def control():
    """Prints the part about control flow."""
    print("\n## Control flow\n")
    print("The same for every control-flow function; `nested` is a scan in a loop, with a branch and a loop in it.")
    print("JAX has no reverse mode for `while_loop`; fungrad's is tested against that of a scan.\n")
    names = ["alone", *[", ".join(order) for order in ORDERS[1:]]]
    print("| function | " + " | ".join(names) + " |")
    print("| --- |" + " --- |" * len(names))
    for program in (*REVERSIBLE, *FORWARD):
        cells = [verdict(order, program) if (program, order) in CASES else "" for order in ORDERS]
        print(f"| {program} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
    control()
