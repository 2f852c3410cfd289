"""Every threshold of the compiler that a measurement or the hardware has set: named once, with its unit and its reason.

Work is counted in vector instructions (`ir/cost.py`), products in multiplications. What depends on caches or registers
is a function of the `Machine`, with what was measured as its greatest value. Nothing depends on the number of cores:
results do not depend on it either. The numbers were chosen on an Intel Sapphire Rapids and an AMD EPYC (Zen 5), both
with AVX-512, and looked at with AVX2.

Elsewhere stand only costs of primitives (on the primitive: `cost`, `complex_cost`, `cheap`), limits on what Python
keeps (programs of `front/`, files of `runtime/cache.py`), and numbers that follow from a format or an instruction.

May import ``ir.machine`` and ``core``.
"""

from __future__ import annotations

from fungrad.core import products
from fungrad.jit.ir.machine import LINE_BYTES, Machine

# -- Costs of statements, in vector instructions --------------------------------------------------------------------

# One element of a gather, and of a scatter.
GATHER_COST = 0.7
SCATTER_COST = 2.0
# Combining the lanes of an accumulator.
REDUCE_COST = 4.0
# A store that adds to what is there; an access of a vector loop that is not to neighbours, at least.
UPDATE_COST = 2.0
STRIDED_COST = 2.0
# An elementary function, such as exp.
FUNCTION_COST = 12
# Some other function given as Python code.
UNKNOWN_COST = 2.0
# A branch of single numbers, beside what is in it.
BRANCH_COST = 2
# Iterations that a loop of unknown length is taken to run.
TURNS_OF_A_WHILE = 32
# Each number that a routine other than a product computes (sorting, a transform).
CALL_COST = 30.0

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
# By how much fewer they are where so many pieces of scratch memory would cost too much: each is tried in turn.
FEWER_PIECES = (1, 4, 8)
# About how many parcels steps that run side by side are divided into.
PARCELS = 16
# How many pieces of work a thread gets where they are many: a slow thread then does less.
PIECES_PER_THREAD = 4
# Rows of a piece of a `Rows` step for which the copies of products, one per piece, are small change.
ROWS_OF_A_PIECE = 192
# Bytes of memory that processors fetch together: a pair of cache lines. 117,000 sums into 6 int32, one copy for each
# thread: 441 us on two threads (197 on one) with the copies in one line, 100 us in lines of their own.
FETCHED_TOGETHER = 2 * LINE_BYTES
# From how many of these on copies share the first and the last: of so many, updates hit those two seldom.
FETCHES_APART = 8
# Bytes of the narrowest columns that a thread updates, and how many such parts there are at most.
NARROWEST_COLUMNS = FETCHED_TOGETHER
MOST_COLUMN_PARTS = 8
# Most bytes of private sums per unit of work in the loop that needs them.
PRIVATE_BYTES = 2
# How many times less that is for updates at computed places: they wait for memory, which the sums take up too.
SCATTERED_WAIT = 32
# Work from which a reduction to few values is split, rows that meet in sums are, and updates that meet are, by columns.
SPLIT_REDUCTION_WORK = 16 * PARALLEL_WORK
SPLIT_ROWS_WORK = 8 * PARALLEL_WORK
SPLIT_COLUMNS_WORK = 4 * PARALLEL_WORK
# Work between two polls for signals: some 20 milliseconds.
POLLED_WORK = 5e7

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
BLAS_THREADED = products.THREADED
BLAS_THREADED_VECTOR = products.THREADED_VECTOR
# Products of a batch from which threads get whole ones.
SHARED_BATCH = 4
# Rows and columns that are not separated: a multiple of those of a tile, ours and the BLAS's.
PRODUCT_ROWS = 8
PRODUCT_COLUMNS = 32
BLAS_STRIP = 16
# Terms of the sums of a product from which it is cut into blocks of at least so many terms, which are added up in
# levels: a product of its own adds one sum of `PRODUCT_DEPTH` terms to the next.
DEEP_PRODUCT = 1 << 16
DEEP_BLOCK = 1 << 12
# Products with at most this many multiplications become loops that fuse with what is around them.
SMALL_PRODUCT = 4096

# Products in a scan: those with fewer multiplications per step stay there, and so do those whose factors or results of
# all steps take more bytes together. Products of so many vectors with a matrix, and so much work, gain from having the
# matrix transposed before the loop.
MOVED_PRODUCT = 1024
STACKED_BYTES = 1 << 28
TURNED_VECTORS = 4
TURNED_PRODUCT = 1 << 13

# -- Kernels of products ---------------------------------------------------------------------------------------------

