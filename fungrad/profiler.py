"""Traces of what runs when, for the viewers of Chrome and Perfetto, and profiles of the memory that arrays hold.

See the page on profiling in ``docs/profiling.md``.
"""

from __future__ import annotations

import datetime
import functools
import gzip
import http.server
import json
import os
import platform
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from fungrad.core import timeline
from fungrad.core.live import live_arrays
from fungrad.core.pprof import memory_profile
from fungrad.core.public_names import publish
from fungrad.core.version import VERSION

F = TypeVar("F", bound=Callable[..., Any])

__all__ = [
    "ProfileOptions",
    "StepTraceAnnotation",
    "TraceAnnotation",
    "annotate_function",
    "device_memory_profile",
    "save_device_memory_profile",
    "start_server",
    "start_trace",
    "stop_server",
    "stop_trace",
    "trace",
]


class ProfileOptions:
    """What a trace shall contain.

    Attributes:
      host_tracer_level: 0 leaves annotations out; everything else records them.
      device_tracer_level: 0 leaves calls and compilations of programs out.
      python_tracer_level: Python functions are not recorded; has no effect.
    """

    def __init__(self) -> None:
        self.host_tracer_level = 2
        self.device_tracer_level = 1
        self.python_tracer_level = 1

    def _wants(self, category: str) -> bool:
        level = self.host_tracer_level if category in ("annotation", "step") else self.device_tracer_level
        return level > 0


class _Session:
    def __init__(self, log_dir: Path, link: bool, perfetto: bool, options: ProfileOptions):
        self.log_dir, self.link, self.perfetto, self.options = log_dir, link, perfetto, options
        self.recording = timeline.Recording()


_lock = threading.Lock()
_session: _Session | None = None
_server: _Server | None = None


def start_trace(
    log_dir: os.PathLike | str,
    create_perfetto_link: bool = False,
    create_perfetto_trace: bool = False,
    profiler_options: ProfileOptions | None = None,
) -> None:
    """Begins to record calls of compiled functions, phases of compilation, and annotations, of all threads.

    Args:
      log_dir: directory into which ``stop_trace`` writes, as
        ``plugins/profile/<time>/<host>.trace.json.gz``.
      create_perfetto_link: whether ``stop_trace`` prints an address that opens the trace in Perfetto, and waits until
        it has been loaded.
      create_perfetto_trace: whether ``stop_trace`` also writes ``perfetto_trace.json.gz``.
      profiler_options: what to record.

    Raises:
      RuntimeError: a trace is being recorded already.
    """
    global _session
    with _lock:
        if _session is not None or timeline.recording is not None:
            raise RuntimeError(
                "fungrad.profiler.start_trace: Profile has already been started. Only one profile may be run at a "
                "time; call fungrad.profiler.stop_trace first"
            )
        directory = Path(log_dir)
        _session = _Session(
            directory,
            create_perfetto_link,
            create_perfetto_trace or create_perfetto_link,
            ProfileOptions() if profiler_options is None else profiler_options,
        )
        timeline.record(_session.recording)


def stop_trace() -> None:
    """Ends the recording and writes it.

    Raises:
      RuntimeError: no trace is being recorded.
    """
    global _session
    with _lock:
        if _session is None:
            raise RuntimeError(
                "fungrad.profiler.stop_trace: No profile started; call fungrad.profiler.start_trace first"
            )
        session, _session = _session, None
        timeline.record(None)
    now = datetime.datetime.now().strftime("%Y_%m_%d_%H_%M_%S_%f")
    directory = session.log_dir / "plugins" / "profile" / now
    directory.mkdir(parents=True)
    data = json.dumps(_chrome_trace(session.recording, session.options)).encode()
    names = [f"{platform.node() or 'host'}.trace.json.gz"] + ["perfetto_trace.json.gz"] * session.perfetto
    for name in names:
        with gzip.open(directory / name, "wb") as file:
            file.write(data)
    if session.link:
        _offer(data)


