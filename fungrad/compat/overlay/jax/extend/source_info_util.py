"""``jax.extend.source_info_util``."""

from fungrad.compat.rows import Row, inert, nothing, refused_all

NAMES: dict[str, Row] = {
    **refused_all(
        "jax.extend.source_info_util",
        """
        NameStack SourceInfo current current_name_stack extend_name_stack new_name_stack new_source_info
        reset_name_stack set_name_stack summarize transform_name_stack user_context
        """,
        "places in the code are kept otherwise; jax.named_scope names a part of a program",
    ),
    "register_exclusion": inert(nothing, "flax"),
}
