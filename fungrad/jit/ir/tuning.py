"""Every threshold of the compiler that a measurement or the hardware has set: named once, with its unit and its reason.

Work is counted in vector instructions (`ir/cost.py`), products in multiplications. What depends on the size of a cache
is a function of the `Machine`, with what was measured as its greatest value. The numbers were chosen on the machine of
`benchmarks/RESULTS.md`.

Thresholds of the run time (threads, memory, cache on disk) and of the kernels of products and sorting stand there.
"""

from __future__ import annotations

from fungrad.jit.ir.machine import Machine

# -- Costs of statements, in vector instructions --------------------------------------------------------------------

# One element of a gather, and of a scatter.
GATHER_COST = 0.7
SCATTER_COST = 2.0
# Combining the lanes of an accumulator.
REDUCE_COST = 4.0
# An elementary function, such as exp.
FUNCTION_COST = 12.0
# Some other function given as Python code.
UNKNOWN_COST = 2.0
# Iterations that a loop of unknown length is taken to run.
TURNS_OF_A_WHILE = 32

# -- Threads --------------------------------------------------------------------------------------------------------

# Work below which a nest stays on one thread.
PARALLEL_WORK = 40_000
# Work of a nest that a thread does as a whole beside products, before its lanes are known.
WHOLE_NEST = 8 * PARALLEL_WORK
# Work from which the interpreter lock is released, and multiplications of a product.
RELEASED_WORK = 20_000
RELEASED_PRODUCT = 200_000
RELEASED_LIBRARY_CALL = 200_000
# Multiplications of a call of a library from which the BLAS uses threads of its own in it.
LARGE_LIBRARY_CALL = 1 << 32
# About how many pieces a reduction is split in. They do not depend on the number of threads, so neither do results.
REDUCTION_PIECES = 32
# About how many parcels steps that run side by side are divided into.
PARCELS = 16
# Rows of a piece of a `Rows` step for which the copies of products, one per piece, are small change.
ROWS_OF_A_PIECE = 192
# Bytes of the narrowest columns that a thread updates (two cache lines), and how many such parts there are at most.
NARROWEST_COLUMNS = 128
MOST_COLUMN_PARTS = 8
# Most bytes of private sums per unit of work in the loop that needs them.
PRIVATE_BYTES = 2

# -- Products, in multiplications -----------------------------------------------------------------------------------

# From here on a product is shared between threads.
SHARED_PRODUCT = 1 << 19
# From here on a product of fewer rows than a tile is shared by itself, instead of going through a chain of steps on one
# thread: some 20 microseconds, since threads meet after each of them.
WIDE_PRODUCT = 1 << 20
# From here on every thread gets several parts, so that a slow one does less: of our own products, and of the BLAS's.
BALANCED_PRODUCT = 1 << 24
# From here on only half as many: each copies one operand for itself, and a millisecond is time enough for all to begin.
LARGE_PRODUCT = 1 << 29
BALANCED_BLAS = 1 << 26
# From here on the BLAS might use threads of its own: for products of matrices, and with a vector.
BLAS_THREADED = 1 << 18
BLAS_THREADED_VECTOR = 1 << 13
# Rows and columns that are not separated: a multiple of those of a tile, ours and the BLAS's.
PRODUCT_ROWS = 8
PRODUCT_COLUMNS = 32
BLAS_STRIP = 16
# Terms of the sums of a product from which it is cut into blocks of at least so many terms, which are added up in
# levels: a product of its own adds one sum of `DEPTH` terms to the next.
DEEP_PRODUCT = 1 << 16
DEEP_BLOCK = 1 << 12
# Products with at most this many multiplications become loops that fuse with what is around them.
SMALL_PRODUCT = 4096

# -- Convolutions ----------------------------------------------------------------------------------------------------

# Multiplications from which a convolution is shared between threads, and from which the interpreter lock is released.
SHARED_CONVOLUTION = 1 << 18
RELEASED_CONVOLUTION = 200_000
# Columns of the kernel of a convolution that lie together: a cache line.
PANEL_BYTES = 64
# Taps from which a convolution with still fewer results is computed by blocks of taps; about how many taps are in a
# block; and into how many pieces, each with results of its own that are added up in the end, they are divided: so many,
# unless the results are so large.
DEEP_CONVOLUTION = 16
# Results of a deep convolution of single features for all of which there are kernels of their own.
DEEP_RESULTS = 128
CONVOLUTION_TAPS = 512
CONVOLUTION_PIECES = 16
CONVOLUTION_PIECES_BYTES = 32 << 20

# -- Memory ---------------------------------------------------------------------------------------------------------

# Results from this size start at a multiple of 64 bytes: they come from the pool.
LARGE_RESULT = 1 << 20
# Bytes from which exchanging addresses is cheaper than copying.
EXCHANGED_BYTES = 1024
# Bytes between rows from which walking down a column is slow.
FAR_ROWS = 2048
# Rows of a sweep over columns: enough to make the partial results cheap, few enough for the prefetcher.
SWEPT_ROWS = 8
# Work of what is computed once a row, from which it is not computed again for every vector of the row instead.
REPEATED_WORK = 4
# About how many columns are swept at a time: partial results of 4 KiB in single precision.
SWEPT_COLUMNS = 1024
# About how long the blocks are in which a strided vector loop runs: their cache lines are used up before they leave
# the first level.
TILE_BLOCK = 128
# Work before a loop that may be repeated in it, so that both loops can be tiled.
SUNK_BEFORE = 6.0


