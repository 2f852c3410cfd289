"""``jit``: the decorator, its dispatch cache, static and donated arguments.

A call flattens its arguments and looks for a program made for the same tree, types and static values.  A hit runs it; a
miss traces the function and compiles.  Inside another transformation the call becomes one ``jit`` equation instead.

May import ``core``, ``transforms`` and the other modules of ``jit``.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import inspect
import itertools
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple, Unpack, overload

import numpy as np

from fungrad.config import config, watch
from fungrad.core import dtypes, tree, tree_cache
from fungrad.core.arguments import shown
from fungrad.core.array import Array, ArrayImpl, as_array, give_away, is_array_like, typeof, wrap_unchecked
from fungrad.core.avals import ShapedArray
from fungrad.core.context import EVAL, ManualAxis, Tracer, state
from fungrad.core.device import check_device
from fungrad.core.ir import Jaxpr
from fungrad.core.key_uses import use, used_operands
from fungrad.core.lojax import lower_jaxpr
from fungrad.core.meshes import use_abstract_mesh
from fungrad.core.ref_calls import call_with_refs
from fungrad.core.refs import Ref, RefFrame, differentiating
from fungrad.core.signatures import P, R
from fungrad.core.source import (
    Source,
    api_boundary,
    boundary_of,
    current_source,
    filter_exception,
    function_name,
    reference_to,
)
from fungrad.core.staging import DebugInfo, trace_tree
from fungrad.jit.front.aot import Traced, Wrapped, check_compiler_options
from fungrad.jit.front.cache_info import CacheInfo, note_trace, versions_of
from fungrad.jit.front.call import clear_programs, examined, jit_p, program_of
from fungrad.jit.front.donation import check_given_once, is_on_own_memory, warn_of_unusable
from fungrad.jit.front.explain import explain_miss, log
from fungrad.jit.front.options import Keywords, Options, as_tuple, positional_names, resolved
from fungrad.jit.front.recorded import note_tracing, prepared
from fungrad.jit.front.sharded import ShardedFunction, other_device, putting, says_where
from fungrad.jit.front.tree_code import builder, is_time, reader
from fungrad.ops.foundation import zeros
from fungrad.transforms.api import abstract_argument, check_callable, is_record, other_values
from fungrad.transforms.inspection import ShapeDtypeStruct, shape_struct


class Entry:
    """What a dispatch key leads to: a traced function and, once run, its program.

    Attributes:
      jaxpr: the function, constants attached.
      closed: the same with constants as leading inputs.
      out_tree: structure of the result.
      donated: which inputs of ``closed`` may be overwritten.
      run: runs the program on a list of ndarrays; None until the first call.
      build: makes the result of the list of ndarrays that ``run`` returns.
      place: the line of the call for which it was traced.
      read: takes apart arguments of the structure and types that the entry is for, under the configuration
        ``trace_key``; None until it is worth while (see ``Versions.hit``).
    """

    __slots__ = (
        "jaxpr",
        "closed",
        "out_tree",
        "out_avals",
        "donated",
        "run",
        "const_data",
        "name",
        "single",
        "build",
        "calls",
        "read",
        "refusals",
        "trace_key",
        "frame",
        "place",
        "__weakref__",
        "high",
        "has_float0",
        "says_where",
        "run_apart",
    )

    def __init__(
        self, jaxpr: Jaxpr, out_tree: Any, donated: tuple[bool, ...], name: str, frame: RefFrame | None = None
    ):
        self.jaxpr = jaxpr
        # None if the function uses no references from outside. Else its last operands are what those hold that it
        # closes over, and after its results come those of references that are arguments, and of these.
        self.frame = frame
        self.closed = jaxpr.with_consts_as_inputs()
        self.high = jaxpr.is_high
        self.out_tree = out_tree
        self.out_avals = jaxpr.out_avals
        # Tangents of integers come out as ndarrays, as they do of derivatives; such calls take no short way.
        self.has_float0 = any(not a.is_high and a.dtype == dtypes.float0 for a in jaxpr.out_avals)
        self.donated = (False,) * len(jaxpr.consts) + donated if any(donated) else ()
        self.name = name
        self.run: Callable[[list[np.ndarray]], list[np.ndarray]] | None = None
        # What is to be put somewhere afterwards takes no short way: then `run` stays None.
        self.says_where = says_where(jaxpr)
        self.run_apart = self.run
        self.const_data: list[np.ndarray] = []
        # The commonest result is one array: no tree to rebuild.
        self.single = out_tree.is_leaf() and len(self.out_avals) == 1
        self.build: Callable[[Sequence[np.ndarray]], Any] = self._unflatten
        self.calls = 0
        self.read: Callable[[tuple, dict], list[np.ndarray] | None] | None = None
        self.refusals = 0
        self.trace_key = config.trace_key
        self.place: Source | None = None

    def _unflatten(self, outs: Sequence[np.ndarray]) -> Any:
        return self.out_tree.unflatten(map(wrap_unchecked, outs, self.out_avals))

    def program(self) -> Any:
        """The compiled program."""
        if self.high:
            low = lower_jaxpr(self.closed)
            return program_of(low.with_consts_as_inputs(), self.name)
        return program_of(self.closed, self.name, self.donated)

    def call_high(self, arrays: Sequence[Any]) -> list[Any]:
        """The results for arguments of which some, or what is computed with, have types of users' own."""
        outs = jit_p.bind(*self.jaxpr.consts, *arrays, jaxpr=self.closed, name=self.name)
        self.give_away(arrays)
        return outs  # type: ignore[no-any-return]

    def give_away(self, arrays: Sequence[Any]) -> None:
        """Deletes those of the arguments that are donated, after a call that did not ``take`` them."""
        if self.donated:
            flags = self.donated[len(self.jaxpr.consts) :]
            gone = [x for x, flag in zip(arrays, flags, strict=False) if flag and type(x) is ArrayImpl]
            give_away(gone, [True] * len(gone), f"donated to jit of {self.name}")

    def prepare(self) -> Callable[[list[np.ndarray]], list[np.ndarray]]:
        """Compiles; returns what ``run`` is now."""
        if self.run_apart is not None:
            return self.run_apart
        self.const_data = [c._data for c in self.jaxpr.consts]
        began = time.perf_counter()
        if config.log_compiles:
            log("Compiling %s for types (%s)", self.name, ", ".join(map(str, self.jaxpr.in_avals)))
        self.run = self.program().direct
        prepared.add(self)
        if config.log_compiles:
            log("Finished compilation of jit(%s) in %.6f sec", self.name, time.perf_counter() - began)
        if config.check_results:
            self.run = examined(self.closed, self.run, self.name, self.donated)
        if self.says_where:
            self.run, self.run_apart = None, self.run
            return self.run_apart  # type: ignore[return-value]
        return self.run

    def take(self, arrays: Sequence[Any]) -> list[np.ndarray]:
        """The data of the arguments, which are concrete arrays; those that are donated are gone afterwards."""
        if not self.donated:
            return [x._data for x in arrays]
        flags = self.donated[len(self.const_data) :]
        if self.frame is None:
            check_given_once(arrays, flags, self.name)
        data = give_away(arrays, flags, f"donated to jit of {self.name}")
        # References to one that nobody else has: the list, and the argument of getrefcount.
        counts = list(map(sys.getrefcount, data))
        for k in itertools.compress(range(len(data)), flags):
            x = data[k]
            if counts[k] > 2 or (x.base is not None or not x.flags.owndata) and not is_on_own_memory(x):
                data[k] = x.copy()
        return data

    @property
    def has_tracers(self) -> bool:
        """Whether the function closes over values of enclosing transformations: then an entry is good for one call."""
        return any(isinstance(c, Tracer) for c in self.jaxpr.consts)

    @property
    def runs(self) -> bool:
        """Whether known arguments are enough to run its program."""
        return not self.has_tracers and not self.high


