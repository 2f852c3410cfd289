"""Which variants of sweeps the main set runs: those that a rule picks, all others are marked ``slow``.

A sweep is a test that is parametrised over dozens or hundreds of combinations, most of which go the same way through
the library. The main set keeps every value of what is swept over (every primitive, every program, every kind of
dtype), but not every combination of them. ``pytest -m slow`` runs the rest, and so does naming a test on the command
line. Rules:

* `pairs`: any two values of two parameters meet somewhere (a tuple counts as a parameter per element);
* `values`: every value of every parameter occurs;
* `first`: the first variant for each value of a function of the parameters;
* `where`: variants for which something holds.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

Variants = Sequence[Mapping[str, Any]]
Rule = Callable[[Variants], set[int]]


def kind(dtype: Any) -> str:
    """What dtypes have in common that compiled programs treat in the same way, but for their width."""
    return dtype.name if dtype.name in ("float16", "bfloat16") else dtype.kind


def _covering(variants: Variants, size: int) -> set[int]:
    """Positions of variants in which every combination of values of `size` parameters occurs."""
    wanted = [list(itertools.combinations(sorted(_parts(v)), size)) for v in variants]
    kept: set[int] = set()
    seen: set[Any] = set()
    # Those that bring the most come first, so that few are enough.
    for gain in range(max(map(len, wanted), default=0), 0, -1):
        for i, combinations in enumerate(wanted):
            if sum(c not in seen for c in combinations) >= gain:
                kept.add(i)
                seen.update(combinations)
    return kept


def _parts(variant: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, value in variant.items():
        if isinstance(value, tuple):
            yield from ((f"{name}{i}", str(x)) for i, x in enumerate(value))
        else:
            yield name, str(getattr(value, "__name__", value))


def pairs(variants: Variants) -> set[int]:
    """Any two values of two parameters meet."""
    return _covering(variants, 2)


def values(variants: Variants) -> set[int]:
    """Every value of every parameter occurs."""
    return _covering(variants, 1)


def first(key: Callable[[Mapping[str, Any]], Hashable]) -> Rule:
    """The first variant for each key."""

    def rule(variants: Variants) -> set[int]:
        found: dict[Hashable, int] = {}
        for i, variant in enumerate(variants):
            found.setdefault(key(variant), i)
        return set(found.values())

    return rule


def where(test: Callable[[Mapping[str, Any]], bool]) -> Rule:
    """Variants for which something holds."""
    return lambda variants: {i for i, v in enumerate(variants) if test(v)}


def either(*rules: Rule) -> Rule:
    """What one of several rules picks."""
    return lambda variants: set().union(*[rule(variants) for rule in rules])


few = where(lambda v: v["part"] == "few")

# One of every width and kind.
SORTED = ("float32", "float64", "bfloat16", "uint32", "int64", "int8", "bool")

# By file and function.
SWEEPS: dict[str, Rule] = {
    "test_accumulate::test_sums_with_parts": values,
    "test_accuracy::test_compiled_products_leave_the_range_only_with_their_result": values,
    "test_accuracy::test_compiled_products_of_special_numbers": values,
    "test_complex_neighbours::test_values": pairs,
    "test_compiled_sorting::test_sort_and_argsort": where(lambda v: v["dtype"] in (*SORTED, "complex64")),
    "test_compiled_sorting::test_top_k": where(lambda v: v["dtype"] in SORTED),
    "test_composition::test_jit_changes_nothing": pairs,
    "test_control_cond::test_compositions": pairs,
    "test_control_cond::test_derivatives": values,
    "test_control_scan::test_compositions": pairs,
    "test_control_scan::test_derivatives": pairs,
    "test_control_while::test_compositions": pairs,
    "test_emit::test_matrix_product": pairs,
    # All lengths that are no product of other ones, and some of each further kind.
    "test_fft::test_real": where(lambda v: v["n"] not in (4, 6, 10, 11, 12, 14, 15, 63, 1000)),
    "test_lazy::test_values": values,
    "test_leading_sums::test_reductions_over_a_leading_axis": values,
    "test_linalg::test_derivatives_of_eigenvectors_keep_the_greatest_component_real": values,
    "test_masked_inputs::test_no_subnormal_numbers_on_masks": pairs,
    "test_narrow_records::test_reductions_of_records": values,
    "test_optable::test_jit_equals_eager": few,
    "test_optable::test_jit_equals_eager_on_special_values": few,
    "test_poisoned_memory::test_operations": first(lambda v: v["op"].covers),
    "test_poisoned_memory::test_products_of_every_size": values,
    "test_random_in_place::test_risky_programs": pairs,
    "test_records::test_some_elements_of_records": pairs,
    "test_records::test_sum_and_update_of_records": pairs,
    "test_scipy_solvers::test_minima": values,
    # Complex systems go the same ways as real ones.
    "test_scipy_solvers::test_solvers": either(values, first(lambda v: (v["solver"], v["kind"]))),
    "test_shields::test_examples_leave_no_trace_of_what_they_do_not_take": values,
    "test_shields::test_second_derivatives": values,
    "test_subnormals::test_functions_of_subnormal_and_small_numbers": pairs,
    "test_transposed_nests::test_values": pairs,
    "test_ufuncs::test_accumulate_reduceat_and_outer_are_numpys": first(lambda v: v["name"]),
    "test_ufuncs::test_at_is_numpys": values,
    "test_ufuncs::test_reduce_is_numpys": first(lambda v: v["name"]),
}


def mark(items: Iterable[Any], slow: Any) -> None:
    """Adds the mark to the variants of sweeps that the main set leaves out."""
    sweeps = defaultdict(list)
    for item in items:
        name = f"{item.path.stem}::{getattr(item, 'originalname', item.name)}"
        if name in SWEEPS:
            sweeps[name].append(item)
    for name, variants in sweeps.items():
        kept = SWEEPS[name]([v.callspec.params for v in variants])
        for i, variant in enumerate(variants):
            if i not in kept:
                variant.add_marker(slow)
