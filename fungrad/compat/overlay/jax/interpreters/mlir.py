"""``jax.interpreters.mlir``: what rules that build MLIR import, to be defined though never called."""

from fungrad.compat.rows import Row, inert, refused, refused_all

_WHY = "programs are compiled without MLIR; register mlir.lower_fun(f), or leave the lowering out"


class _LoweringRuleContext:
    """The first argument of JAX's lowering rules."""


NAMES: dict[str, Row] = {
    **refused_all(
        "jax.interpreters.mlir",
        """
        ConstantHandler LoweringParameters LoweringResult ModuleContext SPMDAxisContext ShapePolyLoweringState
        ShardingContext Token TokenSet Value aval_to_ir_type aval_to_ir_types core_call_lowering dense_int_array
        dense_int_elements dtype_to_ir_type flatten_ir_types flatten_ir_values i32_attr i64_attr ir_attribute
        ir_constants jaxpr_subcomp lower_jaxpr_to_fun lower_jaxpr_to_module make_ir_context merge_mlir_modules
        module_to_bytecode module_to_string register_constant_handler shape_tensor unflatten_ir_values_like_types
        """,
        _WHY,
    ),
    "LoweringRuleContext": inert(_LoweringRuleContext),
    "emit_python_callback": refused("jax.interpreters.mlir.emit_python_callback", _WHY, "equinox"),
    "ir_constant": refused("jax.interpreters.mlir.ir_constant", _WHY),
}
