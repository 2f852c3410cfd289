"""Expressions of ``numpy`` functions for the parity tests, by subject.

Each is evaluated with ``np`` bound to NumPy, fungrad.numpy or jax.numpy, and with the variables of ``variables``:
``x``, ``y`` (3, 4); ``s`` (4, 4); ``v``, ``w`` (5,); ``t`` (2, 3, 4); ``z`` (); ``o`` (0, 4); ``r`` (3, 1) of the dtype
under test; ``k`` (3, 4) and ``i`` (5,) small integers; ``b`` (3, 4) and ``c`` (3,) booleans; ``n`` (3, 4) with NaN and
infinities.
"""

import numpy as onp

ELEMENTWISE_UNARY = [
    f"np.{name}({arg})"
    for name in (
        "exp exp2 expm1 log log1p log2 log10 sqrt cbrt sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh "
        "arctanh negative positive absolute fabs sign signbit floor ceil trunc rint round real imag conjugate angle "
        "square reciprocal isnan isinf isfinite isposinf isneginf logical_not invert deg2rad rad2deg sinc modf frexp "
        "bitwise_count nan_to_num iscomplex isreal isrealobj iscomplexobj i0"
    ).split()
    if name != "i0"
    for arg in ("x", "n", "z", "o")
]
ELEMENTWISE_BINARY = [
    f"np.{name}({args})"
    for name in (
        "add subtract multiply divide floor_divide remainder mod fmod divmod power float_power maximum minimum fmax "
        "fmin equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor bitwise_and "
        "bitwise_or bitwise_xor left_shift right_shift arctan2 hypot copysign heaviside logaddexp logaddexp2 nextafter "
        "ldexp gcd lcm isclose"
    ).split()
    for args in ("x, y", "x, r", "x, k", "t, x", "x, 2", "z, x", "x, z", "o, z", "n, x", "x, n", "x, onp.float32(2)")
]
OPERATORS = [
    "x + y", "x - 1", "2 * x", "x / y", "x // y", "x % 3", "x ** 2", "x ** 3", "x ** 0.5", "2.0 ** x", "-x", "+x",
    "abs(x)", "~x", "x & y", "x | y", "x ^ y", "x << 1", "x >> 1", "x == y", "x != 1", "x < y", "x <= 2", "x > y",
    "x >= 2.5", "x @ x.T", "s @ s", "v @ w", "divmod(x, y)", "1 / x", "1 // x", "1 % x", "1 - x", "1 << k", "x == r",
    "onp.float32(2) * x", "x * onp.ones((3, 4), 'float32')", "x.sum()", "x.mean(0)", "x.T", "t.mT", "x.real", "x.imag",
    "x.reshape(4, 3)", "x.reshape((2, -1))", "x.ravel()", "x.flatten()", "x.transpose()", "t.transpose(1, 0, 2)",
    "t.transpose((1, 0, 2))", "x.astype('float16')", "x.astype(int)", "x.astype(bool)", "x.astype(complex)", "x.std()",
    "x.var(1)", "x.prod()", "x.all()", "x.any(axis=1)", "x.cumsum()", "x.cumprod(1)", "x.round()", "x.clip(1, 2)",
    "x.conj()", "x.sort()", "x.argsort()", "x.repeat(2)", "s.trace()", "s.diagonal()", "x.max()", "x.min(1)",
    "x.argmax()", "x.argmin(1)", "x.dot(x.T)", "r.squeeze()", "x.swapaxes(0, 1)", "v.searchsorted(w)", "x.copy()",
    "t.T", "x.nonzero()", "len(x)", "x.shape", "x.ndim", "x.size", "x.itemsize", "x.nbytes",
]  # fmt: skip
REDUCTIONS = [
    f"np.{name}({args})"
    for name in (
        "sum prod max min mean var std all any ptp count_nonzero "
        "nansum nanprod nanmax nanmin nanmean nanvar nanstd"
    ).split()
    for args in (
        "x", "x, axis=0", "x, axis=-1", "t, axis=(0, 2)", "t, axis=()", "x, axis=1, keepdims=True", "z", "n",
        "n, axis=1", "o, axis=1",
    )
] + [
    "np.sum(o)", "np.prod(o)", "np.all(o)", "np.any(o)", "np.mean(o, axis=1)", "np.max(o, axis=0, initial=3)",
    "np.sum(x, dtype='float32')", "np.sum(x, dtype='float16')", "np.sum(x, dtype=int)", "np.mean(x, dtype='float16')",
    "np.mean(x, dtype=int)", "np.var(x, ddof=1)", "np.std(x, axis=0, ddof=1, keepdims=True)",
    "np.var(x, dtype='float32')", "np.var(x, axis=1, mean=np.mean(x, axis=1, keepdims=True))",
    "np.sum(x, where=b)", "np.sum(x, axis=0, where=b, initial=2)", "np.prod(x, axis=1, where=b)",
    "np.max(x, where=b, initial=-5)", "np.min(x, axis=0, where=b, initial=50)", "np.mean(x, axis=1, where=b)",
    "np.var(x, axis=1, where=b)", "np.std(x, where=b)", "np.all(x, where=b)", "np.any(x, axis=0, where=b)",
    "np.sum(x, initial=1)", "np.max(x, initial=100)", "np.sum(x, promote_integers=False)", "np.average(x)",
    "np.average(x, axis=1)", "np.average(x, weights=y)",
    "np.average(x, axis=1, weights=onp.arange(1, 5).astype('float32'), returned=True)",
    "np.average(t, axis=(0, 1), keepdims=True)", "np.argmax(x)", "np.argmax(x, axis=0)",
    "np.argmax(x, axis=-1, keepdims=True)", "np.argmin(x)", "np.argmin(x, axis=1)", "np.argmax(n, axis=1)",
    "np.argmin(n)", "np.argmax(x, keepdims=True)", "np.nanargmax(n, axis=1)", "np.nanargmin(x)",
    "np.nanargmax(x, axis=0)", "np.cumsum(x)", "np.cumsum(x, axis=1)", "np.cumsum(x, axis=-2, dtype='float32')",
    "np.cumsum(z)", "np.cumprod(x, axis=0)", "np.cumsum(o, axis=0)", "np.nancumsum(n, axis=1)", "np.nancumprod(n)",
    "np.cumulative_sum(v)", "np.cumulative_sum(x, axis=1, include_initial=True)",
    "np.cumulative_prod(v, include_initial=True)", "np.nanmean(n, axis=1, where=b)", "np.nanvar(n, axis=0, ddof=1)",
    "np.nansum(n, axis=0, keepdims=True)", "np.median(x)", "np.median(x, axis=1)", "np.median(n, axis=1)",
    "np.nanmedian(n, axis=0)", "np.quantile(x, 0.3)", "np.quantile(x, onp.array([0.1, 0.9], 'float32'), axis=0)",
    "np.quantile(t, 0.5, axis=(0, 2), keepdims=True)", "np.percentile(x, 40, axis=-1)",
    "np.nanquantile(n, 0.4, axis=1)", "np.nanpercentile(n, onp.array([30, 60], 'float32'), axis=1, keepdims=True)",
    *[f"np.quantile(x, 0.37, axis=1, method={m!r})" for m in ("linear", "lower", "higher", "midpoint", "nearest")],
]  # fmt: skip
CREATION = [
    "np.array(x)", "np.array(1.5)", "np.array([1, 2])", "np.array([1.0, 2])",
    "np.array([[1, 2], [3, 4]], dtype='float32')", "np.array([])", "np.array([x, y])", "np.array([[z, 1], [2, z]])",
    "np.array(3, dtype='int8')", "np.array([True, False])", "np.array([1 + 2j, 3])", "np.array(x, ndmin=4)",
    "np.array([1.7, -1.7], dtype=int)", "np.asarray(x)", "np.asarray(2)", "np.asarray((1, 2))",
    "np.asarray(x, dtype='float16')", "np.asarray([onp.float32(1), 2])", "np.asarray(True)", "np.copy(x)",
    "np.astype(x, 'float32')", "np.zeros((2, 3))", "np.zeros(3, int)", "np.ones(2, bool)", "np.ones((2, 0))",
    "np.full((2, 2), 7)", "np.full(3, 1.5, 'int32')", "np.full((2, 5), v)", "np.zeros_like(x)",
    "np.ones_like(x, dtype='float16')", "np.full_like(x, 2)", "np.full_like(x, 2.7)", "np.zeros_like(x, shape=(2, 2))",
    "np.empty((2,)).shape", "np.empty_like(x).dtype", "np.zeros_like(1.0)", "np.full_like(x, z)", "np.arange(5)",
    "np.arange(2, 5)", "np.arange(5, 2, -1)", "np.arange(0.0, 1.0, 0.25)", "np.arange(3.0)", "np.arange(0, 3, 2)",
    "np.arange(5, dtype='float32')", "np.arange(1, 2, 0.3)", "np.arange(0)", "np.arange(3, 1)",
    "np.arange(-3, 3, 2, dtype='int8')", "np.linspace(0, 1, 5)", "np.linspace(0, 1, 5, endpoint=False)",
    "np.linspace(0, 10, 4, dtype=int)", "np.linspace(x, 2 * x, 3)", "np.linspace(x, y, 3, axis=1)",
    "np.linspace(0, 1, 1)", "np.linspace(0, 1, 0)", "np.linspace(0, 1, 3, retstep=True)",
    "np.linspace(v, 1.0, 4, endpoint=False, axis=-1)", "np.logspace(0, 2, 4)", "np.logspace(0, 2, 4, base=2)",
    "np.logspace(0, 2, 3, endpoint=False)", "np.geomspace(1, 8, 4)", "np.geomspace(1.0, 100.0, 3, endpoint=False)",
    "np.eye(3)", "np.eye(2, 3, k=1)", "np.eye(3, k=-1, dtype=int)", "np.identity(2)", "np.tri(3)",
    "np.tri(2, 4, 1, dtype=int)", "np.tril(x)", "np.triu(x, 1)", "np.tril(t, -1)", "np.triu(s, -2)", "np.diag(v)",
    "np.diag(v, 2)", "np.diag(v, -1)", "np.diag(s)", "np.diag(x, 1)", "np.diag(x, -1)", "np.diagflat(x)",
    "np.diagonal(x)", "np.diagonal(t)", "np.diagonal(t, 1, 1, 2)", "np.diagonal(t, -1, 2, 0)", "np.diagonal(x, 10)",
    "np.trace(s)", "np.trace(t, 1, 1, 2)", "np.trace(x, dtype='float32')", "np.vander(v)",
    "np.vander(v, 3, increasing=True)", "np.vander(v, 0)", "np.vander(v, 1)", "np.meshgrid(v, i)",
    "np.meshgrid(v, i, w, indexing='ij')", "np.meshgrid(v, i, sparse=True)", "np.meshgrid(v)", "np.indices((2, 3))",
    "np.indices((2, 3), sparse=True)", "np.fromfunction(lambda a, b: a * b, (2, 3), dtype=int)",
    "np.frombuffer(b'abcd', dtype='uint8')", "np.fromiter(range(3), dtype='float32')", "np.tri(3, k=-1)",
    "np.bartlett(5)", "np.bartlett(1)", "np.blackman(6)", "np.hamming(0)", "np.hamming(4)", "np.hanning(7)",
    "np.kaiser(5, 3.0)", "np.kaiser(1, 2.0)", "np.kaiser(4, 0.0)", "np.mgrid[0:2, 0:3]", "np.mgrid[0:1:3j]",
    "np.mgrid[:]", "np.mgrid[3:]",
    "np.mgrid[1::2]", "np.mgrid[:, 0:2]", "np.ogrid[:]", "np.ogrid[2:, 0:2]",
    "np.ogrid[0:2:0.5, 1:3]", "np.mgrid[-1:1:3j, 0:2]", "np.r_[x, y]", "np.r_[-1:1:3j, 2, [3, 4]]", "np.c_[v, w]",
    "np.c_[x, y]", "np.r_['0,2', v, w]", "np.r_['1,2,0', v, w]", "np.r_['r', v, w]", "np.r_['c', v, w]",
    "np.r_['-1', x, y]", "np.c_['0,3,-1', v, w]", "np.c_[1:4]", "x[np.s_[1:, ::2]]", "x[np.index_exp[0, 1]]",
    "np.result_type(x, 1.0)", "np.isscalar(3.0)", "np.shape(x)", "np.ndim(t)", "np.size(t, 1)",
]  # fmt: skip
MANIPULATION = [
    "np.reshape(x, (4, 3))", "np.reshape(x, -1)", "np.reshape(x, (2, -1), order='F')", "np.reshape(o, (0, 7))",
    "np.ravel(x)", "np.ravel(x, order='F')", "np.transpose(x)", "np.transpose(t, (2, 0, 1))",
    "np.transpose(t, (-1, 0, 1))", "np.permute_dims(t, (1, 0, 2))", "np.matrix_transpose(t)", "np.swapaxes(t, 0, -1)",
    "np.moveaxis(t, 0, -1)", "np.moveaxis(t, (0, 1), (-1, 0))", "np.rollaxis(t, 2)", "np.rollaxis(t, 0, 3)",
    "np.rollaxis(t, 1, -1)", "np.expand_dims(x, 0)", "np.expand_dims(x, (0, -1))", "np.squeeze(r)", "np.squeeze(r, 1)",
    "np.squeeze(r, -1)", "np.atleast_1d(z)", "np.atleast_2d(z)", "np.atleast_2d(v)", "np.atleast_3d(v)",
    "np.atleast_3d(x)", "np.atleast_3d(z)", "np.atleast_1d(z, x)", "np.broadcast_to(r, (3, 4))",
    "np.broadcast_to(z, (2, 3))", "np.broadcast_arrays(x, r, z)", "np.broadcast_shapes((3, 1), (4,))", "np.flip(x)",
    "np.flip(x, 0)", "np.flip(t, (0, -1))", "np.fliplr(x)", "np.flipud(x)", "np.rot90(x)", "np.rot90(x, 2)",
    "np.rot90(x, 3)", "np.rot90(t, 1, (1, 2))", "np.rot90(x, -1)", "np.roll(v, 2)", "np.roll(x, 1)",
    "np.roll(x, 1, axis=0)", "np.roll(x, (1, -2), axis=(0, 1))", "np.roll(x, -7, axis=1)", "np.roll(x, 1, axis=(0, 1))",
    "np.roll(o, 1, axis=0)", "np.tile(x, 2)", "np.tile(x, (2, 1))", "np.tile(v, (2, 1, 2))", "np.tile(x, ())",
    "np.tile(z, 3)", "np.tile(x, (0, 1))", "np.repeat(x, 2)", "np.repeat(x, 2, axis=0)", "np.repeat(x, 0, axis=1)",
    "np.repeat(v, onp.array([1, 0, 2, 1, 1]))", "np.repeat(x, onp.array([1, 2, 0]), axis=0)", "np.repeat(z, 3)",
    "np.resize(x, (2, 7))", "np.resize(x, (2, 2))", "np.resize(o, (2, 2))", "np.concatenate([x, y])",
    "np.concatenate([x, y, x], axis=1)", "np.concatenate([x, r], axis=-1)", "np.concatenate([x, y], axis=None)",
    "np.concatenate([x, k])", "np.concatenate([x, y], dtype='float16')", "np.concatenate([o, x])", "np.concatenate(t)",
    "np.concat([x, y], axis=1)", "np.stack([x, y])", "np.stack([x, y], axis=-1)", "np.stack([x, k], axis=1)",
    "np.stack([z, 1.0])", "np.stack(t, axis=1)", "np.hstack([x, y])", "np.hstack([v, w])", "np.hstack([z, v])",
    "np.vstack([x, y])", "np.vstack([v, w])", "np.dstack([x, y])", "np.dstack([v, w])", "np.column_stack([v, w])",
    "np.column_stack([x, r])", "np.unstack(t)", "np.unstack(x, axis=1)", "np.split(x, 2, axis=1)",
    "np.split(v, [2, 4])", "np.split(x, [1], axis=1)", "np.split(v, [4, 2])", "np.split(v, [-1])",
    "np.split(v, [2, 9])", "np.array_split(v, 3)", "np.array_split(x, [1, 2], axis=1)", "np.hsplit(x, 2)",
    "np.vsplit(x, 3)", "np.dsplit(t, 2)", "np.hsplit(v, 5)", "np.append(v, w)", "np.append(x, y, axis=0)",
    "np.append(v, 3)", "np.delete(v, 1)", "np.delete(x, -1, axis=1)", "np.delete(v, onp.array([0, 3]))",
    "np.delete(x, slice(0, 2), axis=1)", "np.delete(v, onp.array([True, False, True, False, False]))",
    "np.delete(x, 5)", "np.delete(v, onp.array([], int))", "np.insert(v, 1, 9)",
    "np.insert(v, onp.array([1, 3]), onp.array([7, 8]))", "np.insert(x, 1, 5, axis=1)",
    "np.insert(x, 0, onp.arange(4), axis=0)", "np.insert(v, -1, 3)", "np.insert(v, onp.array([2, 2]), 5)",
    "np.insert(x, onp.array([0, 2]), 1, axis=0)", "np.insert(v, slice(0, 3), 1)",
    "np.insert(x, 1, onp.arange(3), axis=1)", "np.block([[x, y], [y, x]])", "np.block([x, r])", "np.block(x)",
    "np.block([[1, 2], [3, 4]])", "np.trim_zeros(onp.array([0, 1, 2, 0]))",
    "np.trim_zeros(onp.array([0, 0, 1, 0]), 'f')", "np.pad(x, 1)", "np.pad(x, (1, 2))", "np.pad(x, ((1, 0), (0, 2)))",
    "np.pad(x, 1, constant_values=5)", "np.pad(x, ((1, 1), (2, 0)), constant_values=((1, 2), (3, 4)))",
    "np.pad(v, (2, 1), mode='edge')", "np.pad(x, ((1, 2), (3, 0)), mode='edge')", "np.pad(v, 3, mode='reflect')",
    "np.pad(v, 12, mode='reflect')", "np.pad(v, (7, 0), mode='symmetric')", "np.pad(x, 2, mode='symmetric')",
    "np.pad(v, 3, mode='wrap')", "np.pad(v, 11, mode='wrap')", "np.pad(v, 3, mode='reflect', reflect_type='odd')",
    "np.pad(v, 9, mode='symmetric', reflect_type='odd')", "np.pad(v, 2, mode='maximum')",
    "np.pad(x, 2, mode='minimum', stat_length=2)", "np.pad(x, ((1, 1), (2, 2)), mode='mean')",
    "np.pad(v, 2, mode='median', stat_length=3)", "np.pad(v, 3, mode='linear_ramp', end_values=2)",
    "np.pad(v, (3, 2), mode='linear_ramp', end_values=(1, 2))", "np.pad(r, ((0, 0), (2, 2)), mode='reflect')",
    "np.pad(x, 0)", "np.pad(v, 0, mode='wrap')",
]  # fmt: skip
SELECTION = [
    "np.where(b, x, y)", "np.where(b, x, 0)", "np.where(b, 1, 2.0)", "np.where(b, x, z)", "np.where(c[:, None], r, x)",
    "np.where(x, x, y)", "np.where(True, x, y)", "np.where(b, x, k)", "np.where(b)", "np.where(o)",
    "np.select([x > 2, x > 1], [x, -y], 5)", "np.select([b, b], [x, k])", "np.select([b], [x], 1.5)",
    "np.clip(x, 1, 2)", "np.clip(x, None, 2)", "np.clip(x, y, None)", "np.clip(x, 2, 1)", "np.clip(x, 0.5, 1.5)",
    "np.clip(k, 0, z)", "np.clip(n, 0, 1)", "np.nonzero(b)", "np.nonzero(x)", "np.argwhere(b)", "np.flatnonzero(b)",
    "np.compress(c, x, axis=0)", "np.compress(c, x)", "np.extract(b, x)", "np.choose(k, [x, y, x])",
    "np.choose(k, [x, y], mode='wrap')", "np.choose(k - 1, [x, y], mode='clip')", "np.sort(x)", "np.sort(x, axis=0)",
    "np.sort(x, axis=None)", "np.sort(n)", "np.sort(o, axis=0)", "np.argsort(x)", "np.argsort(x, axis=0)",
    "np.argsort(n, axis=None)", "np.lexsort((v, i))", "np.lexsort((i, v))", "np.lexsort((x, k), axis=0)",
    "np.sort_complex(v)", "np.partition(v, 2)[2]", "np.unique(k)", "np.unique(i, return_index=True)",
    "np.unique(k, return_inverse=True)", "np.unique(k, return_counts=True)", "np.unique(i, True, True, True)",
    "np.unique(k, axis=0)", "np.unique(k, axis=1, return_inverse=True, return_counts=True)", "np.unique(x)",
    "np.unique(n)", "np.unique(n, return_counts=True, equal_nan=False)", "np.unique_all(i)", "np.unique_counts(i)",
    "np.unique_inverse(k)", "np.unique_values(i)", "np.unique(o)", "np.union1d(v, i)",
    "np.setdiff1d(i, onp.array([1, 2]))", "np.setdiff1d(v, w)", "np.setxor1d(i, onp.array([1, 7]))",
    "np.setxor1d(onp.array([onp.nan, 1, onp.nan]), onp.array([2, onp.nan]))", "np.setxor1d(onp.array([onp.nan, 1]), v)",
    "np.setxor1d(onp.array([[1, 2], [3, 4]]), onp.array([2, 5, 5]), assume_unique=True)",
    "np.setxor1d(onp.array([], int), onp.array([3]), assume_unique=True, size=3)",
    "np.setxor1d(o.ravel(), o.ravel(), assume_unique=True)",
    "np.unique(onp.array([1 + 1j, onp.nan, complex(1, onp.nan), 2, complex(onp.nan, 1)], 'complex64'))",
    "np.intersect1d(i, onp.array([2, 0, 9]))", "np.intersect1d(i, onp.array([2, 0, 9]), return_indices=True)",
    "np.isin(k, onp.array([1, 5]))", "np.isin(x, y, invert=True)", "np.isin(x, onp.array([]))",
    "np.searchsorted(np.sort(v), w)", "np.searchsorted(np.sort(v), x, side='right')",
    "np.searchsorted(v, v, sorter=np.argsort(v))",
    "np.searchsorted(onp.array([1.0, 2, onp.nan]), onp.array([onp.nan, 0, 5]))", "np.digitize(x, onp.array([0, 1, 2]))",
    "np.digitize(x, onp.array([2, 1, 0]), right=True)", "np.digitize(x, onp.array([0.0, 1.0]), right=True)",
    "np.bincount(i)", "np.bincount(i, minlength=8)", "np.bincount(i, weights=v)", "np.histogram(x)",
    "np.histogram(x, bins=3)", "np.histogram(v, bins=onp.array([0.0, 1.0, 5.0]))",
    "np.histogram(x, bins=4, range=(0, 2), density=True)", "np.histogram(v, bins=3, weights=w)",
    "np.histogram_bin_edges(x, 5)", "np.histogram2d(v, w, bins=3)", "np.histogramdd(x, bins=2)",
    "np.histogramdd(x, bins=2, density=True)", "np.histogram2d(v, w, bins=(onp.array([0.0, 2.0, 4.0]), 2))",
    "np.interp(x, onp.array([0.0, 1.0, 2.0]), onp.array([1.0, 5.0, 2.0]))",
    "np.interp(x, onp.array([0.0, 1.0]), onp.array([1.0, 3.0]), left=-1, right=7)",
    "np.interp(x, onp.array([0.3, 1.4]), onp.array([1.0, 3.0]), period=2)", "np.diff(v)", "np.diff(x, n=2)",
    "np.diff(x, axis=0)", "np.diff(v, prepend=0)", "np.diff(x, append=r, axis=1)", "np.diff(v, n=0)", "np.diff(v, n=9)",
    "np.ediff1d(x)", "np.ediff1d(v, to_end=3, to_begin=onp.array([1, 2]))", "np.gradient(v)", "np.gradient(x)",
    "np.gradient(x, axis=0)", "np.gradient(v, 2.0)", "np.gradient(v, onp.array([0.0, 1, 3, 4, 7]))",
    "np.gradient(x, 2.0, onp.array([0.0, 1.0, 3.0, 4.5]))", "np.trapezoid(v)", "np.trapezoid(x, dx=0.5, axis=0)",
    "np.trapezoid(x, dx=w[:3])", "np.trapezoid(x, dx=y[1:], axis=0)", "np.trapezoid(x, dx=x[:1], axis=0)",
    "np.trapezoid(t, dx=t[0, 1:], axis=1)",
    "np.trapezoid(v, w)", "np.trapezoid(x, y)", "np.unwrap(v)", "np.unwrap(x, period=3, axis=0)",
    "np.unwrap(v, discont=2.0)", "np.convolve(v, w)", "np.convolve(v, i, mode='same')",
    "np.convolve(v, onp.array([1.0, 2.0]), mode='valid')", "np.convolve(onp.array([1.0, 2.0]), v, mode='same')",
    "np.correlate(v, w, mode='full')", "np.correlate(v, onp.array([1, 2]))",
    "np.correlate(onp.array([1, 2, 5]), v, mode='same')", "np.correlate(onp.array([1, 2]), v, 'full')",
    "np.polyval(v, x)", "np.polyval(onp.array([1, 2]), 3)", "np.polyadd(v, onp.array([1, 2]))",
    "np.polysub(onp.array([1, 2]), v)", "np.polymul(v, w)", "np.polyder(v)", "np.polyder(v, 2)", "np.polyder(v, 9)",
    "np.polyint(v)", "np.polyint(v, 2, k=onp.array([1.0, 2.0]))", "np.cov(x)", "np.cov(v, w)",
    "np.cov(x, rowvar=False, bias=True)", "np.cov(v)", "np.cov(x, fweights=onp.array([1, 2, 1, 3]))",
    "np.cov(x, aweights=onp.array([0.5, 1.0, 2.0, 1.0]))", "np.cov(x, ddof=0)",
    "np.cov(x, aweights=-onp.array([0.5, 1.0, -2.0, 1.0]))", "np.cov(x, fweights=onp.array([1, 2, -1, 3]))",
    "np.corrcoef(x)", "np.corrcoef(v, w)",
    "np.allclose(x, x)", "np.allclose(x, y)", "np.isclose(n, n, equal_nan=True)", "np.array_equal(x, x)",
    "np.array_equal(x, v)", "np.array_equal(n, n, equal_nan=True)", "np.array_equiv(x, np.broadcast_to(x, (2, 3, 4)))",
    "np.nan_to_num(n, nan=7.0, posinf=2.0)", "np.packbits(b)", "np.packbits(b, axis=1)",
    "np.packbits(k, axis=0, bitorder='little')", "np.unpackbits(onp.array([3, 200], 'uint8'))",
    "np.unpackbits(onp.array([[3], [200]], 'uint8'), axis=1, count=5, bitorder='little')",
    "np.unpackbits(onp.array([3], 'uint8'), count=10)",
]  # fmt: skip
PRODUCTS = [
    "np.dot(x, x.T)", "np.dot(v, w)", "np.dot(t, s)", "np.dot(x, s)", "np.dot(z, x)", "np.dot(s, np.stack([s, s]))",
    "np.dot(v, 2)", "np.matmul(x, s)", "np.matmul(t, s)", "np.matmul(np.ones((5, 1, 2, 3)), t)", "np.matmul(v, w)",
    "np.matmul(x, v[:4])", "np.matmul(x[0], t.mT)", "np.matmul(t, v[:4])", "np.matmul(x[:, 0], t)",
    "np.matmul(np.ones((2, 1, 3, 4)), np.ones((1, 5, 4, 2)))", "np.matmul(o, s)", "np.vdot(x, y)", "np.vecdot(x, y)",
    "np.vecdot(t, x)", "np.vecdot(x, y, axis=0)", "np.matvec(t, x[0])", "np.vecmat(x[:, 0], t)", "np.inner(x, y)",
    "np.inner(v, w)", "np.inner(t, x)", "np.inner(z, x)", "np.outer(v, w)", "np.outer(x, v)", "np.tensordot(t, t, 3)",
    "np.tensordot(t, s, 1)", "np.tensordot(t, t, axes=([0, 2], [0, 2]))", "np.tensordot(x, y, 0)",
    "np.tensordot(t, x, axes=([1, 2], [0, 1]))", "np.tensordot(x, x, axes=(1, 1))", "np.kron(x, y)", "np.kron(v, x)",
    "np.kron(z, x)", "np.cross(x[:, :3], y[:, :3])", "np.cross(x[:, :2], y[:, :2])", "np.cross(x[:, :3], y[:, :2])",
    "np.cross(x[:, :2], y[:, 1:])", "np.cross(x, y, axis=0)", "np.cross(x[:, :3], y[:, :3], axisc=0)",
    "np.einsum('ij,kj->ik', x, y)", "np.einsum('ij,kj', x, y)", "np.einsum('ii', s)", "np.einsum('ii->i', s)",
    "np.einsum('ij->ji', x)", "np.einsum('ij->', x)", "np.einsum('ij->j', x)", "np.einsum('...ij,...jk->...ik', t, s)",
    "np.einsum('i,j->ij', v, w)", "np.einsum('i,i->i', v, w)", "np.einsum('tij,ij,jk->tk', t, x, s)",
    "np.einsum('ij,jk,kl->il', x, s, s)", "np.einsum(x, [0, 1], y, [2, 1], [0, 2])", "np.einsum(',ij->ij', z, x)",
    "np.einsum('ij,ij', x, y)", "np.einsum('ij,j', x, v[:4])", "np.einsum('ij,jk', x, k.T)",
]  # fmt: skip

