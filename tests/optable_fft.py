"""Rows of the op table: discrete Fourier transforms."""

import numpy as np
from optable_base import Op, dtype_of

from fungrad import lax, numpy as jnp

TOLERANCES = {"float32": 1e-5, "float64": 1e-13, "complex64": 1e-5, "complex128": 1e-13}
COMPLEX = ("complex64", "complex128")
REAL = ("float32", "float64")


def complex_of(dtype):
    return {"float32": dtype_of("complex64"), "float64": dtype_of("complex128")}.get(dtype.name, dtype)


def real_of(dtype):
    return {"complex64": dtype_of("float32"), "complex128": dtype_of("float64")}.get(dtype.name, dtype)


# The names of the transforms in NumPy.
NUMPY = {"FFT": "fftn", "IFFT": "ifftn", "RFFT": "rfftn", "IRFFT": "irfftn"}


def reference(x, fft_type, fft_lengths):
    axes = range(x.ndim - len(fft_lengths), x.ndim)
    if x.size == 0:
        last = fft_lengths[-1] // 2 + 1 if fft_type == "RFFT" else fft_lengths[-1]
        dtype = {"RFFT": complex_of, "IRFFT": real_of}.get(fft_type, np.dtype)(x.dtype)
        return np.zeros((*x.shape[: x.ndim - len(fft_lengths)], *fft_lengths[:-1], last), dtype)
    return getattr(np.fft, NUMPY[fft_type])(x, fft_lengths, axes)


def row(kind, lengths, batches):
    given = (*lengths[:-1], lengths[-1] // 2 + 1) if kind == "IRFFT" else lengths
    return Op(
        f"fft_{kind}_{'_'.join(map(str, lengths))}",
        lambda x, fft_type, fft_lengths: lax.fft(x, lax.FftType[fft_type], fft_lengths),
        reference,
        REAL if kind == "RFFT" else COMPLEX,
        tuple(((*batch, *given),) for batch in batches),
        params={"fft_type": kind, "fft_lengths": lengths},
        result={"RFFT": complex_of, "IRFFT": real_of}.get(kind),
        special=False,
        weak=False,
        rtol=TOLERANCES,
        atol=float(np.prod(lengths)),
        jit_rtol=TOLERANCES,
        jax_rtol=TOLERANCES,
        jax=lambda jax, x, fft_type, fft_lengths: jax.lax.fft(x, jax.lax.FftType[fft_type], fft_lengths),
        primitives=("fft",),
    )


BATCHES = ((3,), (), (0,), (2, 2))


def sample(name, shapes, dtypes=COMPLEX, order=1, result=None, primitives=("fft",), **params):
    """A row for a function of ``fungrad.numpy.fft``."""
    return Op(
        f"fft.{name}_{'_'.join(str(v) for v in params.values())}",
        getattr(jnp.fft, name),
        getattr(np.fft, name),
        dtypes,
        tuple((s,) for s in shapes),
        params=params,
        result=result,
        order=order,
        special=False,
        weak=False,
        rtol=TOLERANCES,
        atol=20.0,
        jit_rtol=TOLERANCES,
        jax_rtol=TOLERANCES,
        jax=lambda jax, x, **params: getattr(jax.numpy.fft, name)(x, **params),
        primitives=primitives,
    )


OPS = [
    *[row(kind, (n,), BATCHES[:3]) for kind in ("FFT", "IFFT") for n in (1, 2, 6, 7)],
    *[row(kind, (n,), BATCHES) for kind in ("RFFT", "IRFFT") for n in (1, 2, 3, 8, 15)],
    *[row(kind, lengths, BATCHES) for kind in NUMPY for lengths in ((2, 3), (3, 4))],
    row("FFT", (37,), ((2,), ())),  # a prime that has no code of its own
    row("RFFT", (74,), ((2,),)),
    row("IRFFT", (41,), ((2,),)),
    row("FFT", (2, 3, 2), ((2,),)),
    row("IRFFT", (2, 2, 4), ((),)),
    sample("fft", ((3, 4), (5,)), n=6, axis=0, norm="ortho"),
    sample("ifft", ((3, 4), (5,)), n=2, axis=-1, norm="forward"),
    sample("rfft", ((3, 4), (5,)), REAL, result=complex_of, n=7, axis=0, norm="forward"),
    sample("irfft", ((3, 4), (5,)), result=real_of, n=7, axis=-1, norm="ortho"),
    sample("irfft", ((3, 4), (5,)), result=real_of, n=4, axis=0, norm=None),
    sample("hfft", ((3, 4), (5,)), result=real_of, n=6, axis=0, norm="ortho"),
    sample("ihfft", ((3, 4), (5,)), REAL, result=complex_of, n=5, axis=-1, norm=None),
    sample("fftn", ((3, 4), (2, 3, 4)), s=(4, 2), axes=(-1, 0), norm="ortho"),
    sample("rfft2", ((3, 4), (2, 3, 4)), REAL, result=complex_of, s=(4, 5), axes=(1, 0), norm=None),
    sample("irfft2", ((3, 4), (2, 3, 4)), result=real_of, s=(4, 5), axes=(1, 0), norm=None),
    sample("fftshift", ((3, 4), (5,)), (*COMPLEX, "int32"), primitives=("concatenate",), axes=None),
    sample("ifftshift", ((3, 4), (5,)), ("float32", "int8"), primitives=("concatenate",), axes=(0,)),
]
