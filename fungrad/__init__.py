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

from typing import TYPE_CHECKING

from fungrad import locks as _locks

with _locks.imports:
    # Operators and methods of arrays come with fungrad.numpy and shards.attributes, the text of jaxprs with
    # core.printing.
    from fungrad import interop as _interop, numpy as numpy
    from fungrad._names import NAMES as _NAMES
    from fungrad.config import (
        allow_f16_reductions as allow_f16_reductions,
        array_garbage_collection_guard as array_garbage_collection_guard,
        auto_pcast as auto_pcast,
        config as config,
        debug_infs as debug_infs,
        debug_key_reuse as debug_key_reuse,
        debug_nans as debug_nans,
        default_device as default_device,
        default_matmul_precision as default_matmul_precision,
        default_prng_impl as default_prng_impl,
        disable_jit as disable_jit,
        enable_checks as enable_checks,
        enable_custom_prng as enable_custom_prng,
        enable_x64 as enable_x64,
        explain_cache_misses as explain_cache_misses,
        flush_subnormals as flush_subnormals,
        jax2tf_associative_scan_reductions as jax2tf_associative_scan_reductions,
        legacy_prng_key as legacy_prng_key,
        log_compiles as log_compiles,
        make_user_context as make_user_context,
        no_tracing as no_tracing,
        numpy_dtype_promotion as numpy_dtype_promotion,
        numpy_rank_promotion as numpy_rank_promotion,
        remove_size_one_mesh_axis_from_type as remove_size_one_mesh_axis_from_type,
        softmax_custom_jvp as softmax_custom_jvp,
        strict_index as strict_index,
        thread_guard as thread_guard,
        threads as threads,
        threefry_partitionable as threefry_partitionable,
        transfer_guard as transfer_guard,
        transfer_guard_device_to_device as transfer_guard_device_to_device,
        transfer_guard_device_to_host as transfer_guard_device_to_host,
        transfer_guard_host_to_device as transfer_guard_host_to_device,
    )
    from fungrad.core import printing as _printing
    from fungrad.core.public_names import public_names as _public_names, publish as _publish
    from fungrad.core.version import VERSION as _VERSION
    from fungrad.jit.front.api import jit as jit
    from fungrad.shards import attributes as _attributes

