"""Options that users make themselves."""

import fungrad


def test_user_contexts():
    first, second = fungrad.make_user_context(), fungrad.make_user_context("a")
    traced = []

    @fungrad.jit
    def f(x):
        traced.append((first.value, second.value))
        return x

    for values in ((None, "a"), (2, "a"), (2, "b"), (2, "a"), (None, "a")):
        with first(values[0]), second(values[1]):
            f(1.0)
    assert traced == [(None, "a"), (2, "a"), (2, "b")]
    first.set_global(2)
    try:
        f(1.0)
        assert first.get_global() == first.value == 2 and len(traced) == 3
    finally:
        first.set_global(None)
    assert first.value is None
