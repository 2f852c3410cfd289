"""``jax.monitoring``: events that libraries record, and the functions that are told of them."""

from collections.abc import Callable
from typing import Any

from fungrad.compat.rows import Row, adapter

_KINDS = ("event", "event_duration", "event_time_span", "scalar")

_listeners: dict[str, list[Callable]] = {kind: [] for kind in _KINDS}


def _recorder(kind: str) -> Callable:
    """A function that tells the listeners of ``kind``."""

    def record(event: str, *values: Any, **metadata: Any) -> None:
        """Tells each listener of the event, of its values and of what else is said about it."""
        for listener in list(_listeners[kind]):
            listener(event, *values, **metadata)

    return record


def _adder(kind: str) -> Callable:
    """A function that adds a listener of ``kind``."""
    return lambda callback: _listeners[kind].append(callback)


def _remover(kind: str) -> Callable:
    """A function that removes a listener of ``kind``; it raises if it is not there."""

    def unregister(callback: Callable) -> None:
        """Removes the listener."""
        if callback not in _listeners[kind]:
            raise AssertionError(f"jax.monitoring: {callback!r} is no listener of this kind")
        _listeners[kind].remove(callback)

    return unregister


def _clear() -> None:
    """Removes all listeners."""
    for listeners in _listeners.values():
        listeners.clear()


NAMES: dict[str, Row] = {
    "clear_event_listeners": adapter(_clear),
    "record_event": adapter(_recorder("event"), "orbax"),
    "record_event_duration_secs": adapter(_recorder("event_duration"), "orbax"),
    "record_event_time_span": adapter(_recorder("event_time_span")),
    "record_scalar": adapter(_recorder("scalar"), "orbax"),
    "register_event_listener": adapter(_adder("event"), "orbax"),
    "register_event_duration_secs_listener": adapter(_adder("event_duration"), "orbax"),
    "register_event_time_span_listener": adapter(_adder("event_time_span")),
    "register_scalar_listener": adapter(_adder("scalar"), "orbax"),
    "unregister_event_listener": adapter(_remover("event"), "orbax"),
    "unregister_event_duration_listener": adapter(_remover("event_duration"), "orbax"),
    "unregister_event_time_span_listener": adapter(_remover("event_time_span")),
    "unregister_scalar_listener": adapter(_remover("scalar"), "orbax"),
}
