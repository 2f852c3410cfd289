"""``fungrad.numpy``: NumPy's functions on fungrad arrays, differentiable, vectorisable and compilable, under JAX's
names.

Functions accept arrays, tracers, NumPy arrays and scalars (not lists), promote dtypes on JAX's lattice, broadcast, and
return new arrays.  The default width is 32 bit; see ``fungrad.config``.
"""

from typing import TYPE_CHECKING

import numpy as _np

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.numpy import (
    array_methods,
    protocols,
)
from fungrad.numpy._names import (
    NAMES as _NAMES,
)
from fungrad.numpy.array_api import (
    __array_api_version__,
    __array_namespace_info__,
)

if TYPE_CHECKING:
    # Loaded when they are asked for; after a change run `python -m tools.facades`.
    from fungrad.core.array import (
        Array as ndarray,  # noqa: N813
    )
    from fungrad.core.dtypes import (
        isdtype as isdtype,
        issubdtype as issubdtype,
        promote_types as promote_types,
    )
    from fungrad.core.limits import (
        finfo as finfo,
        iinfo as iinfo,
    )
    from fungrad.numpy import (
        fft as fft,
        linalg as linalg,
    )
    from fungrad.numpy._promotion import (
        broadcast_shapes as broadcast_shapes,
    )
    from fungrad.numpy.bits import (
        frexp as frexp,
        packbits as packbits,
        spacing as spacing,
        unpackbits as unpackbits,
    )
    from fungrad.numpy.calculus import (
        convolve as convolve,
        correlate as correlate,
        diff as diff,
        ediff1d as ediff1d,
        gradient as gradient,
        interp as interp,
        polyadd as polyadd,
        polyder as polyder,
        polyint as polyint,
        polymul as polymul,
        polysub as polysub,
        polyval as polyval,
        trapezoid as trapezoid,
        unwrap as unwrap,
    )
    from fungrad.numpy.comparisons import (
        allclose as allclose,
        array_equal as array_equal,
        array_equiv as array_equiv,
        isclose as isclose,
        iscomplex as iscomplex,
        isin as isin,
        isreal as isreal,
        nan_to_num as nan_to_num,
    )
    from fungrad.numpy.contraction import (
        einsum as einsum,
        einsum_path as einsum_path,
    )
    from fungrad.numpy.counting import (
        bincount as bincount,
        corrcoef as corrcoef,
        cov as cov,
        histogram as histogram,
        histogram2d as histogram2d,
        histogram_bin_edges as histogram_bin_edges,
        histogramdd as histogramdd,
    )
    from fungrad.numpy.creation import (
        arange as arange,
        array as array,
        asarray as asarray,
        astype as astype,
        copy as copy,
        empty as empty,
        empty_like as empty_like,
        full as full,
        full_like as full_like,
        ones as ones,
        ones_like as ones_like,
        zeros as zeros,
        zeros_like as zeros_like,
    )
    from fungrad.numpy.division import (
        divmod as divmod,
    )
    from fungrad.numpy.files import (
        fromfile as fromfile,
        load as load,
        save as save,
        savez as savez,
    )
    from fungrad.numpy.functional import (
        apply_along_axis as apply_along_axis,
        apply_over_axes as apply_over_axes,
        piecewise as piecewise,
        vectorize as vectorize,
    )
    from fungrad.numpy.grids import (
        eye as eye,
        from_dlpack as from_dlpack,
        frombuffer as frombuffer,
        fromfunction as fromfunction,
        fromiter as fromiter,
        fromstring as fromstring,
        geomspace as geomspace,
        identity as identity,
        indices as indices,
        linspace as linspace,
        logspace as logspace,
        meshgrid as meshgrid,
        tri as tri,
        tril as tril,
        triu as triu,
        vander as vander,
    )
    from fungrad.numpy.index_tricks import (
        c_ as c_,
        index_exp as index_exp,
        mgrid as mgrid,
        ogrid as ogrid,
        r_ as r_,
        s_ as s_,
    )
    from fungrad.numpy.indexing import (
        take as take,
        take_along_axis as take_along_axis,
    )
    from fungrad.numpy.joining import (
        append as append,
        array_split as array_split,
        block as block,
        column_stack as column_stack,
        concat as concat,
        concatenate as concatenate,
        delete as delete,
        dsplit as dsplit,
        dstack as dstack,
        hsplit as hsplit,
        hstack as hstack,
        insert as insert,
        split as split,
        stack as stack,
        unstack as unstack,
        vsplit as vsplit,
        vstack as vstack,
    )
    from fungrad.numpy.linear import (
        cross as cross,
        diag as diag,
        diagflat as diagflat,
        diagonal as diagonal,
        dot as dot,
        inner as inner,
        kron as kron,
        matmul as matmul,
        matvec as matvec,
        outer as outer,
        tensordot as tensordot,
        trace as trace,
        vdot as vdot,
        vecdot as vecdot,
        vecmat as vecmat,
    )
    from fungrad.numpy.manipulation import (
        atleast_1d as atleast_1d,
        atleast_2d as atleast_2d,
        atleast_3d as atleast_3d,
        broadcast_arrays as broadcast_arrays,
        broadcast_to as broadcast_to,
        expand_dims as expand_dims,
        flip as flip,
        fliplr as fliplr,
        flipud as flipud,
        matrix_transpose as matrix_transpose,
        moveaxis as moveaxis,
        permute_dims as permute_dims,
        ravel as ravel,
        repeat as repeat,
        reshape as reshape,
        resize as resize,
        roll as roll,
        rollaxis as rollaxis,
        rot90 as rot90,
        squeeze as squeeze,
        swapaxes as swapaxes,
        tile as tile,
        transpose as transpose,
        trim_zeros as trim_zeros,
    )
    from fungrad.numpy.nan_reductions import (
        nanargmax as nanargmax,
        nanargmin as nanargmin,
        nancumprod as nancumprod,
        nancumsum as nancumsum,
        nanmax as nanmax,
        nanmean as nanmean,
        nanmin as nanmin,
        nanprod as nanprod,
        nanstd as nanstd,
        nansum as nansum,
        nanvar as nanvar,
    )
    from fungrad.numpy.padding import (
        pad as pad,
    )
    from fungrad.numpy.polynomials import (
        poly as poly,
        polydiv as polydiv,
        polyfit as polyfit,
        roots as roots,
    )
    from fungrad.numpy.positions import (
        diag_indices as diag_indices,
        diag_indices_from as diag_indices_from,
        fill_diagonal as fill_diagonal,
        ix_ as ix_,
        mask_indices as mask_indices,
        place as place,
        put as put,
        ravel_multi_index as ravel_multi_index,
        tril_indices as tril_indices,
        tril_indices_from as tril_indices_from,
        triu_indices as triu_indices,
        triu_indices_from as triu_indices_from,
        unravel_index as unravel_index,
    )
    from fungrad.numpy.quantiles import (
        median as median,
        nanmedian as nanmedian,
        nanpercentile as nanpercentile,
        nanquantile as nanquantile,
        percentile as percentile,
        quantile as quantile,
    )
    from fungrad.numpy.queries import (
        can_cast as can_cast,
        iscomplexobj as iscomplexobj,
        isrealobj as isrealobj,
        isscalar as isscalar,
        iterable as iterable,
        ndim as ndim,
        result_type as result_type,
        shape as shape,
        size as size,
    )
    from fungrad.numpy.reductions import (
        all as all,
        amax as amax,
        amin as amin,
        any as any,
        argmax as argmax,
        argmin as argmin,
        average as average,
        count_nonzero as count_nonzero,
        cumprod as cumprod,
        cumsum as cumsum,
        cumulative_prod as cumulative_prod,
        cumulative_sum as cumulative_sum,
        max as max,
        mean as mean,
        min as min,
        prod as prod,
        ptp as ptp,
        std as std,
        sum as sum,
        var as var,
    )
    from fungrad.numpy.scalar_types import (
        bfloat16 as bfloat16,
        bool_ as bool,
        bool_ as bool_,
        cdouble as cdouble,
        complex64 as complex64,
        complex128 as complex128,
        complex_ as complex_,
        csingle as csingle,
        double as double,
        float4_e2m1fn as float4_e2m1fn,
        float6_e2m3fn as float6_e2m3fn,
        float6_e3m2fn as float6_e3m2fn,
        float8_e3m4 as float8_e3m4,
        float8_e4m3 as float8_e4m3,
        float8_e4m3b11fnuz as float8_e4m3b11fnuz,
        float8_e4m3fn as float8_e4m3fn,
        float8_e4m3fnuz as float8_e4m3fnuz,
        float8_e5m2 as float8_e5m2,
        float8_e5m2fnuz as float8_e5m2fnuz,
        float8_e8m0fnu as float8_e8m0fnu,
        float16 as float16,
        float32 as float32,
        float64 as float64,
        float_ as float_,
        int2 as int2,
        int4 as int4,
        int8 as int8,
        int16 as int16,
        int32 as int32,
        int64 as int64,
        int_ as int_,
        single as single,
        uint as uint,
        uint2 as uint2,
        uint4 as uint4,
        uint8 as uint8,
        uint16 as uint16,
        uint32 as uint32,
        uint64 as uint64,
    )
    from fungrad.numpy.selection import (
        argwhere as argwhere,
        choose as choose,
        clip as clip,
        compress as compress,
        extract as extract,
        flatnonzero as flatnonzero,
        nonzero as nonzero,
        select as select,
        where as where,
    )
    from fungrad.numpy.sets import (
        intersect1d as intersect1d,
        setdiff1d as setdiff1d,
        setxor1d as setxor1d,
        union1d as union1d,
        unique as unique,
        unique_all as unique_all,
        unique_counts as unique_counts,
        unique_inverse as unique_inverse,
        unique_values as unique_values,
    )
    from fungrad.numpy.sorting import (
        argpartition as argpartition,
        argsort as argsort,
        digitize as digitize,
        lexsort as lexsort,
        partition as partition,
        searchsorted as searchsorted,
        sort as sort,
        sort_complex as sort_complex,
    )
    from fungrad.numpy.ufunc_objects import (
        frompyfunc as frompyfunc,
        ufunc as ufunc,
    )
    from fungrad.numpy.ufuncs import (
        abs as abs,
        absolute as absolute,
        acos as acos,
        acosh as acosh,
        angle as angle,
        arccos as arccos,
        arccosh as arccosh,
        arcsin as arcsin,
        arcsinh as arcsinh,
        arctan as arctan,
        arctanh as arctanh,
        around as around,
        asin as asin,
        asinh as asinh,
        atan as atan,
        atanh as atanh,
        bitwise_count as bitwise_count,
        bitwise_invert as bitwise_invert,
        bitwise_not as bitwise_not,
        cbrt as cbrt,
        ceil as ceil,
        conj as conj,
        conjugate as conjugate,
        cos as cos,
        cosh as cosh,
        deg2rad as deg2rad,
        degrees as degrees,
        exp as exp,
        exp2 as exp2,
        expm1 as expm1,
        fabs as fabs,
        fix as fix,
        floor as floor,
        imag as imag,
        invert as invert,
        isfinite as isfinite,
        isinf as isinf,
        isnan as isnan,
        isneginf as isneginf,
        isposinf as isposinf,
        log as log,
        log1p as log1p,
        log2 as log2,
        log10 as log10,
        logical_not as logical_not,
        modf as modf,
        positive as positive,
        rad2deg as rad2deg,
        radians as radians,
        real as real,
        reciprocal as reciprocal,
        rint as rint,
        round as round,
        sign as sign,
        signbit as signbit,
        sin as sin,
        sinc as sinc,
        sinh as sinh,
        sqrt as sqrt,
        square as square,
        tan as tan,
        tanh as tanh,
        trunc as trunc,
    )
    from fungrad.numpy.universal import (
        add as add,
        arctan2 as arctan2,
        atan2 as atan2,
        bitwise_and as bitwise_and,
        bitwise_left_shift as bitwise_left_shift,
        bitwise_or as bitwise_or,
        bitwise_right_shift as bitwise_right_shift,
        bitwise_xor as bitwise_xor,
        copysign as copysign,
        divide as divide,
        equal as equal,
        float_power as float_power,
        floor_divide as floor_divide,
        fmax as fmax,
        fmin as fmin,
        fmod as fmod,
        gcd as gcd,
        greater as greater,
        greater_equal as greater_equal,
        heaviside as heaviside,
        hypot as hypot,
        lcm as lcm,
        ldexp as ldexp,
        left_shift as left_shift,
        less as less,
        less_equal as less_equal,
        logaddexp as logaddexp,
        logaddexp2 as logaddexp2,
        logical_and as logical_and,
        logical_or as logical_or,
        logical_xor as logical_xor,
        maximum as maximum,
        minimum as minimum,
        mod as mod,
        multiply as multiply,
        negative as negative,
        nextafter as nextafter,
        not_equal as not_equal,
        pow as pow,
        power as power,
        remainder as remainder,
        right_shift as right_shift,
        subtract as subtract,
        true_divide as true_divide,
    )
    from fungrad.numpy.updating import (
        put_along_axis as put_along_axis,
    )
    from fungrad.numpy.windows import (
        bartlett as bartlett,
        blackman as blackman,
        hamming as hamming,
        hanning as hanning,
        i0 as i0,
        kaiser as kaiser,
    )

pi: float = _np.pi
e: float = _np.e
euler_gamma: float = _np.euler_gamma
inf: float = _np.inf
nan: float = _np.nan
newaxis = None
dtype = _np.dtype
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

__all__ = _public_names(globals(), later=_NAMES)

# Called most; they have the handler of errors inside.
_HOT = ("cos", "exp", "log", "sin", "sqrt", "tanh")

_publish(globals(), __name__, __all__, exempt=_HOT, early=("vectorize",), later=_NAMES)
