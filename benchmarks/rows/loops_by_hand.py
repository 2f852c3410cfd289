"""The telling rows of ``loops.py`` by hand in numba."""

import numpy as np

from benchmarks.rows import loops


@loops.logistic.variant("numba")
def _(lib):
    one = lib.f32(1)

    @lib.serial
    def run(r, x, out):
        for i in range(out.size):
            x = r * x * (one - x)
            out[i] = x
        return x

    out, r, x = np.zeros(100_000, np.float32), np.float32(2.8), np.float32(0.3)
    return lambda: (run(r, x, out), out)


@loops.fori_add.variant("numba")
def _(lib):
    @lib.serial
    def run(x, d):
        for _ in range(1_000_000):
            x += d
        return x

    return lambda: run(np.float32(0), np.float32(0.5))


@loops.newton.variant("numba")
def _(lib):
    half, zero = lib.f32(0.5), lib.f32(0)

    @lib.serial
    def run(x, a):
        i = 0
        while i < 1000 and x > zero:
            x = half * (x + a / x)
            i += 1
        return x

    return lambda: run(np.float32(1), np.float32(612))


@loops.lorenz_forward.variant("numba")
def _(lib):
    h, half, sixth, two = lib.f32(0.001), lib.f32(0.0005), lib.f32(0.001 / 6), lib.f32(2)

    @lib.scalar
    def rate(x, y, z, a, b, c):
        return a * (y - x), x * (b - z) - y, x * y - c * z

    @lib.scalar
    def run(p, s, out):
        a, b, c = p[0], p[1], p[2]
        x, y, z = s[0], s[1], s[2]
        for i in range(out.shape[0]):
            k1x, k1y, k1z = rate(x, y, z, a, b, c)
            k2x, k2y, k2z = rate(x + half * k1x, y + half * k1y, z + half * k1z, a, b, c)
            k3x, k3y, k3z = rate(x + half * k2x, y + half * k2y, z + half * k2z, a, b, c)
            k4x, k4y, k4z = rate(x + h * k3x, y + h * k3y, z + h * k3z, a, b, c)
            x += sixth * (k1x + two * (k2x + k3x) + k4x)
            y += sixth * (k1y + two * (k2y + k3y) + k4y)
            z += sixth * (k1z + two * (k2z + k3z) + k4z)
            out[i, 0], out[i, 1], out[i, 2] = x, y, z

    p, s = np.array([10.0, 14.0, 8 / 3], np.float32), np.ones(3, np.float32)
    out = np.zeros((10_000, 3), np.float32)

    def thunk():
        run(p, s, out)
        return out[-1], out

    return thunk


@loops.mandelbrot.variant("numba")
def _(lib):
    """Sixteen points at a time, until all of them have escaped."""
    f32, i32, prange, four, two = lib.f32, lib.i32, lib.prange, lib.f32(4), lib.f32(2)

    @lib.scalar
    def sixteen(cx, cy, n):
        x, y = np.zeros(16, np.float32), np.zeros(16, np.float32)
        n[:] = 0
        for _ in range(100):
            inside = 0
            for k in range(16):
                xx, yy = x[k] * x[k], y[k] * y[k]
                stay = i32(xx + yy <= four)
                n[k] += stay
                inside += stay
                new = xx - yy + cx[k]
                y[k] = two * x[k] * y[k] + cy if stay else y[k]
                x[k] = new if stay else x[k]
            if inside == 0:
                break

    @lib.kernel
    def run(cx, cy, count, out):
        for i in prange(cy.size):
            for j in range(0, cx.size, 16):
                sixteen(cx[j : j + 16], f32(cy[i]), count[i, j : j + 16])
            out[i] = count[i].sum()

    cx, cy = np.linspace(-2.0, 0.6, 512, dtype=np.float32), np.linspace(-1.3, 1.3, 512, dtype=np.float32)
    count, out = np.zeros((512, 512), np.int32), np.zeros(512, np.int32)

    def thunk():
        run(cx, cy, count, out)
        return out

    return thunk
