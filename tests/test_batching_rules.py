"""Batching rules keep no promise of one example for a batch: examples with the same, permuted and shared operands.

What holds for one example, such as that no position comes twice, need not hold between examples.  So every row of the
op table is mapped over batches in which examples meet, and its results and pulled back cotangents must be those of the
examples one by one; a cotangent of what examples share is the sum of theirs.
"""

import itertools

import numpy as np
import pytest
from optable import OPS
from optable_base import TOLERANCE, array, as_list, is_inexact

import fungrad
from fungrad.transforms.api import vjp
from fungrad.transforms.mapping import vmap

# Which of the samples each example gets.
BATCHES = {"the same": (0, 0, 0), "permuted": (1, 0, 1), "different": (0, 1, 2)}


def axes_of(shapes):
    """Which operands are mapped: every one of them, each alone, and all but one."""
    n = len(shapes)
    chosen = {(0,) * n, *[tuple(0 if k == i else None for k in range(n)) for i in range(n)]}
    chosen |= {tuple(None if k == i else 0 for k in range(n)) for i in range(n)} if n > 1 else set()
    return sorted(chosen, key=str)


def cotangents(outs, seed):
    rng = np.random.default_rng(seed)
    return [array(rng.uniform(0.5, 2, x.shape).astype(x.dtype)) for x in outs]


def close(got, wanted, tolerance, what):
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.shape == wanted.shape, what
    if not is_inexact(wanted.dtype):
        np.testing.assert_array_equal(got, wanted, err_msg=what)
        return
    wide = np.complex128 if wanted.dtype.kind == "c" else np.float64
    got, wanted = got.astype(wide), wanted.astype(wide)
    size = np.abs(wanted[np.isfinite(wanted)]).max(initial=1.0)
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance * size, err_msg=what)


def check(op, shapes, dtypes, transform=lambda f: f):
    samples = [op.sample(shapes, dtypes, seed=k) for k in range(3)]
    positions = [i for i, d in enumerate(dtypes) if is_inexact(d) and (op.diff is None or i in op.diff)]
    if not op.order:
        positions = []
    tolerance = 64 * max([TOLERANCE.get(d.name, 0) for d in dtypes] + [*op.rtol.values(), 1e-6])

    def restricted(operands, axes=None):
        """The inexact results as a function of the operands that are differentiated."""
        run = op.call if axes is None else vmap(op.call, in_axes=axes)

        def fun(*xs):
            full = list(operands)
            for i, x in zip(positions, xs, strict=True):
                full[i] = x
            return [x for x in as_list(run(*full)) if is_inexact(x.dtype)]

        return fun

    for (name, which), axes in itertools.product(BATCHES.items(), axes_of(shapes)):
        what = f"{op.name} {shapes}, {name}, in_axes={axes}"
        examples = [[samples[k if a == 0 else 0][i] for i, a in enumerate(axes)] for k in which]
        batch = [
            array(np.stack([e[i] for e in examples]) if a == 0 else examples[0][i]) for i, a in enumerate(axes)
        ]
        examples = [[array(x) for x in e] for e in examples]
        outs = as_list(transform(vmap(op.call, in_axes=axes))(*batch))
        for j, o in enumerate(outs):
            wanted = np.stack([np.asarray(as_list(op.call(*e))[j]) for e in examples])
            close(o, wanted, tolerance, what)
        if not positions:
            continue

        def pull(*xs, batch=batch, axes=axes):
            outs, back = vjp(restricted(batch, axes), *xs)
            return back(cotangents(outs, 3))

        found = transform(pull)(*[batch[i] for i in positions])
        each = []
        cts = cotangents([x for x in outs if is_inexact(x.dtype)], 3)
        for k, e in enumerate(examples):
            _, back = vjp(restricted(e), *[e[i] for i in positions])
            each.append(back([ct[k] for ct in cts]))
        for j, (g, i) in enumerate(zip(found, positions, strict=True)):
            parts = [np.asarray(e[j]) for e in each]
            close(g, np.stack(parts) if axes[i] == 0 else sum(parts), tolerance, f"{what}: gradient {i}")


MAPPED = [op for op in OPS if op.arity]
rows = pytest.mark.parametrize("op", MAPPED, ids=[op.name for op in MAPPED])


def cases(op):
    return op.gradient_cases()[:2] if op.order else op.cases()[:2]


@rows
def test_examples_that_meet(op):
    for shapes, dtypes in cases(op)[:1]:
        check(op, shapes, dtypes)


@pytest.mark.slow
@rows
def test_examples_that_meet_in_compiled_code(op):
    for shapes, dtypes in cases(op):
        check(op, shapes, dtypes, fungrad.jit)
