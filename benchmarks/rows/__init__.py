"""The rows of the benchmark, by subject."""

from benchmarks.rows import dispatch, elementwise, loops, matmul, mlp, reductions, transforms  # noqa: F401
