"""``jax.interpreters.mlir``: what rules that build MLIR import, to be defined though never called."""

from fungrad.compat.rows import Row, inert, refused

_WHY = "programs are compiled without MLIR; register mlir.lower_fun(f), or leave the lowering out"


class _LoweringRuleContext:
    """The first argument of JAX's lowering rules."""


NAMES: dict[str, Row] = {
    "LoweringRuleContext": inert(_LoweringRuleContext),
    "emit_python_callback": refused("jax.interpreters.mlir.emit_python_callback", _WHY, "equinox"),
    "ir_constant": refused("jax.interpreters.mlir.ir_constant", _WHY),
}
