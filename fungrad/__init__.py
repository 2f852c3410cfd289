"""fungrad: composable transformations of functions on NumPy arrays, with JAX's names and semantics.

``grad``, ``jit``, ``vmap`` and their relatives transform functions written with ``fungrad.numpy``; see the docstrings
of each, and ``fungrad.lax`` for the operations underneath.

Transformations
    ``jit``, ``grad``, ``value_and_grad``, ``vmap``, ``jvp``, ``vjp``, ``linearize``, ``jacfwd``, ``jacrev``,
    ``hessian``, ``checkpoint``, ``custom_jvp``, ``custom_vjp``, ``make_jaxpr``, ``eval_shape``
Arrays
    ``numpy`` (NumPy's functions), ``lax`` (operations, loops and branches), ``scipy``, ``random``, ``Array``
Networks
    ``nn`` (functions and initializers), ``optim`` (optimizers), ``train``, ``tune``, ``data``, ``image``, ``io``
Trees
    ``tree``, ``tree_util``, ``flatten_util``
Looking inside
    ``draw``, ``explain``, ``profile``, ``debug``, ``errors``, ``stages``, ``config``, ``test_util``
Extending
    ``extend``, ``custom_derivatives``, ``custom_batching``, ``dtypes``, ``typing``

Other modules listed below are internal.
"""

import importlib as _importlib
from typing import TYPE_CHECKING, Any as _Any

# Operators and methods of arrays come with fungrad.numpy, the text of jaxprs with core.printing.
from fungrad import dtypes, errors, interop as _interop, lax, numpy, sharding, tree, tree_util
from fungrad.config import (
    allow_f16_reductions,
    array_garbage_collection_guard,
    config,
    debug_infs,
    debug_key_reuse,
    debug_nans,
    default_device,
    default_matmul_precision,
    default_prng_impl,
    disable_jit,
    enable_checks,
    enable_custom_prng,
    enable_x64,
    explain_cache_misses,
    flush_subnormals,
    jax2tf_associative_scan_reductions,
    legacy_prng_key,
    log_compiles,
    no_tracing,
    numpy_dtype_promotion,
    numpy_rank_promotion,
    remove_size_one_mesh_axis_from_type,
    softmax_custom_jvp,
    strict_index,
    thread_guard,
    threads,
    threefry_partitionable,
    transfer_guard,
    transfer_guard_device_to_device,
    transfer_guard_device_to_host,
    transfer_guard_host_to_device,
)
from fungrad.control.callbacks import pure_callback
from fungrad.core import printing as _printing
from fungrad.core.array import Array, typeof
from fungrad.core.context import checking_leaks, ensure_compile_time_eval, no_execution
from fungrad.core.device import (
    Device,
    block_until_ready,
    copy_to_host_async,
    default_backend,
    device_count,
    device_get,
    device_put,
    devices,
    effects_barrier,
    local_device_count,
    local_devices,
    process_count,
    process_index,
)
from fungrad.core.dtypes import float0
from fungrad.core.environment import host_count, host_id, host_ids, print_environment_info, process_indices
from fungrad.core.live import live_arrays
from fungrad.core.public_names import missing as _missing, publish as _publish
from fungrad.core.refs import Ref, empty_ref, free_ref, freeze, new_ref
from fungrad.core.source import named_call, named_scope
from fungrad.core.version import VERSION as _VERSION
from fungrad.drawing import Drawing, draw
from fungrad.jit.front.api import clear_caches, fwd_and_bwd, jit
from fungrad.sharding import NamedSharding, PartitionSpec as P, make_mesh, set_mesh
from fungrad.shards import attributes as _attributes
from fungrad.shards.arrays import (
    Shard,
    make_array_from_callback,
    make_array_from_process_local_data,
    make_array_from_single_device_arrays,
    reshard,
)
from fungrad.shards.mapping import pmap, shard_map, smap
from fungrad.transforms.api import grad, jvp, linear_transpose, linearize, value_and_grad, vjp
from fungrad.transforms.checkpointing import checkpoint, checkpoint_policies
from fungrad.transforms.custom_rules import closure_convert, custom_gradient, custom_jvp, custom_vjp
from fungrad.transforms.inspection import ShapeDtypeStruct, eval_shape, make_jaxpr
from fungrad.transforms.jacobians import hessian, jacfwd, jacobian, jacrev
from fungrad.transforms.mapping import vmap

remat = checkpoint
check_tracer_leaks = checking_leaks

__version__ = _VERSION

# Imported when first used.
_SUBMODULES = (
    "ad",
    "ad_checkpoint",
    "api_util",
    "custom_batching",
    "custom_derivatives",
    "data",
    "debug",
    "distributed",
    "dlpack",
    "example_libraries",
    "experimental",
    "export",
    "extend",
    "flatten_util",
    "image",
    "interpreters",
    "io",
    "monitoring",
    "nn",
    "optim",
    "profiler",
    "random",
    "ref",
    "scipy",
    "stages",
    "test_util",
    "train",
    "tune",
    "typing",
)


