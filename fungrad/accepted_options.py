"""Options of JAX that change nothing here: ``fungrad.config`` takes and keeps them, so that programs that set them run.

Those about random keys are kept here too; ``fungrad.random`` looks at them. Another option that would change what is
computed is no such option, except at the value that is the behaviour here.

May import nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Accepted(NamedTuple):
    """What an option may be.

    Attributes:
      default: its value until somebody sets it.
      values: the values that it may have; None if any of `types`.
      types: types of which its value may be.
    """

    default: Any
    values: tuple[Any, ...] | None = None
    types: tuple[type, ...] = ()


_NONE = type(None)
_GUARDS = ("allow", "log", "disallow", "log_explicit", "disallow_explicit")
_LEVELS = ("UNKNOWN", "O0", "O1", "O2", "O3")
_DOT_ALGORITHMS = (
    "ANY_F8_ANY_F8_F32", "ANY_F8_ANY_F8_F32_FAST_ACCUM", "ANY_F8_ANY_F8_ANY", "ANY_F8_ANY_F8_ANY_FAST_ACCUM",
    "F16_F16_F16", "F16_F16_F32", "BF16_BF16_BF16", "BF16_BF16_F32", "BF16_BF16_F32_X3", "BF16_BF16_F32_X6",
    "BF16_BF16_F32_X9", "TF32_TF32_F32", "TF32_TF32_F32_X3", "F32_F32_F32", "F64_F64_F64",
)  # fmt: skip

_TRUE = """
compiler_enable_remat_pass cpu_enable_async_dispatch check_proxy_envs enable_compilation_cache
enable_preemption_service include_debug_info_in_dumps include_full_tracebacks_in_locations
jax2tf_default_native_serialization mutable_array_checks pallas_use_mosaic_gpu pprint_use_color
ragged_dot_use_ragged_dot_instruction sort_devices_by_process_index use_direct_linearize use_shardy_partitioner
auto_pcast allow_f16_reductions
"""
_FALSE = """
bcoo_cusparse_lowering check_vma compilation_cache_check_contents compilation_cache_expect_pgle
compilation_cache_include_metadata_in_key custom_vjp3 debug_leaked_clients_on_clear_backends disable_bwd_checks
disable_most_optimizations disable_vmap_shmap_error disallow_mesh_context_manager distributed_debug enable_checks
enable_pgle enable_recoverability experimental_unsafe_xla_runtime_errors export_ignore_forward_compatibility
force_dcn_cross_host_transfers jax2tf_associative_scan_reductions log_checkpoint_residuals mosaic_allow_hlo
pallas_enable_debug_checks pallas_poison_buffers pallas_verbose_errors ragged_dot_use_gpu_pallas_triton_lowering
raise_persistent_cache_errors refs_to_pins remat3 remove_custom_partitioning_ptr_from_cache_key
remove_size_one_mesh_axis_from_type scan3 share_binary_between_hosts softmax_custom_jvp thread_guard
threefry_gpu_kernel_lowering use_emit_pipeline_primitive use_simplified_jaxpr_constants
"""
_INTEGERS = {
    "captured_constants_report_frames": 0, "captured_constants_warn_bytes": 2_000_000_000,
    "compilation_cache_max_size": -1, "compiler_detailed_logging_min_ops": 10,
    "cpu_get_global_topology_timeout_minutes": 5, "cpu_get_local_topology_timeout_minutes": 2,
    "embedded_constants_max_bytes": 32, "export_calling_convention_version": 10, "mock_num_gpu_processes": 0,
    "persistent_cache_min_entry_size_bytes": 0, "pgle_aggregation_percentile": 90, "pgle_profiling_runs": 3,
    "random_seed_offset": 0,
    "serialization_version": 0, "share_binary_between_hosts_timeout_ms": 1_200_000,
    "traceback_in_locations_limit": 100, "tracer_error_num_traceback_frames": 5, "xla_profile_version": 0,
}  # fmt: skip
_NUMBERS = {
    "exec_time_optimization_effort": 0.0, "memory_fitting_effort": 0.0, "persistent_cache_min_compile_time_secs": 1.0
}  # fmt: skip
_TEXTS = {
    "backend_target": "", "cross_host_transfer_socket_address": "", "cross_host_transport_addresses": "",
    "cuda_visible_devices": "all", "debug_log_modules": "", "dump_ir_modes": "stablehlo", "dump_ir_to": "",
    "mock_gpu_topology": "", "oneapi_visible_devices": "all",
    "persistent_cache_enable_xla_caches": "xla_gpu_per_fusion_autotune_cache_dir", "rocm_visible_devices": "all",
    "compilation_cache_dir": None, "hlo_source_file_canonicalization_regex": None, "pjrt_client_create_options": None,
    "source_url_schema": None,
}  # fmt: skip
_CHOICES = {
    "array_garbage_collection_guard": (None, "allow", "log", "fatal"),
    "cpu_collectives_implementation": ("gloo", "mpi", "megascale", "none"),
    "default_matmul_precision": (
        None, "default", "high", "highest", "bfloat16", "tensorfloat32", "float32", *_DOT_ALGORITHMS,
    ),
    "default_prng_impl": ("threefry2x32", "threefry4x32", "rbg", "unsafe_rbg", "philox2x32", "philox4x32"),
    "enable_custom_prng": (False, True),
    "high_dynamic_range_gumbel": (False, True),
    "legacy_prng_key": ("allow", "warn", "error"),
    "logging_level": ("NOTSET", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", None),
    "memory_fitting_level": ("O2", *_LEVELS),
    "optimization_level": _LEVELS,
    "platform_name": ("", "cpu", None),
    "platforms": ("cpu", "", None),
    "send_traceback_to_runtime": ("off", "on", "full"),
    "threefry_partitionable": (True,),
    "transfer_guard": (None, *_GUARDS),
    "transfer_guard_device_to_device": (None, *_GUARDS),
    "transfer_guard_device_to_host": (None, *_GUARDS),
    "transfer_guard_host_to_device": (None, *_GUARDS),
    "use_magma": ("auto", "off", "on"),
}  # fmt: skip

ACCEPTED: dict[str, Accepted] = {
    **{name: Accepted(True, types=(bool,)) for name in _TRUE.split()},
    **{name: Accepted(False, types=(bool,)) for name in _FALSE.split()},
    **{name: Accepted(value, types=(int,)) for name, value in _INTEGERS.items()},
    **{name: Accepted(value, types=(float, int)) for name, value in _NUMBERS.items()},
    **{name: Accepted(value, types=(str, _NONE)) for name, value in _TEXTS.items()},
    **{name: Accepted(values[0], values) for name, values in _CHOICES.items()},
    # A device is known to layers above only; its class says what it is.
    "default_device": Accepted(None, types=(object,)),
}


def check_accepted(name: str, value: Any) -> Any:
    """The value of an option, as that is kept.

    Raises:
      TypeError: it is of the wrong type.
      ValueError: the option cannot have it.
    """
    option = ACCEPTED[name]
    if name == "default_device":
        if value not in (None, "cpu") and getattr(value, "platform", None) != "cpu":
            raise ValueError(f"fungrad.config: {name} must be None or a device of this process, got {value!r}")
        return value
    if option.values is not None:
        # Of several platforms, the first that exists is taken: the CPU always does.
        if name == "platforms" and isinstance(value, str) and "cpu" in value.split(","):
            return value
        if value not in option.values:
            raise ValueError(f"fungrad.config: {name} must be one of {option.values}, got {value!r}")
        return value
    if not isinstance(value, option.types) or isinstance(value, bool) and bool not in option.types:
        wanted = " or ".join("None" if t is _NONE else t.__name__ for t in option.types)
        raise TypeError(f"fungrad.config: {name} must be {wanted}, got {value!r} of type {type(value).__name__}")
    return value