# Functions with arguments that NumPy does not have.
EXTENSIONS = [
    "np.nonzero(b, size=5)", "np.nonzero(b, size=20, fill_value=-1)", "np.nonzero(b, size=20, fill_value=(7, 8))",
    "np.argwhere(x, size=4)", "np.flatnonzero(b, size=0)", "np.where(b, size=5)", "np.unique(k, size=5)",
    "np.unique(k, size=2)", "np.unique(i, True, True, True, size=6, fill_value=9)", "np.unique(k, axis=0, size=4)",
    "np.unique(n, size=20)", "np.unique(i, size=7, return_counts=True)", "np.union1d(v, w, size=12)",
    "np.union1d(i, i, size=6, fill_value=3)", "np.setdiff1d(i, onp.array([1, 2]), size=3)",
    "np.setdiff1d(i, onp.array([1, 2]), size=3, fill_value=7)", "np.setxor1d(i, onp.array([1, 7]), size=5)",
    "np.intersect1d(i, onp.array([2, 0, 9]), size=4)",
    "np.intersect1d(i, onp.array([2, 0, 9]), size=4, return_indices=True)", "np.bincount(i, length=3)",
    "np.bincount(i, length=0)", "np.bincount(i, length=3, minlength=9)",
    "np.bincount(i - 1, length=6)", "np.bincount(i, weights=v, length=6)", "np.repeat(v, i, total_repeat_length=7)",
    "np.repeat(v, i, total_repeat_length=2)", "np.repeat(x, onp.array([1, 2, 0]), axis=0, total_repeat_length=5)",
    "np.compress(c, x, axis=0, size=3)", "np.compress(c, x, axis=0, size=1)", "np.extract(b, x, size=4, fill_value=1)",
    "np.roll(v, i[0])", "np.roll(x, (i[0], 1), axis=(0, 1))",
    *[
        f"np.searchsorted(np.sort(v), {what}, side={side!r}, method={m!r})"
        for what in "wx" for side in ("left", "right") for m in ("sort", "compare_all", "scan_unrolled")
    ],
    *[f"np.isin(x, y, method={m!r})" for m in ("sort", "compare_all", "binary_search")], "np.sort(x, descending=True)",
    "np.argsort(k, descending=True)", "np.sort(n, axis=0, descending=True)",
    "np.delete(v, i[:1], assume_unique_indices=True)",
    "np.delete(x, onp.array([0, -1]), axis=1, assume_unique_indices=True)",
    "np.interp(x, onp.array([0.0, 1.0]), onp.array([1.0, 3.0]), left='extrapolate', right='extrapolate')",
    "np.matmul(x, s, preferred_element_type=None)", "np.dot(x, s, precision='highest')",
    "np.polymul(v, w, trim_leading_zeros=True)", "np.reshape(x, (4, 3), copy=True)", "x.view('int8')",
    "x.view('uint16')", "np.array_equal(x, 'text')", "np.clip(x, min=1)", "np.clip(x, max=1)",
    "np.average(x, axis=(0, 1), weights=y)", "np.trim_zeros(k, axis=0)", "np.trim_zeros(i, 'b', axis=0)",
    "np.modf(x, out=None)", "np.round(x, 1, out=None)", "np.fmax(x1=x, x2=y)", "np.trunc(x=x)", "np.isreal(x=x)",
    "np.spacing(n)", "np.i0(x / 2)", "np.poly(v)", "np.poly(v[:0])", "np.polydiv(v, w[:3] + 5)",
    "np.polydiv(w[:3], v)", "np.sort(np.roots(v + 7))", "np.sort(np.roots(onp.array([0, 0, 1, 2, 0])))",
    "np.roots(onp.array([0, 0, 1.0, 2]), strip_zeros=False)", "np.roots(onp.zeros(3), strip_zeros=False)",
    "np.polyfit(v, w, 2)", "np.polyfit(v, t[0, :, 0], 1)", "np.polyfit(x[0] + onp.arange(4), y.T, 1, w=x[1] ** 2 + 1)",
    "np.polyfit(onp.arange(4.0), y[0], 1, cov=True)[1]", "np.polyfit(onp.arange(4.0), y.T, 1, cov='unscaled')[1]",
]  # fmt: skip