# Terms of a sum that are added up in registers before the result is touched: a panel of that many rows stays in the
# first-level cache. Sums of all products are cut here, so the results of all drivers are the same bits.
PRODUCT_DEPTH = 256
# Rows of the left operand that stay in the second-level cache while the panels of the right one pass.
CACHED_ROWS = 1024
# How many rows of it must be how many bytes apart to be copied.
MANY_ROWS = 256
FAR_OPERAND_ROWS = 4096
# Bytes over which the columns of a tile may be spread before the address translation of the first level runs out.
SPREAD_COLUMNS = 1 << 17
# Columns of a transposed result that are computed before they are copied to where they belong.
SWAPPED_COLUMNS = 256
# Rows of the left operand up to which the transposed result is computed from a right operand in columns, which is then
# read number by number; with more its panels are transposed. (Of 2048 x 2048: equal at 128 rows, 256 a fifth faster.)
SWAPPED_ROWS = 128
# Rows of the left operand up to which a panel of the right one is read where it is: asked for ahead, it comes as fast
# as from a copy. With more rows a copy in the first level is better, since hardly any panel stays there as it is: its
# rows lie at few different places. Measured with 100 to 2048 columns: 8 rows up to a factor of 3 faster in place, equal
# from 32 to 64, from 128 on 5 to 25 % slower.
DIRECT_ROWS = 48
# The same for tiles of three vectors. Their panels are a line and a half wide, and every four rows read them again, so
# that the second level does not keep up. Measured from 24 rows on: up to 40 % slower in place.
NARROW_DIRECT_ROWS = 16
# Bytes of the vectors whose masked stores are slow: those of AVX2 are microcode on many processors, some 20 cycles
# each, and a tile has a dozen. Whole tiles do without; with AVX-512 a mask costs nothing.
SLOWLY_MASKED_BYTES = 32


