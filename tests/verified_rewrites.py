"""Every rewrite of the loop IR is followed by the verifier, in all tests.

A rewrite that leaves a program behind which is not well formed is found where it happens, in whatever test compiles
such a program, and not by the wrong value or the internal error that may follow.
"""

import functools

from fungrad.jit import buffers, compile, regions, runtime
from fungrad.jit.emit import program as emission
from fungrad.jit.loop_check import check, check_nests


def install(patch):
    """Puts the verifier behind the rewrites, by a `pytest.MonkeyPatch`."""
    for module, name in (
        (compile, "interchange"),
        (regions, "merge"),
        (buffers, "reuse"),
        (buffers, "drop_empty_copies"),
        (buffers, "arrange"),
    ):
        patch.setattr(module, name, _changing(getattr(module, name)))
    for module, name in (
        (compile, "build_program"),
        (runtime, "restructured"),
        (runtime, "grouped"),
        (runtime, "side_by_side"),
    ):
        patch.setattr(module, name, _making(getattr(module, name)))
    for name in ("lazily", "schedule"):
        patch.setattr(emission, name, _of_nest(getattr(emission, name)))


def _changing(rewrite):
    """A rewrite that changes its program."""

    @functools.wraps(rewrite)
    def checked(program, *args):
        result = rewrite(program, *args)
        check(program)
        return result

    return checked


def _making(rewrite):
    """A rewrite that returns a program."""

    @functools.wraps(rewrite)
    def checked(*args):
        program = rewrite(*args)
        check(program)
        return program

    return checked


def _of_nest(rewrite):
    """A rewrite of one nest of a program."""

    @functools.wraps(rewrite)
    def checked(program, *args):
        result = rewrite(program, *args)
        check_nests(program, result if isinstance(result, list) else [result])
        return result

    return checked