if TYPE_CHECKING:
    # Loaded when they are asked for; after a change run `python -m tools.facades`.
    from fungrad import (
        ad as ad,
        ad_checkpoint as ad_checkpoint,
        api_util as api_util,
        custom_batching as custom_batching,
        custom_derivatives as custom_derivatives,
        data as data,
        debug as debug,
        distributed as distributed,
        dlpack as dlpack,
        dtypes as dtypes,
        errors as errors,
        example_libraries as example_libraries,
        experimental as experimental,
        export as export,
        extend as extend,
        flatten_util as flatten_util,
        image as image,
        interpreters as interpreters,
        io as io,
        lax as lax,
        memory as memory,
        monitoring as monitoring,
        nn as nn,
        numpy as numpy,
        ops as ops,
        optim as optim,
        profiler as profiler,
        random as random,
        ref as ref,
        scipy as scipy,
        sharding as sharding,
        stages as stages,
        test_util as test_util,
        train as train,
        tree as tree,
        tree_util as tree_util,
        tune as tune,
        typing as typing,
    )
    from fungrad.control.callbacks import (
        pure_callback as pure_callback,
    )
    from fungrad.core.array import (
        Array as Array,
        typeof as typeof,
    )
    from fungrad.core.context import (
        checking_leaks as check_tracer_leaks,
        checking_leaks as checking_leaks,
        ensure_compile_time_eval as ensure_compile_time_eval,
        no_execution as no_execution,
    )
    from fungrad.core.device import (
        Device as Device,
        block_until_ready as block_until_ready,
        copy_to_host_async as copy_to_host_async,
        default_backend as default_backend,
        device_count as device_count,
        device_get as device_get,
        devices as devices,
        effects_barrier as effects_barrier,
        local_device_count as local_device_count,
        local_devices as local_devices,
        process_count as process_count,
        process_index as process_index,
    )
    from fungrad.core.dtypes import (
        float0 as float0,
    )
    from fungrad.core.environment import (
        host_count as host_count,
        host_id as host_id,
        host_ids as host_ids,
        print_environment_info as print_environment_info,
        process_indices as process_indices,
    )
    from fungrad.core.live import (
        live_arrays as live_arrays,
    )
    from fungrad.core.meshes import (
        PartitionSpec as P,
        make_mesh as make_mesh,
        set_mesh as set_mesh,
    )
    from fungrad.core.refs import (
        Ref as Ref,
        empty_ref as empty_ref,
        free_ref as free_ref,
        freeze as freeze,
        new_ref as new_ref,
    )
    from fungrad.core.shardings import (
        NamedSharding as NamedSharding,
    )
    from fungrad.core.source import (
        named_call as named_call,
        named_scope as named_scope,
    )
    from fungrad.drawing import (
        Drawing as Drawing,
        draw as draw,
    )
    from fungrad.explaining import (
        Explanation as Explanation,
        Profile as Profile,
        explain as explain,
        profile as profile,
    )
    from fungrad.jit.front.api import clear_caches as clear_caches
    from fungrad.jit.front.fwd_and_bwd import fwd_and_bwd as fwd_and_bwd
    from fungrad.numpy.dynamic_slices import ds as ds
    from fungrad.shards.arrays import (
        Shard as Shard,
        make_array_from_callback as make_array_from_callback,
        make_array_from_process_local_data as make_array_from_process_local_data,
        make_array_from_single_device_arrays as make_array_from_single_device_arrays,
    )
    from fungrad.shards.mapping import (
        shard_map as shard_map,
        smap as smap,
    )
    from fungrad.shards.pmap import (
        pmap as pmap,
    )
    from fungrad.shards.putting import (
        device_put as device_put,
        reshard as reshard,
    )
    from fungrad.transforms.api import (
        grad as grad,
        jvp as jvp,
        linear_transpose as linear_transpose,
        linearize as linearize,
        value_and_grad as value_and_grad,
        vjp as vjp,
    )
    from fungrad.transforms.checkpointing import (
        checkpoint as checkpoint,
        checkpoint as remat,
        checkpoint_policies as checkpoint_policies,
    )
    from fungrad.transforms.custom_rules import (
        closure_convert as closure_convert,
        custom_gradient as custom_gradient,
        custom_jvp as custom_jvp,
        custom_vjp as custom_vjp,
    )
    from fungrad.transforms.inspection import (
        ShapeDtypeStruct as ShapeDtypeStruct,
        eval_shape as eval_shape,
        make_jaxpr as make_jaxpr,
    )
    from fungrad.transforms.jacobians import (
        hessian as hessian,
        jacfwd as jacfwd,
        jacobian as jacobian,
        jacrev as jacrev,
    )
    from fungrad.transforms.mapping import (
        vmap as vmap,
    )

__version__ = _VERSION

__all__ = ["__version__", *_public_names(globals(), later=_NAMES)]

_RETURNING_FUNCTIONS = (
    "checkpoint", "remat", "closure_convert", "custom_gradient", "eval_shape", "fwd_and_bwd", "grad", "hessian",
    "jacfwd", "jacobian", "jacrev", "linear_transpose", "linearize", "make_jaxpr", "named_call", "pure_callback",
    "value_and_grad", "vjp", "vmap", "pmap", "smap",
)  # fmt: skip
# The function jit is also fungrad.jit.front.api.jit, and hot; it checks its arguments itself.
_publish(globals(), __name__, __all__, exempt=("jit",), early=_RETURNING_FUNCTIONS, later=_NAMES)
_interop.install()
