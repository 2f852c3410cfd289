"""Sweeps whose variants are slow but for a few: the rules pick what they say, and name tests that there are."""

import ast
import itertools
from pathlib import Path

import numpy as np
import pytest
import thinning
from optable import OPS

VARIANTS = [{"shape": s, "name": n, "dtype": d} for s, n, d in itertools.product([(1, 2), (3, 2)], "abcd", range(5))]


def chosen(rule, variants=VARIANTS):
    return [variants[i] for i in sorted(rule(variants))]


def test_pairs_meet():
    found = chosen(thinning.pairs)
    assert {(v["name"], v["dtype"]) for v in found} == set(itertools.product("abcd", range(5)))
    assert {(v["shape"], v["dtype"]) for v in found} == set(itertools.product([(1, 2), (3, 2)], range(5)))
    assert len(found) <= 24


def test_elements_of_tuples_are_parameters():
    orders = [{"order": order} for order in itertools.product("abcd", repeat=3)]
    found = [v["order"] for v in chosen(thinning.pairs, orders)]
    for i, j in itertools.combinations(range(3), 2):
        assert {(o[i], o[j]) for o in found} == set(itertools.product("abcd", repeat=2))
    assert len(found) <= 24


def test_other_rules():
    assert len(chosen(thinning.values)) == 5
    assert chosen(thinning.first(lambda v: v["name"])) == [VARIANTS[i] for i in (0, 5, 10, 15)]
    assert chosen(thinning.either(thinning.where(lambda v: v["dtype"] == 9), lambda v: {7})) == [VARIANTS[7]]


def test_few_cases_have_every_shape_and_every_kind_of_dtype():
    for op in OPS:
        cases, few = op.cases(), op.few_cases()
        assert [case for case in cases if case in few] == few
        assert {s for s, _ in few} == {s for s, _ in cases}
        kinds = [{tuple(map(thinning.kind, d)) for _, d in some} for some in (cases, few)]
        assert kinds[0] == kinds[1]
    single, double, half = [thinning.kind(np.dtype(name)) for name in ("float32", "float64", "float16")]
    assert single == double != half


@pytest.mark.parametrize("name", thinning.SWEEPS)
def test_sweeps_are_tests_with_parameters(name):
    file, function = name.split("::")
    tree = ast.parse((Path(__file__).parent / f"{file}.py").read_text())
    (found,) = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == function]
    assert found.decorator_list