def copied_bytes(l2_bytes: int) -> int:
    """Bytes of rows that are copied at a time: as many as fill that part of the second level, while panels of the other
    operand and tiles of the result pass; on the stack, so not more than what was measured on 1 MiB (384 KiB against 128
    are 5 to 10 %)."""
    return min(l2_bytes * 3 // 8, 384 << 10)

# -- Convolutions ----------------------------------------------------------------------------------------------------

# Multiplications from which a convolution is shared between threads, and from which the interpreter lock is released.
SHARED_CONVOLUTION = 1 << 18
RELEASED_CONVOLUTION = 200_000
# Columns of the kernel of a convolution that lie together: a cache line.
PANEL_BYTES = LINE_BYTES
# Results along the last axis from which it is divided, into about how many, and at least.
LONGEST_LINE = 768
LINE = 256
SHORTEST_LINE = 8
# Terms of a sum that are added up in registers before the result is touched.
CONVOLUTION_DEPTH = 640
# Blocks of a convolution that are worth having, so that all threads have work.
CONVOLUTION_BLOCKS = 16
# Terms of an innermost loop that is written out.
TERMS_WRITTEN_OUT = 12
# Taps from which a convolution with still fewer results is computed by blocks of taps; about how many taps are in a
# block; and into how many pieces, each with results of its own that are added up in the end, they are divided: so many,
# unless the results are so large.
DEEP_CONVOLUTION = 16
# Results of a deep convolution of single features for all of which there are kernels of their own.
DEEP_RESULTS = 128
CONVOLUTION_TAPS = 512
CONVOLUTION_PIECES = 16
CONVOLUTION_PIECES_BYTES = 32 << 20


def convolution_scratch(machine: Machine) -> int:
    """Bytes of a copy of the operand: it must stay in the second level, beside the kernel."""
    return max(1 << 16, min(1 << 18, machine.l2_bytes // 4))


def convolution_sums(machine: Machine) -> int:
    """Registers of a tile that hold sums; the others hold factors."""
    return machine.registers * 3 // 4


# -- Sorting and transforms ------------------------------------------------------------------------------------------

# Sorting networks of at most this many inputs are written out, and their values stay in registers.
SORTED_IN_REGISTERS = 32
# Rows of at most this length are sorted in scalar registers when there are too few of them to fill the lanes.
SORTED_ALONE = 64
# Elements per lane of a run from which merging takes over.
MERGED_RUN = 128
# Greatest elements of a row that stay in registers while it is searched for them.
TOP_IN_REGISTERS = 32
# Bytes of rows that threads share the sorting of; elements that they share the search for the greatest of, and numbers
# that they share a transform of.
SHARED_SORT_BYTES = 30_000
SHARED_TOP = 60_000
SHARED_TRANSFORM = 30_000
# Numbers to sort or to transform, and to search, from which the interpreter lock is released.
RELEASED_NUMBERS = 2000
RELEASED_TOP = 20_000
# The longest transform that is made of one piece, in scratch arrays on the stack: lanes of all its elements; the
# shortest one of two.
LONGEST_PIECE = 4096
SHORTEST_SPLIT = 32
# The longest row whose two steps one thread makes with the row between them on its stack.
LONGEST_ROW = 8192
# Rows that are worth sharing between threads whole, and rows that fill the lanes of a register enough.
SHARED_ROWS = 8
LANES_OF_ROWS = 4
# The longest transform of whose roots there is a table.
LONGEST_TABLE = 1 << 14
# Bytes of scratch arrays on the stack: threads may have little room there.
STACK_BYTES = 512 << 10

# -- Memory ---------------------------------------------------------------------------------------------------------

# Results from this size start at a multiple of 64 bytes: they come from the pool. Below, NumPy's allocator is as good.
LARGE_RESULT = 1 << 20
# Most memory in the pool that waits for reuse.
KEPT_BYTES = 1 << 30
# Memory from this size is asked for in huge pages where the system has them: a page table entry for 2 MiB instead of
# 4 KiB saves most of the cost of fresh memory, and of strides and random accesses in it.
HUGE_PAGE = 1 << 21
# Of the bytes of a carried array, how many may be copied ahead of its being written over: one part in so many.
COPIED_AHEAD = 2
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
# Sweeps, and columns, from which that is worth it.
SWEEPS = 4
FEWEST_SWEPT = 64
# About how long the blocks are in which a strided vector loop runs: their cache lines are used up before they leave
# the first level.
TILE_BLOCK = 128
# Rows beside it from which a block is worth it; and elements between neighbours from which a vector loop strides.
TILED_ROWS = 8
STRIDE_ACROSS = 4
# Rows of a matrix in memory that are summed up at the same time: 4096 x 4096 float32 times a vector on two threads took
# 3.9 ms one by one, 3.2 by two, 2.8 by four. With rows of 1 KiB it took a tenth longer by four, with 4 KiB less.
JAMMED_ROWS = 4
JAMMED_ROW_BYTES = 3 << 10
# Groups from which that is done: threads share them.
JAMMED_GROUPS = REDUCTION_PIECES
# From how many times the second level of the cache on; the most work on each element; the most operands that have rows.
JAMMED_CACHES = 2
JAMMED_WORK = 8.0
JAMMED_STREAMS = 2
# Work before a loop that may be repeated in it, so that both loops can be tiled.
SUNK_BEFORE = 6.0
# Work of a body that is written once for each row of a square that is transposed in registers.
SQUARE_WORK = 16


def square_side(itemsize: int) -> int:
    """Side of such a square: what fills a line, at most 16 registers."""
    return min(16, LINE_BYTES // itemsize)


def streamed_bytes(machine: Machine, turned: bool) -> int | None:
    """Bytes that a nest goes through from which its results are written past the cache: they would not stay there, and
    an ordinary store reads a line before it writes it. A transposition (`turned`) comes back to each row of its result
    much later, so for that it is half. None where such stores are no gain: on ARM, and with vectors of less than half a
    line."""
    if machine.arm or machine.vector_bytes < LINE_BYTES // 2:
        return None
    most = min(128 << 20, 4 * machine.l3_bytes)
    return most // 2 if turned else most


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


def rows_ahead(row_bytes: int, work: float, machine: Machine) -> int:
    """How many rows ahead one is asked for: some 4 KiB, where 2 to 16 are equal. None where rows are so short that they
    come by themselves, as one stream, or that asking is much of the work; none too long to stay in the second level.

    (Measured with functions of rows of 100 to 4003 numbers, from the third level: 0 to 60 % less time; asking for rows
    of 1000 bytes that are only squared and scaled, 30 % more.)
    """
    least = 4 * LINE_BYTES if work >= FUNCTION_COST else 1 << 10
    if not least <= row_bytes <= min(1 << 17, machine.l2_bytes // 8):
        return 0
    return -(-(4 << 10) // row_bytes)


def scratch_of_rows(machine: Machine) -> int:
    """Bytes of scratch memory that rows may get of their own: they must stay in the second level."""
    return min(1 << 20, machine.l2_bytes)


def crowded_stride(machine: Machine) -> int:
    """Bytes between rows at a multiple of which their lines compete for the same places of the first level."""
    return machine.l1_bytes // machine.l1_ways


# -- Sizes of loops and formulas ------------------------------------------------------------------------------------

# Most lanes of a vector loop: four registers of 16. Lanes of functions that are written once for all programs: a
# register of doubles.
MOST_LANES = 64
OUTLINED_LANES = 8
# Most work of an iteration of which four, and two, vectors run at the same time: where every step waits for the one
# before; and where iterations meet in an accumulator, whose latency is short. Of other loops, two.
ITERATED_WORK = (40, 80)
REDUCED_WORK = (12, 40)
LIGHT_WORK = 6
# Operations that may run at the same time, below which four vectors do, and below twice that two; and the most work
# that they have together, so that compiling stays cheap. Measured on AVX2 with one, two and four vectors: a chain of
# ten `tanh` of 20,000 elements takes 454, 134, 86 us, of ten `exp` 172, 109, 115; one `exp` repeated over 7005 elements
# 149, 157, 50.
CHAIN_BESIDE = 1.6
CHAINS_WORK = 640


def vectors(work: float, four: float, two: float) -> int:
    """How many vectors run at the same time, by the work of an iteration."""
    return 4 if work <= four else 2 if work <= two else 1


# Terms that are added up one after the other, and blocks of them, before a level ends: the error of a sum does not grow
# with the number of its terms.
SUM_BLOCK = 64
# Iterations of a loop that multiplies plainly before the product is looked at: few enough for products of uniform
# random numbers to stay in range for several of these, many enough for a look to cost nothing.
PLAIN_PRODUCTS = 64
# Updates at computed places in a block per element of the sums, one by one and as rows: what filling and adding up
# scratch memory costs is small beside them. And the number of blocks from which there are any.
LEVEL_UPDATES = 4
LEVEL_ROW_UPDATES = 16
LEVEL_BLOCKS = 4
# Longest record whose elements are read and written as whole vectors, in elements; of narrow ones as many as have so
# many bytes.
LONGEST_RECORD = 4
RECORD_BYTES = 16
# Lanes from which records are read that way: for fewer, one element at a time is as good.
RECORD_LANES = 4
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
# Elements of an array that becomes variables, or is computed element by element; and iterations of a loop that is
# written out for that.
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
# An operation that costs at most this much is left in a loop, and in a branch of which all sides are computed.
CHEAP_IN_LOOPS = 4
# Cheap equations that compute a residual of a loop again instead of keeping it for every step.
RECOMPUTED_EQUATIONS = 6
# Formulas grow by inlining up to these sizes: arrays read, cost in additions, depth.
FORMULA_LEAVES = 24
FORMULA_COST = 150
FORMULA_DEPTH = 24
# How many times the loops of a stage are split at most, for quotients and rests of their counters: a bound for the time
# of compiling, which no program has met.
SPLIT_AXES = 8
# A wider type among at least so many values of a loop is rare: it does not halve the lanes of all others.
RARE_TYPE = 4
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

# -- Jaxprs ---------------------------------------------------------------------------------------------------------

# Equations that a jaxpr may gain by computing elements of small arrays one by one.
GAINED_EQUATIONS = 400
# How many times as large as the part an array must be for a padded part to be added where it belongs: pads otherwise
# fuse with what is around.
PADDED_PARTS = 8
# How often all rules of algebra are tried, and the largest power that becomes multiplications.
SIMPLIFYING_SWEEPS = 8
LARGEST_POWER = 64

# -- Text and machine code ------------------------------------------------------------------------------------------

# Lines from which the body of a nest is worth a call, so that nests that do the same share it.
SHARED_LINES = 8
# Lines of joined functions: LLVM takes more than twice as long for a block of twice the length.
JOINED_LINES = 300
# Arrays whose addresses are taken by lines of their own, instead of in a loop.
LOOKED_UP_ARRAYS = 64
# Characters of a module that takes LLVM more than some tenths of a second; of a piece that is worth a thread of its
# own, some 100 milliseconds; and how many pieces there are at most.
LONG_TEXT = 200_000
PIECE_OF_A_MODULE = 40_000
MOST_PIECES_OF_A_MODULE = 4
# Libraries that share one linking layer of LLVM. A layer keeps some 10 KB for each library it ever had, and making one
# takes most of a millisecond: so layers are shared by a few libraries, and closed when the last of these is gone.
SHARED_LAYER = 16

# -- Waiting for threads --------------------------------------------------------------------------------------------

# Rounds of the waiting loop before a worker goes to sleep: some 30 microseconds, time to return to Python and back.
WORKER_SPINS = 1500
# Rounds in which the caller waits for the last pieces before it sleeps: what waking it would cost.
CALLER_SPINS = 1000
# Nanoseconds for which nobody is woken after it was in vain, at first and at most. Waking a worker takes up to 40
# microseconds of the caller's processor if the worker comes to run there.
PAUSE_AFTER_FAILURE = 100_000
LONGEST_PAUSE = 3_000_000
# Nanoseconds between two questions whether a signal has come, while the caller sleeps.
POLLING_PAUSE = 10_000_000