class Versions:
    """Everything known of one function under one set of options.

    Attributes:
      entries: by dispatch key: structure, types, configuration, and static values if there are any.
      flat: the same entries for calls with nothing but concrete arrays by position: by configuration and types.
      with_refs: as ``entries``, those of calls that use references, which take no short way.
      readers: entries called lately that have a ``read``, the last first.
      by_static: versions for the other arguments of calls with static ones: by the places of those and their values.
      traces: how often the function was traced.
    """

    __slots__ = ("entries", "flat", "with_refs", "readers", "traces", "by_static", "__weakref__")

    def __init__(self) -> None:
        self.entries: dict[Any, Entry] = {}
        self.flat: dict[Any, Entry] = {}
        self.with_refs: dict[Any, Entry] = {}
        self.readers: list[Entry] = []
        self.by_static: dict[tuple, Versions] = {}
        self.traces = 0

    def find(self, args: tuple, kwargs: dict) -> tuple[Entry | None, list[np.ndarray]]:
        """The entry for a call with trees of concrete arrays, if it is known, and their data (the arrays themselves if
        some are donated)."""
        for entry in self.readers:
            data = entry.read(args, kwargs)  # type: ignore[misc]
            if data is not None and entry.trace_key == config.trace_key:
                return entry, data
        leaves, treedef = tree.flatten((args, kwargs))
        if not all([type(x) is ArrayImpl for x in leaves]):
            return None, []
        avals, data = [x.aval for x in leaves], [x._data for x in leaves]
        found = self.entries.get((treedef, tuple(avals), config.trace_key))
        if found is not None:
            if found.read is not None and found in self.readers:
                # Code that refuses trees of its own structure, since their metadata is equal but not the same.
                found.refusals += 1
                if found.refusals == _MOST_REFUSALS:
                    found.read = None
                    self.readers = [e for e in self.readers if e is not found]
            self.hit(found, treedef, avals)
            if found.donated:
                data = leaves
        return found, data

    def hit(self, entry: Entry, treedef: Any, avals: Sequence[ShapedArray]) -> None:
        """Notes a call that found ``entry`` by its key ``treedef`` and ``avals``. When there have been enough of them,
        code is written for its trees."""
        entry.calls += 1
        if is_time(entry.calls, len(avals) + len(entry.out_avals)):
            entry.read = reader(treedef, avals, bool(entry.donated))
            entry.build = builder(entry.out_tree, entry.out_avals)
        if entry.read is not None:
            others = [e for e in self.readers if e is not entry]
            self.readers = [entry, *others[: _MOST_READERS - 1]]

    def clear(self) -> None:
        """Forgets all entries."""
        self.entries.clear()
        self.flat.clear()
        self.with_refs.clear()
        self.by_static.clear()
        self.readers = []