CASES = {
    "unary": ELEMENTWISE_UNARY,
    "binary": ELEMENTWISE_BINARY,
    "operators": OPERATORS,
    "reductions": REDUCTIONS,
    "creation": CREATION,
    "manipulation": MANIPULATION,
    "selection": SELECTION,
    "products": PRODUCTS,
    "extensions": EXTENSIONS,
}


def variables(dtype, seed=0):
    """NumPy arrays for the expressions, of ``dtype``."""
    rng = onp.random.default_rng(seed)
    dtype = onp.dtype(dtype)

    def make(*shape):
        if dtype.kind == "b":
            return rng.integers(0, 2, shape).astype(bool)
        if dtype.kind in "iu":
            return rng.integers(1 if dtype.kind == "u" else -3, 5, shape).astype(dtype)
        data = rng.uniform(-2, 3, shape)
        return (data + 1j * rng.uniform(-2, 3, shape) if dtype.kind == "c" else data).astype(dtype)

    out = {"x": make(3, 4), "y": make(3, 4), "s": make(4, 4), "v": make(5), "w": make(5), "t": make(2, 3, 4)}
    out |= {"z": onp.asarray(make()), "o": make(0, 4), "r": make(3, 1)}
    out |= {"k": rng.integers(0, 3, (3, 4)).astype("int32"), "i": rng.integers(0, 4, 5).astype("int32")}
    out |= {"b": rng.integers(0, 2, (3, 4)).astype(bool), "c": onp.array([True, False, True])}
    n = make(3, 4)
    if dtype.kind in "fc":
        n[0, 1], n[1, 2], n[2, 0], n[0, 3] = onp.nan, onp.inf, -onp.inf, -0.0
    return out | {"n": n}


def evaluate(expression, namespace, convert, dtype):
    """The value of an expression with the variables converted to the library's arrays."""
    scope = {name: convert(value) for name, value in variables(dtype).items()}
    return eval(expression, {"np": namespace, "onp": onp, **scope})