def streamed_bytes(machine: Machine) -> int:
    """Bytes that a nest goes through from which its results are written past the cache: they would not stay there, and
    an ordinary store reads a line before it writes it."""
    return min(128 << 20, 4 * machine.l3_bytes)


def swept_columns(machine: Machine, columns: int, nbytes: int) -> int | None:
    """Columns of an array of so many bytes that are swept at a time by one that updates rows in memory; None if there
    are too few for that.

    From a cache a few hundred serve, and more parcels are better for threads; from memory long pieces of rows.
    (Measured with rows of 2048 and 4096 numbers: from the third level 120 us with 128 at a time, 160 to 240 with 512;
    from memory 1270 us with 256, 860 with 1024.)
    """
    width = min(SWEPT_COLUMNS, columns // PARCELS)
    if width < SWEPT_COLUMNS // 4:
        return None
    return width if nbytes <= machine.l3_bytes else min(SWEPT_COLUMNS, columns // 4)


def row_ahead(machine: Machine) -> tuple[int, int]:
    """Bytes of a row that is asked for ahead: long enough to be worth it, short enough to stay in the second level."""
    return 1 << 10, min(1 << 17, machine.l2_bytes // 8)


def scratch_of_rows(machine: Machine) -> int:
    """Bytes of scratch memory that rows may get of their own: they must stay in the second level."""
    return min(1 << 20, machine.l2_bytes)


def crowded_stride(machine: Machine) -> int:
    """Bytes between rows at a multiple of which their lines compete for the same places of the first level."""
    return machine.l1_bytes // machine.l1_ways


# -- Sizes of loops and formulas ------------------------------------------------------------------------------------

# Most lanes of a vector loop: four registers of 16.
MOST_LANES = 64
# Operations that may run at the same time, below which four vectors do, and below twice that two; and the most work
# that they have together, so that compiling stays cheap. Measured on AVX2 with one, two and four vectors: a chain of
# ten `tanh` of 20,000 elements takes 454, 134, 86 us, of ten `exp` 172, 109, 115; one `exp` repeated over 7005 elements
# 149, 157, 50.
CHAIN_BESIDE = 1.6
CHAINS_WORK = 640
# Terms that are added up one after the other, and blocks of them, before a level ends: the error of a sum does not grow
# with the number of its terms.
SUM_BLOCK = 64
# Updates at computed places in a block per element of the sums, one by one and as rows: what filling and adding up
# scratch memory costs is small beside them. And the number of blocks from which there are any.
LEVEL_UPDATES = 4
LEVEL_ROW_UPDATES = 16
LEVEL_BLOCKS = 4
# Longest record whose elements are read and written as whole vectors.
LONGEST_RECORD = 4
# Loops that must run in order: iterations of a block, fewest that are split, and the work per iteration for every value
# that goes through memory from which that pays.
DISTRIBUTED_BLOCK = 256
DISTRIBUTED_LEAST = 64
DISTRIBUTED_WORK = 2.0
# Rows of a loop whose numbers go through memory between its stages: at least two vectors, and at most.
STRIPPED_LEAST = 32
STRIPPED_ROWS = 1 << 20
# Loops that change places: arrays with fewer elements are left to `regions`; with more carried values memory serves as
# well as registers.
INTERCHANGED_LEAST = 16
INTERCHANGED_CARRIED = 12
# Work of a side of a choice from which a branch pays: several elementary functions.
SUNK_WORK = 60.0
# Elements of an array that becomes variables, and iterations of a loop that is written out for that.
FEW_ELEMENTS = 8
# Scalar statements that one nest may run, and that a merged nest may have.
SCALAR_NEST = 4096
MERGED_STATEMENTS = 2500
# Short loops: iterations that are written out, statements that the loop around may have then, its fewest iterations,
# and sums into single elements that become accumulators.
UNROLLED_ITERATIONS = 4
UNROLLED_STATEMENTS = 160
UNROLLED_AROUND = 32
UNROLLED_SUMS = 8
# How many steps are looked at together for what may run side by side; after the first of a group of rows; and how soon
# a product must follow a nest that begins one. They bound the time that compiling takes.
SIDE_BY_SIDE_REACH = 64
GROUP_REACH = 64
GROUP_SOON = 6
# Arrays that one nest of loops may read, stages that it may hold, how many items after what it
# needs a stage looks at for loops to join, and how many nests that read an array a result looks at besides.
FUSED_ARRAYS = 24
FUSED_STAGES = 40
FUSION_REACH = 48
FUSION_READERS = 4
# A formula used several times is computed again if it costs at most this much (in additions) and reads one array; the
# same for single numbers, which are computed once per loop nest at worst.
CHEAP_FORMULA = 2
CHEAP_NUMBER = 12
# Formulas grow by inlining up to these sizes: arrays read, cost in additions, depth.
FORMULA_LEAVES = 24
FORMULA_COST = 150
FORMULA_DEPTH = 24
# Iterations from which a loop is worth running as vectors.
SHORT_LOOP = 8
# A loop nest is written at most this many times over to split ranges where guards change.
NEST_COPIES = 12
# Branches of at most this many scalar operations are all computed.
SMALL_BRANCH = 8
# More arrays than this are joined in groups; and a loop over what is joined is written for each piece if these are at
# most so many, times the stages in it.
JOINED_PIECES = 64
JOINED_STAGES = 160
# Elements that are combined one after the other, in registers, if they come from different pieces.
JOINED_REDUCED = 64
# Sums of products become matrix products whose dimensions are at least this long and that have as many terms.
CONTRACTED_LEAST = 4
CONTRACTED_TERMS = 1 << 14