def _mesh_of(avals: Iterable[Any]) -> contextlib.AbstractContextManager:
    """Sets the mesh that the types of arguments name while a function is traced, if none has been set."""
    if config.context_mesh is None:
        for aval in avals:
            if aval.placement is not None:
                return use_abstract_mesh(aval.placement.mesh)
    return contextlib.nullcontext()


# A call tries so many of them in turn.
_MOST_READERS = 3
_MOST_REFUSALS = 8

# Functions jitted again with equal options share their versions.
_shared: weakref.WeakKeyDictionary[Any, dict[Options, Versions]] = weakref.WeakKeyDictionary()


def _is_known(arrays: Iterable[Any]) -> bool:
    """Whether arguments have values, and no transformation is to see a call with them."""
    return state.trace is EVAL and not any(isinstance(x, Tracer) for x in arrays)


def _versions_of(fun: Any, options: Options) -> Versions:
    if inspect.ismethod(fun):
        return Versions()
    try:
        return _shared.setdefault(fun, {}).setdefault(options, Versions())
    except TypeError:  # not hashable or not weakly referable, such as a partial with arrays
        return Versions()


class JitFunction:
    """A function compiled on first use for each new kind of arguments. Made by ``jit``."""

    def __init__(self, fun: Callable[..., Any], options: Options):
        functools.update_wrapper(self, fun)
        self._fun = fun
        self._options = options
        self._name = function_name(fun)
        self._versions = _versions_of(fun, options)
        self._plain = not (options.static_argnums or options.static_argnames)
        self._splits: dict[tuple, Split] = {}

    # As functions, which are copied and pickled by reference; what it has compiled belongs to the process.

    def __copy__(self) -> JitFunction:
        return self

    def __deepcopy__(self, memo: dict) -> JitFunction:
        return self

    def __reduce__(self) -> Any:
        return reference_to(self) or (JitFunction, (self._fun, self._options))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            # The path of warm calls: everything that can be looked up has been. The configuration is part of the key,
            # so a changed one (disable_jit among them) finds no entry here.
            versions: Versions | None = None
            if state.trace is EVAL and not watch.placed:
                if self._plain:
                    versions, given, named = self._versions, args, kwargs
                else:
                    versions, given, named = self._for_static(args, kwargs)
            if versions is not None:
                avals: list[Any] = [config.trace_key]
                data = []
                entry = None
                if not named:
                    for x in given:
                        if type(x) is not ArrayImpl:
                            break
                        avals.append(x.aval)
                        data.append(x._data)
                    else:
                        entry = versions.flat.get(tuple(avals))
                        if entry is not None and entry.donated:
                            data = list(given)
                if entry is None and (named or len(data) < len(given)):
                    entry, data = versions.find(given, named)
                if entry is not None and entry.run is not None:
                    if entry.donated:
                        data = entry.take(data)
                    outs = entry.run(entry.const_data + data if entry.const_data else data)
                    if entry.single:
                        return wrap_unchecked(outs[0], entry.out_avals[0])
                    return entry.build(outs)
            return self._call(args, kwargs)
        except Exception as error:
            filter_exception(error, "fungrad.jit")
            raise

    def _call(self, args: tuple, kwargs: dict) -> Any:
        # Inside of a function of shards operations run one by one: what they are given there says what varies.
        if config.disable_jit or any(type(a) is ManualAxis for a in state.axis_env):
            return self._fun(*args, **kwargs)
        call = self._arguments(args, kwargs)
        entry = self._entry(call)
        if entry.frame is not None:
            if entry.frame.backward and differentiating():
                return self._fun(*args, **kwargs)
            return self._call_with_refs(entry, call)
        arrays = [x if isinstance(x, Array) else self._operand(x) for x in call.leaves]
        if _is_known(arrays) and entry.runs:
            if not state.axis_env and not config.debug_key_reuse and not entry.has_float0:
                avals = [x.aval for x in arrays]
                if call.static:
                    self._note_static(entry, call, avals)
                else:
                    self._versions.hit(entry, call.treedef, avals)
            for k, x in enumerate(arrays):
                if type(x) is not ArrayImpl:
                    x._concrete(f"jit of {self._name}: argument {self._leaf_names(call)[k]}")
        outs = self._results(entry, arrays, call)
        if entry.has_float0:
            outs = [x._data if type(x) is ArrayImpl and x.aval.dtype == dtypes.float0 else x for x in outs]
        return tree.unflatten(entry.out_tree, outs)

    def _operand(self, x: Any) -> Any:
        """An argument as an array; within ``eval_shape`` a type stands for one."""
        debug = getattr(state.trace, "debug", None)
        if isinstance(x, ShapeDtypeStruct) and debug is not None and debug.api == "eval_shape":
            return zeros(typeof(x))
        return as_array(x, f"fungrad.jit: an argument of {self._name}")

    def _call_with_refs(self, entry: Entry, call: Call) -> Any:
        """A call of a function that uses references: what they hold is passed, and what comes out is stored."""
        frame, names = entry.frame or RefFrame(), self._leaf_names(call)
        return call_with_refs(frame, entry.out_tree, call.leaves, names, self._name, partial(self._results, entry))

    def _results(self, entry: Entry, arrays: list[Any], call: Call | None = None) -> Sequence[Any]:
        """The results for arguments: the program is run where all are known, else the call is one equation."""
        if config.debug_key_reuse:
            self._use_keys(entry, arrays)
        known = _is_known(arrays)
        if known and entry.runs:
            put = None
            if (watch.placed or entry.says_where) and entry.frame is None:
                put = putting(entry.jaxpr, arrays, self._name, () if call is None else self._leaf_names(call))
            run = entry.run or entry.prepare()
            data = entry.take(arrays)
            outs = list(map(wrap_unchecked, run(entry.const_data + data), entry.out_avals))
            return outs if put is None else put(outs)
        params = {"inline": True} if self._options.inline else {}
        outs = jit_p.bind(*entry.jaxpr.consts, *arrays, jaxpr=entry.closed, name=self._name, **params)
        if known:
            entry.give_away(arrays)
        return outs  # type: ignore[no-any-return]

    def _use_keys(self, entry: Entry, arrays: list[Any]) -> None:
        """Notes the keys that a call uses up; calls do not take the short path while somebody wants to know."""
        for position in used_operands(entry.jaxpr):
            if position < len(arrays):
                use(arrays[position], f"fungrad.jit of {self._name}")

    # -- dispatch -----------------------------------------------------------------------------------------------

    def _arguments(self, args: tuple, kwargs: dict) -> Call:
        """Splits static from traced arguments and flattens the latter."""
        static: dict[int | str, Any] = {}
        dynamic, keywords = args, kwargs
        if not self._plain:
            split = self._split(len(args), tuple(kwargs))
            static = {w: args[w] if isinstance(w, int) else kwargs[w] for w in split.static}
            for where, value in static.items():
                self._check_hashable(where, value)
            dynamic = tuple([args[i] for i in split.positions])
            keywords = {k: kwargs[k] for k in split.names}
        leaves, treedef = tree.flatten((dynamic, keywords))
        return Call(args, kwargs, static, dynamic, keywords, leaves, treedef)

    def _split(self, count: int, keywords: tuple[str, ...]) -> Split:
        """Which arguments are static in calls with so many by position and with these keywords."""
        found = self._splits.get((count, keywords))
        if found is None:
            positions = {a % count for a in self._options.static_argnums if -count <= a < count}
            named = [k for k in keywords if k in self._options.static_argnames]
            found = self._splits[count, keywords] = Split(
                (*sorted(positions), *sorted(named)),
                tuple([i for i in range(count) if i not in positions]),
                tuple([k for k in keywords if k not in named]),
            )
        return found

    def _for_static(self, args: tuple, kwargs: dict) -> tuple[Versions | None, tuple, dict]:
        """The versions for the static arguments of a call, None if there are none yet; and the other arguments."""
        split = self._split(len(args), tuple(kwargs))
        values = tuple([args[w] if type(w) is int else kwargs[w] for w in split.static])
        try:
            versions = self._versions.by_static.get((split.static, values)) if values else self._versions
        except TypeError:  # not hashable: the general way says so
            return None, (), {}
        return versions, tuple([args[i] for i in split.positions]), {k: kwargs[k] for k in split.names}

    def _note_static(self, entry: Entry, call: Call, avals: list[ShapedArray]) -> None:
        """Notes a call with static arguments that found ``entry``."""
        key = (self._split(len(call.args), tuple(call.kwargs)).static, tuple(call.static.values()))
        versions = self._versions.by_static.get(key)
        if versions is None:
            versions = self._versions.by_static[key] = Versions()
        versions.entries[call.treedef, tuple(avals), config.trace_key] = entry
        if not call.keywords and all(type(x) is ArrayImpl for x in call.dynamic):
            versions.flat[(config.trace_key, *avals)] = entry
        versions.hit(entry, call.treedef, avals)

    def _parameters(self) -> tuple[str, ...]:
        found = self.__dict__.get("_parameter_names")
        if found is None:
            found = positional_names(self._fun)
            self.__dict__["_parameter_names"] = found
        return found

    def _check_hashable(self, where: int | str, value: Any) -> None:
        try:
            hash(value)
        except TypeError:
            parameters = self._parameters()
            name = (
                where if isinstance(where, str) else parameters[where] if where < len(parameters) else f"args[{where}]"
            )
            traced = " (a traced array cannot be static)" if isinstance(value, Tracer) else ""
            raise ValueError(
                f"fungrad.jit: the static argument {name!r} of {self._name} must be hashable, got "
                f"{shown(value)}{traced}; pass a tuple instead of a list, or do not declare it static"
            ) from None

    def _entry(self, call: Call) -> Entry:
        """The entry for a call, made if there is none."""
        avals = tuple([self._aval(x, call, i) for i, x in enumerate(call.leaves)])
        key: Any = (call.treedef, avals, config.trace_key)
        if call.static or state.axis_env:
            key = (*key, tuple(call.static.items()), state.axis_env)
        entries = self._versions.entries
        entry = entries.get(key) or self._versions.with_refs.get(key)
        if entry is None:
            if config.explain_cache_misses:
                explain_miss(self._name, key, list(entries), self._leaf_names(call))
            entry = self._trace(call, avals)
            entry.place = current_source()
            self._versions.traces += 1
            note_trace()
            if entry.has_tracers or (entry.frame and any(r._owner is not EVAL for r in entry.frame.closed)):
                return entry
            if entry.frame is not None:
                self._versions.with_refs[key] = entry
                return entry
            entries[key] = entry
        short = len(key) == 3 and entry.frame is None and not call.kwargs and not config.debug_key_reuse
        if short and all(type(x) is ArrayImpl for x in call.args):
            self._versions.flat[(config.trace_key, *avals)] = entry
            if not entry.single and is_time(2, len(entry.out_avals)):
                entry.build = builder(entry.out_tree, entry.out_avals)
        return entry

    def _leaf_names(self, call: Call) -> tuple[str, ...]:
        names = [n for i, n in enumerate(self._parameters()) if i not in call.static and n not in call.static]
        out = []
        for i, arg in enumerate(call.dynamic):
            name = names[i] if i < len(names) else f"args[{i}]"
            out += [name + path for path in tree.leaf_paths(arg)]
        for k in sorted(call.keywords):
            out += [k + path for path in tree.leaf_paths(call.keywords[k])]
        return tuple(out)

    def _aval(self, x: Any, call: Call, position: int) -> ShapedArray:
        if isinstance(x, (Array, Ref)):
            return x.aval  # type: ignore[return-value]
        if not is_array_like(x) and not (hasattr(x, "shape") and hasattr(x, "dtype")):
            name = self._leaf_names(call)[position]
            advice = "declare it static (static_argnums, static_argnames) or close over it"
            if is_record(x):
                advice = f"{other_values(x)}, or {advice}"
            raise TypeError(
                f"fungrad.jit: the argument {name} of {self._name} must be an array or a scalar, got {shown(x)}; "
                f"{advice}"
            )
        return abstract_argument(x, "jit", (call.dynamic, call.keywords), position)

    def _trace(self, call: Call, avals: tuple[ShapedArray, ...]) -> Entry:
        static = call.static

        def fun(*rest: Any, **keywords: Any) -> Any:
            given = iter(rest)
            full = [static[i] if i in static else next(given) for i in range(len(call.args))]
            fixed = {k: v for k, v in static.items() if isinstance(k, str)}
            return self._fun(*full, **keywords, **fixed)

        if config.no_tracing:
            raise RuntimeError(f"re-tracing function {self._name} for fungrad.jit, but fungrad.no_tracing is set")
        debug = DebugInfo(self._name, self._leaf_names(call), "jit")
        frame = RefFrame()
        began = time.perf_counter()
        with _mesh_of(avals):
            jaxpr, out_tree = trace_tree(fun if static else self._fun, call.treedef, avals, debug, frame)
        note_tracing(self._name, time.perf_counter() - began)
        if config.log_compiles:
            log(
                "Finished tracing %s for jit in %.6f sec, argument types (%s)",
                self._name, time.perf_counter() - began, ", ".join(map(str, avals)),
            )  # fmt: skip
        donated = self._donated(call)
        if any(donated):
            warn_of_unusable(itertools.compress(avals, donated), jaxpr.out_avals)
        if not frame:
            return Entry(jaxpr, out_tree, donated, self._name)
        changed = dict(zip(frame.args, frame.args_written, strict=True))
        flags = [changed.get(i, d) for i, d in enumerate(donated)]
        return Entry(jaxpr, out_tree, (*flags, *frame.written), self._name, frame)

    def _donated(self, call: Call) -> tuple[bool, ...]:
        options = self._options
        if not options.donate_argnums and not options.donate_argnames:
            return (False,) * len(call.leaves)
        n = len(call.args)
        wanted = {a % n for a in options.donate_argnums if -n <= a < n}
        both = wanted & {i for i in call.static if isinstance(i, int)}
        if both:
            raise ValueError(f"fungrad.jit: argument {sorted(both)[0]} of {self._name} is both static and donated")
        flags: list[bool] = []
        for i, arg in enumerate(call.args):
            if i not in call.static:
                flags += [i in wanted] * len(tree.leaves(arg))
        for k in sorted(call.keywords):
            flags += [k in options.donate_argnames] * len(tree.leaves(call.keywords[k]))
        return tuple(flags)

    # -- stages and maintenance ---------------------------------------------------------------------------------

    @boundary_of("fungrad.jit")
    def trace(self, *args: Any, **kwargs: Any) -> Traced:
        """Traces for the given arguments (arrays or ``ShapeDtypeStruct``) without compiling."""
        call = self._arguments(args, kwargs)
        entry = self._entry(call)
        return Traced(entry, call.treedef, self._name, self._donated(call))

    @boundary_of("fungrad.jit")
    def lower(self, *args: Any, **kwargs: Any) -> Any:
        """Traces and lowers for the given arguments; see ``fungrad.stages.Lowered``."""
        return self.trace(*args, **kwargs).lower()

    @boundary_of("fungrad.jit")
    def eval_shape(self, *args: Any, **kwargs: Any) -> Any:
        """Shapes and dtypes of the result, as a tree of ``ShapeDtypeStruct``."""
        entry = self._entry(self._arguments(args, kwargs))
        return tree.unflatten(entry.out_tree, [shape_struct(a) for a in entry.out_avals[: entry.out_tree.num_leaves]])

    def clear_cache(self) -> None:
        """Forgets every traced and compiled version."""
        self._versions.clear()

    def cache_info(self) -> CacheInfo:
        """How often the function was traced, for which types, and why again.

        Warm calls are not counted: counting would cost a good part of what they take.

        Returns:
          A ``CacheInfo`` with ``traces``, ``currsize`` and ``versions``; it prints itself.

        Example:
          >>> import fungrad, fungrad.numpy as jnp
          >>> f = fungrad.jit(lambda x: x + 1)
          >>> _ = f(jnp.ones(3)), f(jnp.ones(3)), f(jnp.ones(4))
          >>> info = f.cache_info()
          >>> info.traces, info.versions[1].reason
          (2, 'argument x has shape (4,), before (3,)')
        """
        kept = [*self._versions.entries.items(), *self._versions.with_refs.items()]
        return CacheInfo(self._name, self._versions.traces, versions_of(kept))

    def _cache_size(self) -> int:
        """Number of versions traced so far."""
        return len(self._versions.entries) + len(self._versions.with_refs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else partial(self, instance)

    def __repr__(self) -> str:
        return f"<jit of {self._name}>"


class Call(NamedTuple):
    """The arguments of one call, static ones apart."""

    args: tuple
    kwargs: dict
    static: dict
    dynamic: tuple
    keywords: dict
    leaves: list
    treedef: Any


class Split(NamedTuple):
    """Which arguments of calls are static.

    Attributes:
      static: positions and names of those, in order.
      positions: of the others.
      names: of the others that are given by keyword.
    """

    static: tuple[int | str, ...]
    positions: tuple[int, ...]
    names: tuple[str, ...]


_UNSPECIFIED: Any = object()


@overload
def jit(fun: Callable[P, R], **options: Unpack[Keywords]) -> Wrapped[P, R]: ...


@overload
def jit(**options: Unpack[Keywords]) -> Callable[[Callable[P, R]], Wrapped[P, R]]: ...


@api_boundary
def jit(
    fun: Callable[..., Any] = _UNSPECIFIED,
    *,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Sequence[str] | None = None,
    donate_argnums: int | Sequence[int] | None = None,
    donate_argnames: str | Sequence[str] | None = None,
    keep_unused: bool = False,
    inline: bool = False,
    device: Any = None,
    backend: str | None = None,
    in_shardings: Any = None,
    out_shardings: Any = None,
    compiler_options: Any = None,
) -> Any:
    """Compiles a function to native code, once per kind of arguments.

    The function is traced: it runs once with tracers, its operations become a jaxpr, and the jaxpr becomes one fused
    native program. It must be pure. Works as a decorator with and without arguments.

    Args:
      fun: function of arrays and trees of arrays.
      static_argnums: positions of arguments that are Python values: hashable; one compilation per value.
      static_argnames: names of such arguments.
      donate_argnums: positions of arguments whose memory the results may take; the arrays passed are unusable
        afterwards.
      donate_argnames: names of such arguments.
      keep_unused: accepted for compatibility; unused arguments cost nothing.
      inline: whether calls from other traced functions are inlined in their jaxpr.
      in_shardings: shardings that arguments have or get, a prefix of the tuple of arguments: ``Sharding``,
        ``PartitionSpec`` over the mesh that has been set, or None.
      out_shardings: shardings of results, a prefix of the result.
      device: None, or the device on which the function runs: arguments are put there.
      backend: None or ``"cpu"``.
      compiler_options: options of XLA by name, without effect here; a name that cannot be one of them raises
        ``JaxRuntimeError``.

    Returns:
      A callable with ``trace``, ``lower``, ``eval_shape``, ``cache_info`` and ``clear_cache``.

    Raises:
      TypeError: a traced argument is not an array, or the function needs the value of a traced argument.
      ValueError: a static argument is not hashable, or a position or name is not that of a parameter.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> @fungrad.jit
      ... def selu(x, alpha=1.67, lmbda=1.05):
      ...     return lmbda * jnp.where(x > 0, x, alpha * jnp.exp(x) - alpha)
      >>> print(selu(1.0))
      1.05
    """
    check_device(device, "fungrad.jit")
    if backend not in (None, "cpu"):
        raise TypeError(f"fungrad.jit: backend must be 'cpu' or None, got {backend!r}")
    if device is not None and backend is not None:
        raise ValueError(
            f"fungrad.jit: say device or backend, not both: got device={device} and backend={backend!r}"
        )
    check_compiler_options(compiler_options, "fungrad.jit")
    declared: dict[str, Any] = {
        "static_argnums": as_tuple(static_argnums, int, "static_argnums"),
        "static_argnames": as_tuple(static_argnames, str, "static_argnames"),
        "donate_argnums": as_tuple(donate_argnums, int, "donate_argnums"),
        "donate_argnames": as_tuple(donate_argnames, str, "donate_argnames"),
    }
    places = {"in_shardings": in_shardings, "out_shardings": out_shardings, "device": other_device(device)}
    if fun is _UNSPECIFIED:
        return lambda f: jit(f, **declared, keep_unused=keep_unused, inline=inline, **places)
    check_callable(fun, "jit")
    found = resolved(fun, **declared) if any(v is not None for v in declared.values()) else ((), (), (), ())
    compiled = JitFunction(fun, Options(*found, keep_unused, inline))
    # A tree of None says nothing.
    return ShardedFunction(compiled, fun, **places) if any(map(tree.leaves, places.values())) else compiled


def clear_caches() -> None:
    """Forgets every traced function and compiled program of the process."""
    clear_programs()
    tree_cache.clear()
    for by_options in list(_shared.values()):
        for versions in by_options.values():
            versions.clear()
    gc.collect()  # programs and what they are compiled from refer to each other


__all__ = ["jit", "clear_caches", "JitFunction"]
