"""Where ``core.ir`` finds the printer: ``core.printing`` imports the IR, so the IR cannot import it."""

from __future__ import annotations

from collections.abc import Callable

eqn_text: Callable[..., str] = object.__repr__
jaxpr_text: Callable[..., str] = object.__repr__
jaxpr_html: Callable[..., str] = object.__repr__


def install(eqn: Callable[..., str], jaxpr: Callable[..., str]) -> None:
    """Sets the functions behind ``repr`` of equations and jaxprs; called once by ``core.printing``."""
    global eqn_text, jaxpr_text
    eqn_text, jaxpr_text = eqn, jaxpr


def install_html(jaxpr: Callable[..., str]) -> None:
    """Sets the function behind ``_repr_html_`` of jaxprs; called once by ``drawing``."""
    global jaxpr_html
    jaxpr_html = jaxpr
