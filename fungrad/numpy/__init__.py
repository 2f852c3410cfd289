"""``fungrad.numpy``: NumPy's functions on fungrad arrays, differentiable, vectorisable and compilable, under JAX's
names.

Functions accept arrays, tracers, NumPy arrays and scalars (not lists), promote dtypes on JAX's lattice, broadcast, and
return new arrays.  The default width is 32 bit; see ``fungrad.config``.
"""

import numpy as _np

from fungrad.core.array import Array as ndarray  # noqa: N813
from fungrad.core.dtypes import isdtype, issubdtype, promote_types
from fungrad.core.limits import finfo, iinfo
from fungrad.core.public_names import publish
from fungrad.numpy import array_methods, fft, linalg, protocols
from fungrad.numpy._promotion import (
    broadcast_shapes,
)
from fungrad.numpy.array_api import __array_api_version__, __array_namespace_info__
from fungrad.numpy.bits import (
    frexp,
    packbits,
    spacing,
    unpackbits,
)
from fungrad.numpy.calculus import (
    convolve,
    correlate,
    diff,
    ediff1d,
    gradient,
    interp,
    polyadd,
    polyder,
    polyint,
    polymul,
    polysub,
    polyval,
    trapezoid,
    unwrap,
)
from fungrad.numpy.comparisons import (
    allclose,
    array_equal,
    array_equiv,
    isclose,
    iscomplex,
    isin,
    isreal,
    nan_to_num,
)
from fungrad.numpy.contraction import (
    einsum,
    einsum_path,
)
from fungrad.numpy.counting import (
    bincount,
    corrcoef,
    cov,
    histogram,
    histogram2d,
    histogram_bin_edges,
    histogramdd,
)
from fungrad.numpy.creation import (
    arange,
    array,
    asarray,
    astype,
    copy,
    empty,
    empty_like,
    full,
    full_like,
    ones,
    ones_like,
    zeros,
    zeros_like,
)
from fungrad.numpy.division import divmod
from fungrad.numpy.files import (
    fromfile,
    load,
    save,
    savez,
)
from fungrad.numpy.functional import (
    apply_along_axis,
    apply_over_axes,
    piecewise,
    vectorize,
)
from fungrad.numpy.grids import (
    eye,
    from_dlpack,
    frombuffer,
    fromfunction,
    fromiter,
    fromstring,
    geomspace,
    identity,
    indices,
    linspace,
    logspace,
    meshgrid,
    tri,
    tril,
    triu,
    vander,
)
from fungrad.numpy.index_tricks import (
    c_,
    index_exp,
    mgrid,
    ogrid,
    r_,
    s_,
)
from fungrad.numpy.indexing import (
    take,
    take_along_axis,
)
from fungrad.numpy.joining import (
    append,
    array_split,
    block,
    column_stack,
    concat,
    concatenate,
    delete,
    dsplit,
    dstack,
    hsplit,
    hstack,
    insert,
    split,
    stack,
    unstack,
    vsplit,
    vstack,
)
from fungrad.numpy.linear import (
    cross,
    diag,
    diagflat,
    diagonal,
    dot,
    inner,
    kron,
    matmul,
    matvec,
    outer,
    tensordot,
    trace,
    vdot,
    vecdot,
    vecmat,
)
from fungrad.numpy.manipulation import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    broadcast_arrays,
    broadcast_to,
    expand_dims,
    flip,
    fliplr,
    flipud,
    matrix_transpose,
    moveaxis,
    permute_dims,
    ravel,
    repeat,
    reshape,
    resize,
    roll,
    rollaxis,
    rot90,
    squeeze,
    swapaxes,
    tile,
    transpose,
    trim_zeros,
)
from fungrad.numpy.nan_reductions import (
    nanargmax,
    nanargmin,
    nancumprod,
    nancumsum,
    nanmax,
    nanmean,
    nanmin,
    nanprod,
    nanstd,
    nansum,
    nanvar,
)
from fungrad.numpy.padding import (
    pad,
)
from fungrad.numpy.polynomials import (
    poly,
    polydiv,
    polyfit,
    roots,
)
from fungrad.numpy.positions import (
    diag_indices,
    diag_indices_from,
    fill_diagonal,
    ix_,
    mask_indices,
    place,
    put,
    ravel_multi_index,
    tril_indices,
    tril_indices_from,
    triu_indices,
    triu_indices_from,
    unravel_index,
)
from fungrad.numpy.quantiles import (
    median,
    nanmedian,
    nanpercentile,
    nanquantile,
    percentile,
    quantile,
)
from fungrad.numpy.queries import (
    can_cast,
    iscomplexobj,
    isrealobj,
    isscalar,
    iterable,
    ndim,
    result_type,
    shape,
    size,
)
from fungrad.numpy.reductions import (
    all,
    amax,
    amin,
    any,
    argmax,
    argmin,
    average,
    count_nonzero,
    cumprod,
    cumsum,
    cumulative_prod,
    cumulative_sum,
    max,
    mean,
    min,
    prod,
    ptp,
    std,
    sum,
    var,
)
from fungrad.numpy.scalar_types import (
    bfloat16,
    bool_,
    cdouble,
    complex64,
    complex128,
    complex_,
    csingle,
    double,
    float4_e2m1fn,
    float6_e2m3fn,
    float6_e3m2fn,
    float8_e3m4,
    float8_e4m3,
    float8_e4m3b11fnuz,
    float8_e4m3fn,
    float8_e4m3fnuz,
    float8_e5m2,
    float8_e5m2fnuz,
    float8_e8m0fnu,
    float16,
    float32,
    float64,
    float_,
    int2,
    int4,
    int8,
    int16,
    int32,
    int64,
    int_,
    single,
    uint,
    uint2,
    uint4,
    uint8,
    uint16,
    uint32,
    uint64,
)
from fungrad.numpy.selection import (
    argwhere,
    choose,
    clip,
    compress,
    extract,
    flatnonzero,
    nonzero,
    select,
    where,
)
from fungrad.numpy.sets import (
    intersect1d,
    setdiff1d,
    setxor1d,
    union1d,
    unique,
    unique_all,
    unique_counts,
    unique_inverse,
    unique_values,
)
from fungrad.numpy.sorting import (
    argpartition,
    argsort,
    digitize,
    lexsort,
    partition,
    searchsorted,
    sort,
    sort_complex,
)
from fungrad.numpy.ufunc_objects import frompyfunc, ufunc
from fungrad.numpy.ufuncs import (
    abs,
    absolute,
    acos,
    acosh,
    angle,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctanh,
    around,
    asin,
    asinh,
    atan,
    atanh,
    bitwise_count,
    bitwise_invert,
    bitwise_not,
    cbrt,
    ceil,
    conj,
    conjugate,
    cos,
    cosh,
    deg2rad,
    degrees,
    exp,
    exp2,
    expm1,
    fabs,
    fix,
    floor,
    imag,
    invert,
    isfinite,
    isinf,
    isnan,
    isneginf,
    isposinf,
    log,
    log1p,
    log2,
    log10,
    logical_not,
    modf,
    positive,
    rad2deg,
    radians,
    real,
    reciprocal,
    rint,
    round,
    sign,
    signbit,
    sin,
    sinc,
    sinh,
    sqrt,
    square,
    tan,
    tanh,
    trunc,
)
from fungrad.numpy.universal import (
    add,
    arctan2,
    atan2,
    bitwise_and,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    copysign,
    divide,
    equal,
    float_power,
    floor_divide,
    fmax,
    fmin,
    fmod,
    gcd,
    greater,
    greater_equal,
    heaviside,
    hypot,
    lcm,
    ldexp,
    left_shift,
    less,
    less_equal,
    logaddexp,
    logaddexp2,
    logical_and,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    mod,
    multiply,
    negative,
    nextafter,
    not_equal,
    pow,
    power,
    remainder,
    right_shift,
    subtract,
    true_divide,
)
from fungrad.numpy.updating import (
    put_along_axis,
)
from fungrad.numpy.windows import (
    bartlett,
    blackman,
    hamming,
    hanning,
    i0,
    kaiser,
)

