"""Reads and writes at no positions of an axis of size 0: empty results, in every transformation."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as fnp
from fungrad import grad

EMPTY_AXES = {
    "rows": ((0, 3), lambda i: i),
    "columns": ((2, 0), lambda i: (slice(None), i)),
    "apart": ((0, 3, 2), lambda i: (i, slice(None), 1)),
    "beside a slice": ((0, 4), lambda i: (i, slice(None, None, 2))),
    "pairs": ((0, 3, 0), lambda i: (i, 1, i)),
    "new dimension": ((0, 3), lambda i: (i, None)),
    "mask": ((0, 3), lambda i: np.zeros(0, bool)),
    "whole mask": ((0, 3), lambda i: np.zeros((0, 3), bool)),
    "many": ((3, 0), lambda i: (slice(None), i.reshape(0, 2) if hasattr(i, "reshape") else i)),
}


@pytest.mark.parametrize("name", EMPTY_AXES)
def test_no_positions_in_an_axis_of_size_zero(name):
    shape, expression = EMPTY_AXES[name]
    x, i = fnp.zeros(shape), fnp.zeros(0, int)
    expected = np.zeros(shape, np.float32)[expression(np.zeros(0, int))].shape
    operations = {
        "index": (lambda x, i: x[expression(i)], expected),
        "get": (lambda x, i: x.at[expression(i)].get(mode="fill"), expected),
        "apply": (lambda x, i: x.at[expression(i)].apply(fnp.sin), shape),
    }
    for update in ("set", "add", "subtract", "multiply", "divide", "power", "min", "max"):
        operations[update] = (lambda x, i, u=update: getattr(x.at[expression(i)], u)(2.0), shape)
    for what, (f, wanted) in operations.items():
        loss = lambda x, i, f=f: f(x, i).sum()  # noqa: E731
        for run in (f, fungrad.jit(f)):
            assert run(x, i).shape == wanted, what
        for run in (grad(loss), fungrad.jit(grad(loss))):
            assert run(x, i).shape == shape, what
        for axes in ((0, None), (None, 0), (0, 0)):
            batch = [fnp.stack([v] * 2) if a == 0 else v for v, a in zip((x, i), axes, strict=True)]
            for run in (fungrad.vmap(f, axes), fungrad.jit(fungrad.vmap(f, axes))):
                out = run(*batch)
                assert out.shape in ((2, *wanted), wanted), what
            assert fungrad.vmap(grad(loss), axes)(*batch).shape == (2, *shape), what
            total = lambda x, i, f=f, axes=axes: fungrad.vmap(f, axes)(x, i).sum()  # noqa: E731
            assert grad(total)(*batch).shape == batch[0].shape, what


def test_functions_of_axes_of_size_zero():
    x, i = fnp.zeros((0, 3)), fnp.zeros(0, int)
    for f, shape in {
        lambda x, i: fnp.take(x, i, axis=0): (0, 3),
        lambda x, i: fnp.take(x, i, axis=0, mode="clip"): (0, 3),
        lambda x, i: fnp.take(x, i, axis=0, mode="wrap"): (0, 3),
        lambda x, i: fnp.take(x, i): (0,),
        lambda x, i: fnp.take_along_axis(x, i[:, None], axis=0): (0, 3),
        lambda x, i: fnp.take_along_axis(x, x[:, :0].astype(int), axis=1): (0, 0),
        lambda x, i: fnp.put_along_axis(x, i[:, None], 1.0, axis=0, inplace=False): (0, 3),
        lambda x, i: fnp.sort(x, axis=0): (0, 3),
        lambda x, i: fnp.argsort(x, axis=0): (0, 3),
        lambda x, i: fungrad.random.permutation(fungrad.random.key(0), x): (0, 3),
        lambda x, i: fungrad.random.permutation(fungrad.random.key(0), x, axis=1): (0, 3),
        lambda x, i: fungrad.random.permutation(fungrad.random.key(0), x, independent=True): (0, 3),
        lambda x, i: fungrad.lax.dynamic_slice(x, (0, 1), (0, 2)): (0, 2),
        lambda x, i: fungrad.lax.dynamic_update_slice(x, x[:, :2], (0, 1)): (0, 3),
        lambda x, i: fungrad.lax.dynamic_slice(x.T, (2, 0), (1, 0)): (1, 0),
    }.items():
        for run in (f, fungrad.jit(f)):
            out = run(x, i)
            assert out.shape == shape
        out = fungrad.vmap(f)(fnp.stack([x, x]), fnp.stack([i, i]))
        assert out.shape == (2, *shape)
    # Something to read where there is nothing stays an error, as in NumPy.
    with pytest.raises(IndexError):
        x[fnp.array([0])]
    with pytest.raises(IndexError):
        fnp.take(x, fnp.array([0]), axis=0)
    # An update of what is not there is dropped, as everywhere.
    assert fungrad.jit(lambda x, i: x.at[i].set(1.0))(x, fnp.array([0])).shape == x.shape


def test_no_different_elements():
    for f in (fungrad.jit, fungrad.vmap, lambda f: f):
        given = fnp.zeros((2, 0)) if f is fungrad.vmap else fnp.zeros(0)
        values, index, inverse, counts = f(lambda x: fnp.unique(x, True, True, True, size=0))(given)
        assert values.shape == index.shape == inverse.shape == counts.shape == given.shape
        assert f(lambda x: fnp.union1d(x, x, size=0))(given).shape == given.shape
        assert f(lambda x: fnp.setdiff1d(x, x, size=0))(given).shape == given.shape
        assert f(lambda x: fnp.intersect1d(x, x, size=0))(given).shape == given.shape


@pytest.mark.parametrize("shape", [(0,), (1, 0), (0, 1, 0)])
def test_sums_over_axes_of_length_zero_read_nothing(shape):
    x = fnp.zeros(shape)
    for f in (
        lambda x: fnp.sum(fnp.squeeze(x) * 2),
        lambda x: fnp.sum(fnp.outer(x, x)),
        lambda x: fnp.sum(x + fnp.ones((1,) * x.ndim), axis=-1).sum() + fnp.prod(x + 0j).real - 1,
        lambda x: fnp.any(fnp.squeeze(x) > 0).astype(float) + fnp.sum(fnp.squeeze(x) > 0),
    ):
        assert float(fungrad.jit(f)(x)) == 0
