"""``ds``: slices of static size at positions that may be traced."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp

X = jnp.arange(24).reshape(2, 3, 4)


def slices(part):
    """Where a slice that is inside begins and ends, as NumPy says it."""
    return slice(int(part.start), int(part.start) + (part.size - 1) * part.stride + 1, part.stride)


INDICES = [
    lambda i: fungrad.ds(i(1), 1),
    lambda i: (0, fungrad.ds(i(1), 2)),
    lambda i: (Ellipsis, fungrad.ds(i(1), 2)),
    lambda i: (Ellipsis, fungrad.ds(i(0), 2, 3)),
    lambda i: (fungrad.ds(i(0), 2), None, fungrad.ds(i(1), 1), slice(None, None, -1)),
    lambda i: (fungrad.ds(i(1), 1), np.array([0, 2]), fungrad.ds(i(1), 2)),
    lambda i: (np.array([0, 1]), fungrad.ds(i(1), 2), np.array([0, 3])),
    lambda i: (np.array([True, False]), fungrad.ds(i(0), 2, 2)),
    lambda i: (jnp.int32(1), fungrad.ds(i(0), 2)),
]


@pytest.mark.parametrize("number", range(len(INDICES)))
@pytest.mark.parametrize("kind", ["static", "array", "traced"])
def test_reads_and_writes_are_those_of_slices(number, kind):
    def run(f):
        if kind == "traced":
            return fungrad.jit(lambda zero: f(INDICES[number](lambda start: zero + start)))(0)
        return f(INDICES[number](int if kind == "static" else jnp.int32))

    index = INDICES[number](int)
    parts = index if isinstance(index, tuple) else (index,)
    plain = tuple([slices(p) if type(p).__name__ == "Slice" else p for p in parts])
    expected = np.asarray(X)[tuple([int(p) if isinstance(p, fungrad.Array) else p for p in plain])]
    np.testing.assert_array_equal(run(lambda i: X[i]), expected)
    np.testing.assert_array_equal(run(lambda i: X.at[i].get(mode="fill")), expected)
    np.testing.assert_array_equal(run(lambda i: X.at[i].set(-1)), X.at[plain].set(-1))
    np.testing.assert_array_equal(run(lambda i: X.at[i].add(X[i])), X.at[plain].add(expected))


def test_what_does_not_fit():
    x = jnp.arange(10)
    for i in (8, jnp.int32(8)):
        assert x[fungrad.ds(i, 5)].tolist() == [5, 6, 7, 8, 9]
        assert (x.at[fungrad.ds(i, 5)].set(0) == x).all()
        assert x.at[fungrad.ds(i, 5)].get(mode="fill", fill_value=-1).tolist() == [-1] * 5
        assert x[fungrad.ds(i - 2, 3, 2)].tolist() == [6, 8, 9]
        assert x.at[fungrad.ds(i - 2, 3, 2)].set(0).tolist() == [0, 1, 2, 3, 4, 5, 0, 7, 0, 9]
    assert x[fungrad.ds(-2, 2)].tolist() == x[fungrad.ds(jnp.int32(-2), 2)].tolist() == [8, 9]
    with pytest.raises(TypeError, match="is longer than dimension 0"):
        x[fungrad.ds(0, 11)]
    assert x[fungrad.ds(None)].tolist() == x.tolist() and x[fungrad.ds(4)].tolist() == [0, 1, 2, 3]


def test_references_and_transformations():
    ref = fungrad.new_ref(jnp.arange(10))

    @fungrad.jit
    def f(i):
        ref[fungrad.ds(i, 2)] = jnp.array([7, 8])
        return ref[fungrad.ds(i + 1, 2)]

    assert f(3).tolist() == [8, 5] and ref[...].tolist() == [0, 1, 2, 7, 8, 5, 6, 7, 8, 9]
    x = jnp.arange(5.0)
    assert fungrad.grad(lambda x: (x[fungrad.ds(jnp.int32(1), 2)] ** 2).sum())(x).tolist() == [0, 2, 4, 0, 0]
    assert fungrad.vmap(lambda i: x[fungrad.ds(i, 2)])(jnp.arange(3)).tolist() == [[0, 1], [1, 2], [2, 3]]