@contextmanager
def trace(
    log_dir: os.PathLike | str,
    create_perfetto_link: bool = False,
    create_perfetto_trace: bool = False,
    profiler_options: ProfileOptions | None = None,
) -> Iterator[None]:
    """Records a block; see ``start_trace``.

    Args:
      log_dir: directory for the trace.
      create_perfetto_link: whether to offer it to Perfetto.
      create_perfetto_trace: whether to write ``perfetto_trace.json.gz``.
      profiler_options: what to record.

    Example:
      >>> import glob, tempfile, fungrad, fungrad.numpy as jnp
      >>> f = fungrad.jit(lambda x: jnp.sin(x) * 2)
      >>> with tempfile.TemporaryDirectory() as where:
      ...   with fungrad.profiler.trace(where):
      ...     with fungrad.profiler.TraceAnnotation("twice"):
      ...       _ = f(f(1.0))
      ...   len(glob.glob(where + "/plugins/profile/*/*.trace.json.gz"))
      1
    """
    start_trace(log_dir, create_perfetto_link, create_perfetto_trace, profiler_options)
    try:
        yield
    finally:
        stop_trace()


class TraceAnnotation(AbstractContextManager):
    """A block that gets a name in the trace.

    Args:
      name: the name.
      **kwargs: numbers and strings that the trace shows with it.

    Example:
      >>> import fungrad
      >>> with fungrad.profiler.TraceAnnotation("load", batch=3):
      ...   pass
    """

    _category = "annotation"

    def __init__(self, name: str, **kwargs: Any):
        self._name, self._args = name, kwargs
        self._into: timeline.Recording | None = None
        self._start = 0

    @staticmethod
    def is_enabled() -> bool:
        """Whether something is being recorded."""
        return timeline.recording is not None

    def set_metadata(self, **kwargs: Any) -> None:
        """Adds what the trace shows with the block.

        Args:
          **kwargs: numbers and strings.
        """
        self._args.update(kwargs)

    def __enter__(self) -> TraceAnnotation:
        self._into = timeline.recording
        self._start = time.perf_counter_ns()
        return self

    def __exit__(self, *_: Any) -> None:
        if self._into is not None:
            self._into.add(self._name, self._category, self._start, time.perf_counter_ns(), **self._args)


class StepTraceAnnotation(TraceAnnotation):
    """A step of a loop, such as one of training.

    Args:
      name: what all steps are called.
      **kwargs: what the trace shows with it; ``step_num`` numbers the step.

    Example:
      >>> import fungrad
      >>> for i in range(2):
      ...   with fungrad.profiler.StepTraceAnnotation("train", step_num=i):
      ...     pass
    """

    _category = "step"

    def __init__(self, name: str, **kwargs: Any):
        super().__init__(f"{name} {kwargs['step_num']}" if "step_num" in kwargs else name, **kwargs)


def annotate_function(func: F, name: str | None = None, **decorator_kwargs: Any) -> F:
    """Decorator: every call of the function gets a name in the trace.

    Args:
      func: the function.
      name: by default its qualified name.
      **decorator_kwargs: what the trace shows with each call.

    Example:
      >>> import fungrad
      >>> @fungrad.profiler.annotate_function
      ... def load():
      ...   return 3
      >>> load()
      3
    """
    label = str(name or getattr(func, "__qualname__", None) or getattr(func, "__name__", "function"))

    @functools.wraps(func)
    def annotated(*args: Any, **kwargs: Any) -> Any:
        with TraceAnnotation(label, **decorator_kwargs):
            return func(*args, **kwargs)

    return annotated  # type: ignore[return-value]