pi: float = _np.pi
e: float = _np.e
euler_gamma: float = _np.euler_gamma
inf: float = _np.inf
nan: float = _np.nan
newaxis = None
dtype = _np.dtype
bool = bool_
generic = _np.generic
number = _np.number
integer = _np.integer
signedinteger = _np.signedinteger
unsignedinteger = _np.unsignedinteger
inexact = _np.inexact
floating = _np.floating
complexfloating = _np.complexfloating
flexible = _np.flexible
character = _np.character
object_ = _np.object_

# set_printoptions and its relatives are NumPy's: arrays print through it.
get_printoptions = _np.get_printoptions
set_printoptions = _np.set_printoptions
printoptions = _np.printoptions
array_repr = _np.array_repr
array_str = _np.array_str
ComplexWarning = _np.exceptions.ComplexWarning

__all__ = [
    "ComplexWarning", "abs", "absolute", "acos", "acosh", "add", "all", "allclose", "amax", "amin", "angle", "any",
    "append", "apply_along_axis", "apply_over_axes", "arange", "arccos", "arccosh", "arcsin", "arcsinh", "arctan",
    "arctan2", "arctanh", "argmax", "argmin", "argpartition", "argsort", "argwhere", "around", "array", "array_equal",
    "array_equiv", "array_repr", "array_split", "array_str", "asarray", "asin", "asinh", "astype", "atan", "atan2",
    "atanh", "atleast_1d", "atleast_2d", "atleast_3d", "average", "bartlett", "bfloat16", "bincount", "bitwise_and",
    "bitwise_count", "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "blackman", "block", "bool", "bool_", "broadcast_arrays", "broadcast_shapes", "broadcast_to", "c_",
    "can_cast", "cbrt", "cdouble", "ceil", "character", "choose", "clip", "column_stack", "complex128", "complex64",
    "complex_", "complexfloating", "compress", "concat", "concatenate", "conj", "conjugate", "convolve", "copy",
    "copysign", "corrcoef", "correlate", "cos", "cosh", "count_nonzero", "cov", "cross", "csingle", "cumprod", "cumsum",
    "cumulative_prod", "cumulative_sum", "deg2rad", "degrees", "delete", "diag", "diag_indices", "diag_indices_from",
    "diagflat", "diagonal", "diff", "digitize", "divide", "divmod", "dot", "double", "dsplit", "dstack", "dtype", "e",
    "ediff1d", "einsum", "einsum_path", "empty", "empty_like", "equal", "euler_gamma", "exp", "exp2", "expand_dims",
    "expm1", "extract", "eye", "fabs", "fft", "fill_diagonal", "finfo", "fix", "flatnonzero", "flexible", "flip",
    "fliplr", "flipud", "float16", "float32", "float4_e2m1fn", "float64", "float6_e2m3fn", "float6_e3m2fn",
    "float8_e3m4", "float8_e4m3", "float8_e4m3b11fnuz", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2",
    "float8_e5m2fnuz", "float8_e8m0fnu", "float_", "float_power", "floating", "floor", "floor_divide", "fmax", "fmin",
    "fmod", "frexp", "from_dlpack", "frombuffer", "fromfile", "fromfunction", "fromiter", "frompyfunc", "fromstring",
    "full", "full_like", "gcd", "generic", "geomspace", "get_printoptions", "gradient", "greater", "greater_equal",
    "hamming", "hanning", "heaviside", "histogram", "histogram2d", "histogram_bin_edges", "histogramdd", "hsplit",
    "hstack", "hypot", "i0", "identity", "iinfo", "imag", "index_exp", "indices", "inexact", "inf", "inner", "insert",
    "int16", "int2", "int32", "int4", "int64", "int8", "int_", "integer", "interp", "intersect1d", "invert", "isclose",
    "iscomplex", "iscomplexobj", "isdtype", "isfinite", "isin", "isinf", "isnan", "isneginf", "isposinf", "isreal",
    "isrealobj", "isscalar", "issubdtype", "iterable", "ix_", "kaiser", "kron", "lcm", "ldexp", "left_shift", "less",
    "less_equal", "lexsort", "linalg", "linspace", "load", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2",
    "logical_and", "logical_not", "logical_or", "logical_xor", "logspace", "mask_indices", "matmul", "matrix_transpose",
    "matvec", "max", "maximum", "mean", "median", "meshgrid", "mgrid", "min", "minimum", "mod", "modf", "moveaxis",
    "multiply", "nan", "nan_to_num", "nanargmax", "nanargmin", "nancumprod", "nancumsum", "nanmax", "nanmean",
    "nanmedian", "nanmin", "nanpercentile", "nanprod", "nanquantile", "nanstd", "nansum", "nanvar", "ndarray", "ndim",
    "negative", "newaxis", "nextafter", "nonzero", "not_equal", "number", "object_", "ogrid", "ones", "ones_like",
    "outer", "packbits", "pad", "partition", "percentile", "permute_dims", "pi", "piecewise", "place", "poly",
    "polyadd", "polyder", "polydiv", "polyfit", "polyint", "polymul", "polysub", "polyval", "positive", "pow", "power",
    "printoptions", "prod", "promote_types", "ptp", "put", "put_along_axis", "quantile", "r_", "rad2deg", "radians",
    "ravel", "ravel_multi_index", "real", "reciprocal", "remainder", "repeat", "reshape", "resize", "result_type",
    "right_shift", "rint", "roll", "rollaxis", "roots", "rot90", "round", "s_", "save", "savez", "searchsorted",
    "select", "set_printoptions", "setdiff1d", "setxor1d", "shape", "sign", "signbit", "signedinteger", "sin", "sinc",
    "single", "sinh", "size", "sort", "sort_complex", "spacing", "split", "sqrt", "square", "squeeze", "stack", "std",
    "subtract", "sum", "swapaxes", "take", "take_along_axis", "tan", "tanh", "tensordot", "tile", "trace", "transpose",
    "trapezoid", "tri", "tril", "tril_indices", "tril_indices_from", "trim_zeros", "triu", "triu_indices",
    "triu_indices_from", "true_divide", "trunc", "ufunc", "uint", "uint16", "uint2", "uint32", "uint4", "uint64",
    "uint8", "union1d", "unique", "unique_all", "unique_counts", "unique_inverse", "unique_values", "unpackbits",
    "unravel_index", "unsignedinteger", "unstack", "unwrap", "vander", "var", "vdot", "vecdot", "vecmat", "vectorize",
    "vsplit", "vstack", "where", "zeros", "zeros_like",
]  # fmt: skip

# Called most; they have the handler of errors inside.
_HOT = ("cos", "exp", "log", "sin", "sqrt", "tanh")

publish(globals(), __name__, __all__, exempt=_HOT, early=("vectorize",))
