"""What the compiler knows of the processor that it compiles for."""

from __future__ import annotations

from dataclasses import dataclass

# Bytes of a cache line, on all processors that there is code for.
LINE_BYTES = 64


@dataclass(frozen=True)
class Machine:
    """What the compiler must know of the processor.

    Attributes:
      vector_bytes: width of a vector register.
      threads: whether parallel loops may be split.
      blas_int: LLVM type of the integers of the BLAS.
      lapack_int: LLVM type of the integers of LAPACK.
      own_blas_threads: the threads of the BLAS cannot be turned off, so products are left whole.
      soft_half: the processor has no instructions for half precision.
      avx512: whether the processor has the instructions of AVX-512 for all widths.
      arm: whether it is an AArch64 processor.
      flush_subnormals: whether subnormal numbers count as zero.
      l1_bytes, l2_bytes, l3_bytes: sizes of the caches for data: of a core, of a core, and shared by the cores. The
        defaults are those of common servers, and hold where the system does not say.
      l1_ways: places in the first level for lines of one address modulo `l1_bytes / l1_ways`.
    """

    vector_bytes: int = 16
    threads: bool = False
    blas_int: str = "i64"
    lapack_int: str = "i64"
    own_blas_threads: bool = True
    soft_half: bool = False
    avx512: bool = False
    arm: bool = False
    flush_subnormals: bool = False
    l1_bytes: int = 32 << 10
    l2_bytes: int = 1 << 20
    l3_bytes: int = 32 << 20
    l1_ways: int = 8

    @property
    def registers(self) -> int:
        """Vector registers: AVX-512 and NEON have 32, older ones of x86 have 16."""
        return 32 if self.vector_bytes == 64 or self.arm else 16
