"""Where the names of ``fungrad.numpy`` are, each in words of the module that has it.

Written by ``python -m tools.facades`` from the imports of the facade.
"""

NAMES = {
    "fungrad.core.array": "ndarray=Array",
    "fungrad.core.dtypes": "isdtype issubdtype promote_types",
    "fungrad.core.limits": "finfo iinfo",
    "fungrad.numpy": "fft linalg",
    "fungrad.numpy._promotion": "broadcast_shapes",
    "fungrad.numpy.bits": "frexp packbits spacing unpackbits",
    "fungrad.numpy.calculus": (
        "convolve correlate diff ediff1d gradient interp polyadd polyder polyint polymul polysub polyval trapezoid "
        "unwrap"
    ),
    "fungrad.numpy.comparisons": "allclose array_equal array_equiv isclose iscomplex isin isreal nan_to_num",
    "fungrad.numpy.contraction": "einsum einsum_path",
    "fungrad.numpy.counting": "bincount corrcoef cov histogram histogram2d histogram_bin_edges histogramdd",
    "fungrad.numpy.creation": (
        "arange array asarray astype copy empty empty_like full full_like ones ones_like zeros zeros_like"
    ),
    "fungrad.numpy.division": "divmod",
    "fungrad.numpy.files": "fromfile load save savez",
    "fungrad.numpy.functional": "apply_along_axis apply_over_axes piecewise vectorize",
    "fungrad.numpy.grids": (
        "eye from_dlpack frombuffer fromfunction fromiter fromstring geomspace identity indices linspace logspace "
        "meshgrid tri tril triu vander"
    ),
    "fungrad.numpy.index_tricks": "c_ index_exp mgrid ogrid r_ s_",
    "fungrad.numpy.indexing": "take take_along_axis",
    "fungrad.numpy.joining": (
        "append array_split block column_stack concat concatenate delete dsplit dstack hsplit hstack insert split "
        "stack unstack vsplit vstack"
    ),
    "fungrad.numpy.linear": (
        "cross diag diagflat diagonal dot inner kron matmul matvec outer tensordot trace vdot vecdot vecmat"
    ),
    "fungrad.numpy.manipulation": (
        "atleast_1d atleast_2d atleast_3d broadcast_arrays broadcast_to expand_dims flip fliplr flipud "
        "matrix_transpose moveaxis permute_dims ravel repeat reshape resize roll rollaxis rot90 squeeze swapaxes "
        "tile transpose trim_zeros"
    ),
    "fungrad.numpy.nan_reductions": (
        "nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmin nanprod nanstd nansum nanvar"
    ),
    "fungrad.numpy.padding": "pad",
    "fungrad.numpy.polynomials": "poly polydiv polyfit roots",
    "fungrad.numpy.positions": (
        "diag_indices diag_indices_from fill_diagonal ix_ mask_indices place put ravel_multi_index tril_indices "
        "tril_indices_from triu_indices triu_indices_from unravel_index"
    ),
    "fungrad.numpy.quantiles": "median nanmedian nanpercentile nanquantile percentile quantile",
    "fungrad.numpy.queries": "can_cast iscomplexobj isrealobj isscalar iterable ndim result_type shape size",
    "fungrad.numpy.reductions": (
        "all amax amin any argmax argmin average count_nonzero cumprod cumsum cumulative_prod cumulative_sum max "
        "mean min prod ptp std sum var"
    ),
    "fungrad.numpy.scalar_types": (
        "bfloat16 bool=bool_ bool_ cdouble complex128 complex64 complex_ csingle double float16 float32 "
        "float4_e2m1fn float64 float6_e2m3fn float6_e3m2fn float8_e3m4 float8_e4m3 float8_e4m3b11fnuz float8_e4m3fn "
        "float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz float8_e8m0fnu float_ int16 int2 int32 int4 int64 int8 int_ "
        "single uint uint16 uint2 uint32 uint4 uint64 uint8"
    ),
    "fungrad.numpy.selection": "argwhere choose clip compress extract flatnonzero nonzero select where",
    "fungrad.numpy.sets": (
        "intersect1d setdiff1d setxor1d union1d unique unique_all unique_counts unique_inverse unique_values"
    ),
    "fungrad.numpy.sorting": "argpartition argsort digitize lexsort partition searchsorted sort sort_complex",
    "fungrad.numpy.ufunc_objects": "frompyfunc ufunc",
    "fungrad.numpy.ufuncs": (
        "abs absolute acos acosh angle arccos arccosh arcsin arcsinh arctan arctanh around asin asinh atan atanh "
        "bitwise_count bitwise_invert bitwise_not cbrt ceil conj conjugate cos cosh deg2rad degrees exp exp2 expm1 "
        "fabs fix floor imag invert isfinite isinf isnan isneginf isposinf log log10 log1p log2 logical_not modf "
        "positive rad2deg radians real reciprocal rint round sign signbit sin sinc sinh sqrt square tan tanh trunc"
    ),
    "fungrad.numpy.universal": (
        "add arctan2 atan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor copysign "
        "divide equal float_power floor_divide fmax fmin fmod gcd greater greater_equal heaviside hypot lcm ldexp "
        "left_shift less less_equal logaddexp logaddexp2 logical_and logical_or logical_xor maximum minimum mod "
        "multiply negative nextafter not_equal pow power remainder right_shift subtract true_divide"
    ),
    "fungrad.numpy.updating": "put_along_axis",
    "fungrad.numpy.windows": "bartlett blackman hamming hanning i0 kaiser",
}
