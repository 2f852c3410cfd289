"""Errors that depend on values, as values: ``checkify`` and the checks that it collects."""

from fungrad.control.checkify import (
    Error,
    all_checks,
    automatic_checks,
    check,
    check_error,
    checkify,
    div_checks,
    float_checks,
    index_checks,
    init_error,
    jax_debug_check as debug_check,
    nan_checks,
    user_checks,
)
from fungrad.core.public_names import publish
from fungrad.errors import RuntimeCheckError

JaxRuntimeError = RuntimeCheckError

__all__ = [
    "Error",
    "JaxRuntimeError",
    "all_checks",
    "automatic_checks",
    "check",
    "check_error",
    "checkify",
    "debug_check",
    "div_checks",
    "float_checks",
    "index_checks",
    "init_error",
    "nan_checks",
    "user_checks",
]

publish(globals(), __name__, __all__, early=("checkify",))