# Functions of a package that looks at everything, loaded when somebody looks.
_EXPLAINING = ("Explanation", "Profile", "explain", "profile")


if TYPE_CHECKING:
    from fungrad import (
        ad,
        ad_checkpoint,
        custom_batching,
        custom_derivatives,
        data,
        debug,
        distributed,
        dlpack,
        experimental,
        export,
        extend,
        flatten_util,
        image,
        io,
        monitoring,
        nn,
        ops,
        optim,
        profiler,
        random,
        ref,
        scipy,
        stages,
        test_util,
        train,
        tune,
        typing,
    )
    from fungrad.explaining import Explanation, Profile, explain, profile
else:
    # Type checkers must not see it: a name that does not exist is an error.
    def __getattr__(name: str) -> _Any:
        if name in _SUBMODULES:
            return _importlib.import_module(f"fungrad.{name}")
        if name in _EXPLAINING:
            return getattr(_importlib.import_module("fungrad.explaining"), name)
        raise _missing("fungrad", name)


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])


__all__ = [
    "Array",
    "Device",
    "Drawing",
    "Explanation",
    "NamedSharding",
    "P",
    "Profile",
    "Ref",
    "ShapeDtypeStruct",
    "Shard",
    "__version__",
    "ad",
    "ad_checkpoint",
    "allow_f16_reductions",
    "api_util",
    "array_garbage_collection_guard",
    "block_until_ready",
    "check_tracer_leaks",
    "checking_leaks",
    "checkpoint",
    "checkpoint_policies",
    "clear_caches",
    "closure_convert",
    "config",
    "copy_to_host_async",
    "custom_batching",
    "custom_derivatives",
    "custom_gradient",
    "custom_jvp",
    "custom_vjp",
    "data",
    "debug",
    "debug_infs",
    "debug_key_reuse",
    "debug_nans",
    "default_backend",
    "default_device",
    "default_matmul_precision",
    "default_prng_impl",
    "device_count",
    "device_get",
    "device_put",
    "devices",
    "disable_jit",
    "distributed",
    "dlpack",
    "draw",
    "dtypes",
    "effects_barrier",
    "empty_ref",
    "enable_checks",
    "enable_custom_prng",
    "enable_x64",
    "ensure_compile_time_eval",
    "errors",
    "eval_shape",
    "example_libraries",
    "experimental",
    "explain",
    "explain_cache_misses",
    "export",
    "extend",
    "flatten_util",
    "float0",
    "flush_subnormals",
    "free_ref",
    "freeze",
    "fwd_and_bwd",
    "grad",
    "hessian",
    "host_count",
    "host_id",
    "host_ids",
    "image",
    "interpreters",
    "io",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jax2tf_associative_scan_reductions",
    "jit",
    "jvp",
    "lax",
    "legacy_prng_key",
    "linear_transpose",
    "linearize",
    "live_arrays",
    "local_device_count",
    "local_devices",
    "log_compiles",
    "make_array_from_callback",
    "make_array_from_process_local_data",
    "make_array_from_single_device_arrays",
    "make_jaxpr",
    "make_mesh",
    "monitoring",
    "named_call",
    "named_scope",
    "new_ref",
    "nn",
    "no_execution",
    "no_tracing",
    "numpy",
    "numpy_dtype_promotion",
    "numpy_rank_promotion",
    "ops",
    "optim",
    "pmap",
    "print_environment_info",
    "process_count",
    "process_index",
    "process_indices",
    "profile",
    "profiler",
    "pure_callback",
    "random",
    "ref",
    "remat",
    "remove_size_one_mesh_axis_from_type",
    "reshard",
    "scipy",
    "set_mesh",
    "shard_map",
    "sharding",
    "smap",
    "softmax_custom_jvp",
    "stages",
    "strict_index",
    "test_util",
    "thread_guard",
    "threads",
    "threefry_partitionable",
    "train",
    "transfer_guard",
    "transfer_guard_device_to_device",
    "transfer_guard_device_to_host",
    "transfer_guard_host_to_device",
    "tree",
    "tree_util",
    "tune",
    "typeof",
    "typing",
    "value_and_grad",
    "vjp",
    "vmap",
]

_RETURNING_FUNCTIONS = (
    "checkpoint", "remat", "closure_convert", "custom_gradient", "eval_shape", "fwd_and_bwd", "grad", "hessian",
    "jacfwd", "jacobian", "jacrev", "linear_transpose", "linearize", "make_jaxpr", "named_call", "pure_callback",
    "value_and_grad", "vjp", "vmap", "pmap", "smap",
)  # fmt: skip
# The function jit is also fungrad.jit.front.api.jit, and hot; it checks its arguments itself.
_publish(globals(), __name__, __all__, exempt=("jit",), early=_RETURNING_FUNCTIONS)
_interop.install()