def _chrome_trace(recording: timeline.Recording, options: ProfileOptions) -> dict[str, Any]:
    """The recording in Chrome's format of trace events: complete events, times in microseconds from the beginning."""
    pid = os.getpid()
    events: list[dict[str, Any]] = [
        {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": f"fungrad {VERSION}"}}
    ]
    for thread, thread_name in recording.threads.items():
        events.append({"ph": "M", "name": "thread_name", "pid": pid, "tid": thread, "args": {"name": thread_name}})
    for s in sorted(recording.spans, key=lambda s: (s.start, -s.end)):
        if options._wants(s.category):
            events.append(
                {
                    "ph": "X",
                    "name": s.name,
                    "cat": s.category,
                    "ts": (s.start - recording.began) / 1000,
                    "dur": (s.end - s.start) / 1000,
                    "pid": pid,
                    "tid": s.thread,
                    "args": {k: v if isinstance(v, (int, float, str)) else str(v) for k, v in s.args.items()},
                }
            )
    return {"displayTimeUnit": "ns", "traceEvents": events}


# -- servers -----------------------------------------------------------------------------------------------------------


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


class _Handler(http.server.BaseHTTPRequestHandler):
    """Records for as long as a request asks, and answers with the trace."""

    def do_GET(self) -> None:
        query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        try:
            seconds = float(query.get("seconds", ["1"])[0])
            if not 0 <= seconds <= 3600:
                raise ValueError
        except ValueError:
            self.send_error(400, "seconds must be a number between 0 and 3600")
            return
        recording = timeline.Recording()
        with _lock:
            if timeline.recording is not None:
                self.send_error(409, "a trace is being recorded already")
                return
            timeline.record(recording)
        try:
            time.sleep(seconds)
        finally:
            timeline.record(None)
        _answer(self, json.dumps(_chrome_trace(recording, ProfileOptions())).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged."""


def _answer(handler: http.server.BaseHTTPRequestHandler, data: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(data)))
    handler.send_header("Access-Control-Allow-Origin", "https://ui.perfetto.dev")
    handler.end_headers()
    handler.wfile.write(data)


def start_server(port: int, requires_backend: bool = True) -> Any:
    """Lets other processes of this machine record traces: ``GET /?seconds=2`` answers with a trace of two seconds.

    It listens on the loopback interface only.

    Args:
      port: the port; 0 for any that is free, which is the ``server_port`` of the result.
      requires_backend: has no effect.

    Raises:
      ValueError: a server is running already.
    """
    global _server
    if _server is not None:
        raise ValueError("fungrad.profiler.start_server: Only one profiler server can be active at a time.")
    _server = _Server(("127.0.0.1", port), _Handler)
    threading.Thread(target=_server.serve_forever, name="fungrad profiler server", daemon=True).start()
    return _server


def stop_server() -> None:
    """Stops the server.

    Raises:
      ValueError: none is running.
    """
    global _server
    if _server is None:
        raise ValueError("fungrad.profiler.stop_server: No active profiler server.")
    server, _server = _server, None
    server.shutdown()
    server.server_close()


def _offer(data: bytes) -> None:
    """Serves a trace once, where Perfetto may fetch it from."""

    class Handler(_Handler):
        def do_GET(self) -> None:
            _answer(self, data)

    # The content security policy of ui.perfetto.dev allows this port only.
    with http.server.HTTPServer(("127.0.0.1", 9001), Handler) as server:
        print("Open URL in browser: https://ui.perfetto.dev/#!/?url=http://127.0.0.1:9001/perfetto_trace.json")
        server.handle_request()


# -- memory ------------------------------------------------------------------------------------------------------------


def device_memory_profile(backend: str | None = None) -> bytes:
    """The memory that live arrays hold, by their type, in the format of ``pprof``.

    Arrays that share memory are counted once. Where they were made is not known.

    Args:
      backend: None or ``cpu``.

    Example:
      >>> import fungrad
      >>> fungrad.profiler.device_memory_profile()[:2] == b"\\x1f\\x8b"
      True
    """
    return memory_profile(live_arrays(backend))


def save_device_memory_profile(filename: os.PathLike | str, backend: str | None = None) -> None:
    """Writes ``device_memory_profile`` into a file, which ``pprof --web`` shows.

    Args:
      filename: the file.
      backend: None or ``cpu``.
    """
    Path(filename).write_bytes(device_memory_profile(backend))


publish(globals(), __name__, __all__)
