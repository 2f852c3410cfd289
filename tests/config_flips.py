"""Programs under options that change what they compute, run by ``test_config_flips`` in a process of its own.

A process that has only imported the library is forked: for each option one child that sets it and runs all programs,
and a last one that switches options back and forth around the same programs. What they give must agree.
"""

import json
import os
import sys
import warnings

import numpy as np

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, nn, random
from fungrad.config import _SEMANTIC, config

X = np.arange(6, dtype=np.float32).reshape(2, 3)
OPTIONS = [
    ("enable_x64", True), ("numpy_dtype_promotion", "strict"), ("numpy_rank_promotion", "raise"),
    ("strict_index", True), ("disable_jit", True), ("debug_nans", True), ("debug_infs", True),
    ("debug_key_reuse", True), ("default_prng_impl", "rbg"), ("enable_custom_prng", True),
    ("legacy_prng_key", "error"), ("random_seed_offset", 5), ("high_dynamic_range_gumbel", True),
    ("flush_subnormals", False),
]  # fmt: skip
# Those that change nothing: results are those without them.
WITHOUT_EFFECT = [
    ("softmax_custom_jvp", True), ("allow_f16_reductions", False), ("default_matmul_precision", "float32"),
    ("threads", 1), ("check_tracer_leaks", True),
]  # fmt: skip


@fungrad.custom_jvp
def doubled(x):
    return x * 2 + jnp.arange(3).sum()


@doubled.defjvp
def _(primals, tangents):
    return doubled(*primals), tangents[0] * jnp.asarray(2.0) + 0 * jnp.arange(2.0).sum()


def created(x):
    return jnp.arange(3), jnp.linspace(0, 1, 3), jnp.asarray([1, 2.5]), jnp.zeros(2), x.astype(int).sum(), x > 1


def promoted(x):
    halves = x.astype("float16")
    return jnp.int8(3) + jnp.arange(2) / 2, jnp.mean(jnp.arange(4)), halves.sum(), nn.softmax(halves), halves @ halves.T


def mixed(x):
    return x + jnp.arange(3)


def ranked(x):
    return x + x[0]


def outside(x):
    return x[jnp.array([0, 5])], x.at[jnp.array([7])].set(1.0)


def tiny(x):
    return x[0, 1] * 1e-38 / 4


def poles(x):
    return 1 / x


def roots(x):
    return jnp.sqrt(x - 1)


def drawn(x):
    key = random.key(3)
    return random.normal(key, (2,)), random.key_data(random.split(random.key(4))), random.gumbel(random.key(5), (2,))


def drawn_raw(x):
    key = random.PRNGKey(3)
    return random.bits(key), key.ndim


def reused(x):
    key = random.key(3)
    return random.bits(key), random.bits(key)


def looped(x):
    return (
        lax.fori_loop(0, 3, lambda i, c: c + i, 0),
        lax.scan(lambda c, y: (c + y, 2 * c), 0.0, jnp.arange(3.0)),
        lax.cond(x[0, 0] > 0, lambda: jnp.asarray(1), lambda: jnp.asarray(2)),
    )


inner = fungrad.jit(lambda x: doubled(x) + jnp.sin(x) * jnp.arange(2.0).sum())
slope, checkpointed = fungrad.jit(fungrad.grad(inner)), fungrad.grad(fungrad.checkpoint(inner))


def derivatives(x):
    y = x[0, 1]
    return slope(y), fungrad.vmap(fungrad.grad(inner))(x[0]), checkpointed(y), fungrad.jvp(inner, (y,), (y,))


EAGER = [created, promoted, mixed, ranked, outside, poles, roots, drawn, drawn_raw, reused, looped, derivatives]
# One compiled function for what raises nowhere together, since each is compiled for each option.
COMPILED = [
    fungrad.jit(f)
    for f in (
        mixed, ranked, outside, tiny, poles, roots, drawn_raw, reused,
        lambda x: (created(x), promoted(x), drawn(x), looped(x), fungrad.grad(doubled)(1.0)),
    )
]  # fmt: skip
PROGRAMS = [*EAGER, *COMPILED]


def text(f):
    def leaf(x):
        aval = getattr(x, "aval", None)
        return str(x) if aval is None else f"{aval.str_short()} {aval.weak_type} {np.asarray(x).tolist()}"

    try:
        return [leaf(x) for x in fungrad.tree.leaves(f(jnp.asarray(X)))]
    except Exception as error:  # noqa: BLE001 - an error is an answer too
        return type(error).__name__


def run():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [text(f) for f in PROGRAMS]


def under(name, value):
    with config.override(name, value):
        return run()


def child(f):
    """What ``f`` returns in a fork of this process."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        with os.fdopen(write, "w") as out:
            json.dump(f(), out)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        answer = json.load(file)
    os.waitpid(pid, 0)
    return answer


def flipped(plain, fresh):
    wrong = []

    def compare(when, got, wanted):
        wrong.extend(
            f"{when}: program {i}, {PROGRAMS[i].__name__}: {a}, and in a fresh process {b}"
            for i, (a, b) in enumerate(zip(got, wanted, strict=True))
            if a != b
        )

    compare("first", run(), plain)
    for (name, value), wanted in zip(OPTIONS, fresh, strict=True):
        compare(f"{name}={value}", under(name, value), wanted)
        compare(f"after {name}={value}", run(), plain)
    for name, value in WITHOUT_EFFECT:
        compare(f"{name}={value}", under(name, value), plain)
    return wrong


if __name__ == "__main__":
    missing = set(_SEMANTIC) - {name for name, _ in OPTIONS}
    assert not missing, f"options that change results and are not tried: {missing}"
    plain = child(run)
    fresh = [child(lambda option=option: under(*option)) for option in OPTIONS]
    changed = {name for (name, _), answers in zip(OPTIONS, fresh, strict=True) if answers != plain}
    assert changed >= set(_SEMANTIC), f"no program tells that these are on: {set(_SEMANTIC) - changed}"
    wrong = child(lambda: flipped(plain, fresh))
    print("\n".join(wrong))
    sys.exit(bool(wrong))
