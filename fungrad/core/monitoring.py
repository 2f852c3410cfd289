"""Events that happen in the library, and who listens to them: see ``fungrad.monitoring``.

May import nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Listener = Callable[..., None]

_events: list[Listener] = []
_durations: list[Listener] = []
_spans: list[Listener] = []
_scalars: list[Listener] = []

# The events of the library itself; their names are those of JAX.
TRACING = "/jax/core/compile/jaxpr_trace_duration"
PLANNING = "/jax/core/compile/jaxpr_to_mlir_module_duration"
COMPILING = "/jax/core/compile/backend_compile_duration"
CACHE_HIT = "/jax/compilation_cache/cache_hits"
CACHE_MISS = "/jax/compilation_cache/cache_misses"
CACHE_USED = "/jax/compilation_cache/compile_requests_use_cache"


def record_event(event: str, **kwargs: str | int) -> None:
    """Tells the listeners that something has happened.

    Args:
      event: name of the event, by convention a path such as ``/mylib/cache_miss``.
      **kwargs: more about it.
    """
    for listener in list(_events):
        listener(event, **kwargs)


def record_event_duration_secs(event: str, duration: float, **kwargs: str | int) -> None:
    """Tells the listeners how long something has taken.

    Args:
      event: name of the event.
      duration: seconds.
      **kwargs: more about it.
    """
    for listener in list(_durations):
        listener(event, duration, **kwargs)


def record_event_time_span(event: str, start_time: float, end_time: float, **kwargs: str | int) -> None:
    """Tells the listeners when something has begun and ended.

    Args:
      event: name of the event.
      start_time: seconds.
      end_time: seconds.
      **kwargs: more about it.
    """
    for listener in list(_spans):
        listener(event, start_time, end_time, **kwargs)


def record_scalar(event: str, value: float | int, **kwargs: str | int) -> None:
    """Tells the listeners a number.

    Args:
      event: what it is.
      value: the number.
      **kwargs: more about it.
    """
    for listener in list(_scalars):
        listener(event, value, **kwargs)


def register_event_listener(callback: Listener) -> None:
    """Lets a function know of every event.

    Args:
      callback: called as ``callback(event, **kwargs)``.

    Example:
      >>> from fungrad import monitoring
      >>> seen = []
      >>> listener = lambda event, **kwargs: seen.append((event, kwargs))
      >>> monitoring.register_event_listener(listener)
      >>> monitoring.record_event("/mylib/restart", host=3)
      >>> seen
      [('/mylib/restart', {'host': 3})]
      >>> monitoring.unregister_event_listener(listener)
    """
    _add(_events, callback, "register_event_listener")


def register_event_duration_secs_listener(callback: Listener) -> None:
    """Lets a function know how long things take; of the library itself, tracing and compiling.

    Args:
      callback: called as ``callback(event, duration, **kwargs)``.

    Example:
      >>> import fungrad
      >>> from fungrad import monitoring
      >>> seen = []
      >>> listener = lambda event, seconds, **kwargs: seen.append(event)
      >>> monitoring.register_event_duration_secs_listener(listener)
      >>> _ = fungrad.jit(lambda x: x + 1)(2.0)
      >>> seen[0]
      '/jax/core/compile/jaxpr_trace_duration'
      >>> monitoring.unregister_event_duration_listener(listener)
    """
    _add(_durations, callback, "register_event_duration_secs_listener")


def register_event_time_span_listener(callback: Listener) -> None:
    """Lets a function know when things begin and end.

    Args:
      callback: called as ``callback(event, start_time, end_time, **kwargs)``.
    """
    _add(_spans, callback, "register_event_time_span_listener")


def register_scalar_listener(callback: Listener) -> None:
    """Lets a function know of numbers.

    Args:
      callback: called as ``callback(event, value, **kwargs)``.
    """
    _add(_scalars, callback, "register_scalar_listener")


def unregister_event_listener(callback: Listener) -> None:
    """Takes a listener back.

    Args:
      callback: the function that was registered.

    Raises:
      ValueError: it is not registered.
    """
    _remove(_events, callback, "unregister_event_listener")


def unregister_event_duration_listener(callback: Listener) -> None:
    """Takes a listener back.

    Args:
      callback: the function that was registered.

    Raises:
      ValueError: it is not registered.
    """
    _remove(_durations, callback, "unregister_event_duration_listener")


def unregister_event_time_span_listener(callback: Listener) -> None:
    """Takes a listener back.

    Args:
      callback: the function that was registered.

    Raises:
      ValueError: it is not registered.
    """
    _remove(_spans, callback, "unregister_event_time_span_listener")


def unregister_scalar_listener(callback: Listener) -> None:
    """Takes a listener back.

    Args:
      callback: the function that was registered.

    Raises:
      ValueError: it is not registered.
    """
    _remove(_scalars, callback, "unregister_scalar_listener")


def clear_event_listeners() -> None:
    """Takes all listeners back, of every kind."""
    for listeners in (_events, _durations, _spans, _scalars):
        listeners.clear()


def _add(listeners: list[Listener], callback: Any, api: str) -> None:
    if not callable(callback):
        raise TypeError(
            f"fungrad.monitoring.{api}: callback must be a function, got {callback!r} of type {type(callback).__name__}"
        )
    listeners.append(callback)


def _remove(listeners: list[Listener], callback: Any, api: str) -> None:
    if callback not in listeners:
        raise ValueError(f"fungrad.monitoring.{api}: {callback!r} is not registered")
    listeners.remove(callback)
