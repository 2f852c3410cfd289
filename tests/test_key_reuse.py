"""``debug_key_reuse``: keys used twice are reported with both lines; what is no reuse is not."""

from __future__ import annotations

import re

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, random
from fungrad.errors import KeyReuseError

TWICE = r"random key was used before, by {} at .*test_key_reuse\.py:\d+, and is used again at .*test_key_reuse\.py:\d+"


@pytest.fixture(autouse=True)
def followed():
    with fungrad.debug_key_reuse():
        yield


@pytest.mark.parametrize("make", [random.key, random.PRNGKey])
def test_a_second_draw(make):
    key = make(0)
    random.normal(key)
    with pytest.raises(KeyReuseError, match=TWICE.format("fungrad.random.normal")) as caught:
        random.uniform(key)
    assert str(caught.value).startswith("fungrad.random.uniform")
    lines = [int(n) for n in re.findall(r"py:(\d+)", str(caught.value))]
    assert lines[1] == lines[0] + 2


def test_a_draw_after_splitting():
    key = random.key(0)
    a, b = random.split(key)
    random.normal(a)
    random.gamma(b, 2.0)
    with pytest.raises(KeyReuseError, match=TWICE.format("fungrad.random.split")):
        random.normal(key)
    with pytest.raises(KeyReuseError):
        random.permutation(b, 3)


def test_what_is_no_reuse():
    key = random.key(0)
    for i in range(3):
        random.normal(random.fold_in(key, i))
    random.normal(random.clone(key))
    random.key_data(key)
    random.choice(random.fold_in(key, 7), 5, (2,))
    random.multivariate_normal(random.fold_in(key, 8), jnp.zeros(2), jnp.eye(2))
    random.orthogonal(random.fold_in(key, 9), 2)
    random.normal(key)
    keys = random.split(random.key(1), 3)
    fungrad.vmap(random.normal)(keys)
    np.testing.assert_array_equal(random.uniform(random.clone(keys[0])), random.uniform(keys[0]))
    key = random.key(2)
    for _ in range(3):
        key, sub = random.split(key)
        random.poisson(sub, 3.0)


def test_in_compiled_functions():
    def twice(key):
        return random.normal(key) + random.uniform(key)

    with pytest.raises(KeyReuseError, match=TWICE.format("fungrad.random.normal")):
        fungrad.jit(twice)(random.key(0))
    once = fungrad.jit(lambda key, x: random.normal(key) * x)
    for seed in range(3):
        once(random.key(seed), 1.0)
    key = random.key(5)
    once(key, 1.0)
    for _ in range(2):
        with pytest.raises(KeyReuseError, match="fungrad.jit of <lambda>"):
            once(key, 2.0)
    free = fungrad.jit(lambda key: random.fold_in(key, 1))
    kept = random.key(6)
    free(kept)
    free(kept)


@pytest.mark.parametrize(
    "program",
    [
        lambda key: fungrad.jit(random.normal)(key),
        lambda key: lax.scan(lambda k, _: tuple(random.split(k)), key, None, length=3)[1],
        lambda key: lax.cond(True, lambda k: random.normal(k), lambda k: random.uniform(k), key),
        lambda key: fungrad.vmap(lambda k: random.normal(k))(random.split(key, 2)),
        lambda key: fungrad.grad(lambda x, k: random.normal(k) * x)(1.0, key),
    ],
)
def test_through_other_transformations(program):
    compiled = fungrad.jit(program)
    key = random.key(0)
    compiled(key)
    with pytest.raises(KeyReuseError):
        compiled(key)


def test_switched_off():
    with fungrad.debug_key_reuse(False):
        key = random.key(0)
        assert random.normal(key) == random.normal(key)
        f = fungrad.jit(random.normal)
        assert f(key) == f(key)
