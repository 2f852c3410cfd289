"""Where the names of ``fungrad`` are, each in words of the module that has it.

Written by ``python -m tools.facades`` from the imports of the facade.
"""

NAMES = {
    "fungrad": (
        "ad ad_checkpoint api_util custom_batching custom_derivatives data debug distributed dlpack dtypes errors "
        "example_libraries experimental export extend flatten_util image interpreters io lax memory monitoring nn "
        "numpy ops optim profiler random ref scipy sharding stages test_util train tree tree_util tune typing"
    ),
    "fungrad.control.callbacks": "pure_callback",
    "fungrad.core.array": "Array typeof",
    "fungrad.core.context": "check_tracer_leaks=checking_leaks checking_leaks ensure_compile_time_eval no_execution",
    "fungrad.core.device": (
        "Device block_until_ready copy_to_host_async default_backend device_count device_get devices "
        "effects_barrier local_device_count local_devices process_count process_index"
    ),
    "fungrad.core.dtypes": "float0",
    "fungrad.core.environment": "host_count host_id host_ids print_environment_info process_indices",
    "fungrad.core.live": "live_arrays",
    "fungrad.core.meshes": "P=PartitionSpec make_mesh set_mesh",
    "fungrad.core.refs": "Ref empty_ref free_ref freeze new_ref",
    "fungrad.core.shardings": "NamedSharding",
    "fungrad.core.source": "named_call named_scope",
    "fungrad.drawing": "Drawing draw",
    "fungrad.explaining": "Explanation Profile explain profile",
    "fungrad.jit.front.api": "clear_caches",
    "fungrad.jit.front.fwd_and_bwd": "fwd_and_bwd",
    "fungrad.numpy.dynamic_slices": "ds",
    "fungrad.shards.arrays": (
        "Shard make_array_from_callback make_array_from_process_local_data make_array_from_single_device_arrays"
    ),
    "fungrad.shards.mapping": "shard_map smap",
    "fungrad.shards.pmap": "pmap",
    "fungrad.shards.putting": "device_put reshard",
    "fungrad.transforms.api": "grad jvp linear_transpose linearize value_and_grad vjp",
    "fungrad.transforms.checkpointing": "checkpoint checkpoint_policies remat=checkpoint",
    "fungrad.transforms.custom_rules": "closure_convert custom_gradient custom_jvp custom_vjp",
    "fungrad.transforms.inspection": "ShapeDtypeStruct eval_shape make_jaxpr",
    "fungrad.transforms.jacobians": "hessian jacfwd jacobian jacrev",
    "fungrad.transforms.mapping": "vmap",
}
