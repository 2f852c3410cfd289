"""``debug.breakpoint``: what the prompt shows, under every transformation."""

import io

import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax

TEN = 10


class Session:
    """Commands for prompts, and what they wrote."""

    def __init__(self, *commands):
        self.stdin, self.stdout = io.StringIO("\n".join(commands) + "\n"), io.StringIO()

    def stop(self, **options):
        # One frame of this class stands between the prompt and the function under test.
        fungrad.debug.breakpoint(stdin=self.stdin, stdout=self.stdout, **options)

    @property
    def answers(self):
        """Lines that are no source."""
        lines = self.stdout.getvalue().splitlines()
        return [x for x in lines if not x.startswith(("->", "  ", ">", "Stopped"))]


@pytest.mark.parametrize("wrap", [lambda f: f, fungrad.jit], ids=["eager", "jit"])
def test_commands(wrap):
    s = Session("p x + 1", "pp y", "x * TEN", "y['a'][1]", "1 / 0", "nothing", "", "c")

    def f(x):
        y = {"a": (x * 2.0, "text"), "b": [None, 3]}
        fungrad.debug.breakpoint(stdin=s.stdin, stdout=s.stdout)
        return y["a"][0]

    assert float(wrap(f)(jnp.float32(1.5))) == 3.0
    assert s.answers == [
        "Array(2.5, dtype=float32)",
        "{'a': (Array(3., dtype=float32), 'text'), 'b': [None, 3]}",
        "Array(15., dtype=float32)",
        "'text'",
        "*** ZeroDivisionError: division by zero",
        "*** NameError: name 'nothing' is not defined",
    ]
    shown = s.stdout.getvalue()
    assert "Stopped in " in shown and "test_breakpoint.py" in shown and "(f); h for help" in shown
    assert "stdin=s.stdin, stdout=s.stdout)" in next(x for x in shown.splitlines() if x.startswith("->"))


def test_frames():
    s = Session("x", "u", "z", "x", "d", "x", "d", "w", "locals", "l", "h", "h p", "c")

    def inner(x):
        fungrad.debug.breakpoint(stdin=s.stdin, stdout=s.stdout, num_frames=2)
        return x

    @fungrad.jit
    def outer(z):
        x = (z, [3.0, z + 1.0])
        return inner(z * 5.0) + x[0]

    assert float(outer(jnp.float32(2.0))) == 12.0
    shown = s.stdout.getvalue()
    assert s.answers[:5] == [
        "Array(10., dtype=float32)",
        "Array(2., dtype=float32)",
        "(Array(2., dtype=float32), [3.0, Array(3., dtype=float32)])",
        "Array(10., dtype=float32)",
        "This is the innermost frame.",
    ]
    assert "(outer)" in shown and "(inner)" in shown and "x = Array(10., dtype=float32)" in shown
    assert "p EXPRESSION: the value of an expression." in shown
    s = Session("u", "c")
    fungrad.jit(lambda x: (s.stop(num_frames=1), x)[1])(1.0)
    assert s.answers == ["This is the outermost frame."]


def test_transformations():
    def stop_at(s):
        def f(x):
            y = jnp.sin(x)
            fungrad.debug.breakpoint(stdin=s.stdin, stdout=s.stdout)
            return y

        return f

    for wrap in (lambda f: f, fungrad.jit):
        s = Session("x", "c", "x", "c")
        wrap(fungrad.vmap(stop_at(s)))(jnp.array([1, 2]))
        assert s.answers == ["Array(1, dtype=int32)", "Array(2, dtype=int32)"]
        s = Session("x", "c")
        assert float(wrap(fungrad.grad(stop_at(s)))(jnp.float32(0.0))) == 1.0
        assert s.answers == ["Array(0., dtype=float32)"]
        s = Session(*["c0", "c"] * 3)

        def body(c0, _, s=s):
            fungrad.debug.breakpoint(stdin=s.stdin, stdout=s.stdout, ordered=True)
            return c0 + 1, None

        wrap(lambda x, body=body: lax.scan(body, x, None, length=3)[0])(jnp.int32(0))
        assert s.answers == [f"Array({i}, dtype=int32)" for i in range(3)]
        s = Session("x", "c")
        wrap(lambda p, x, f=stop_at(s): lax.cond(p, f, lambda x: x, x))(True, jnp.float32(2.0))
        assert s.answers == ["Array(2., dtype=float32)"]
        s = Session("x", "c")
        wrap(lambda x, f=stop_at(s): lax.while_loop(lambda c: c > 0.48, f, x))(jnp.float32(0.49))
        assert s.answers == ["Array(0.49, dtype=float32)"]


def test_variables_of_enclosing_transformations():
    s = Session("x + y", "c", "x + y", "c")

    def f(x):
        def g(y):
            fungrad.debug.breakpoint(stdin=s.stdin, stdout=s.stdout)
            return x * y

        return fungrad.grad(g)(x)

    fungrad.jit(fungrad.vmap(f))(jnp.array([1.0, 2.0]))
    assert s.answers == ["Array(2., dtype=float32)", "Array(4., dtype=float32)"]


def test_quit_and_end_of_input():
    for commands in (["q"], ["x"], ["exit"]):
        s = Session(*commands)

        @fungrad.jit
        def f(x, s=s):
            s.stop()
            return x

        with pytest.raises(SystemExit):
            f(1.0)


def test_token_and_odd_variables():
    s = Session("x", "odd", "c")

    class Odd:
        def __repr__(self):
            return "odd!"

    def f(x):
        odd = {1: Odd(), "one": 2, None: (3, [Odd()])}  # noqa: F841 - looked at in the prompt
        return fungrad.debug.breakpoint(token=x * 2.0, stdin=s.stdin, stdout=s.stdout)

    assert float(fungrad.jit(f)(jnp.float32(1.0))) == 2.0
    assert s.answers == ["Array(1., dtype=float32)", "{1: odd!, 'one': 2, None: (3, [odd!])}"]
    s = Session("c")
    fungrad.jit(lambda x: (fungrad.debug.breakpoint(token=x, stdin=s.stdin, stdout=s.stdout), x)[1])(1.0)
    assert s.stdout.getvalue() == ""  # nothing needed the token


def test_errors():
    with pytest.raises(ValueError, match="backend must be 'cli' or None, got 'web'"):
        fungrad.debug.breakpoint(backend="web")
    with pytest.raises(TypeError, match="unknown argument 'stdinn'"):
        fungrad.debug.breakpoint(stdinn=None)
    with pytest.raises(ValueError, match="exclude each other"):
        fungrad.debug.breakpoint(token=1.0, ordered=True)
