"""Wrong calls: fungrad.numpy.fft and fungrad.lax.fft."""

TABLE = r"""
jnp.fft.fft('a')                            | TypeError | a
jnp.fft.fft(x, n='a')                       | TypeError | n
jnp.fft.fft(x, n=0)                         | ValueError | lengths
jnp.fft.fft(x, axis='a')                    | TypeError | axis
jnp.fft.fft(x, axis=3)                      | ValueError | axis
jnp.fft.fft(x, axis=(0,))                   | ValueError | axis
jnp.fft.fft(x, norm='a')                    | ValueError | norm
lax.fft(k, 'fft', ())                        | TypeError | x
jnp.fft.ifft('a')                           | TypeError | a
jnp.fft.ifft(x, n=2.5)                      | TypeError | n
jnp.fft.ifft(x, norm=2)                     | ValueError | norm
jnp.fft.rfft('a')                           | TypeError | a
jnp.fft.rfft(c)                             | ValueError | a
jnp.fft.irfft('a')                          | TypeError | a
jnp.fft.irfft(x, n=-1)                      | ValueError | lengths
jnp.fft.hfft('a')                           | TypeError | a
jnp.fft.hfft(x, axis=1)                     | ValueError | axis
jnp.fft.ihfft('a')                          | TypeError | a
jnp.fft.ihfft(c)                            | ValueError | a
jnp.fft.fftn('a')                           | TypeError | a
jnp.fft.fftn(m, s='ab')                     | TypeError | s
jnp.fft.fftn(m, s=(2, 2, 2))                | ValueError | s
jnp.fft.fftn(m, s=(2,), axes=(0, 1))        | ValueError | s
jnp.fft.fftn(m, axes=(0, 0))                | ValueError | axes
jnp.fft.fftn(m, axes='ab')                  | TypeError | axes
jnp.fft.ifftn('a')                          | TypeError | a
jnp.fft.ifftn(m, axes=(0, 2))               | ValueError | axis
jnp.fft.rfftn('a')                          | TypeError | a
jnp.fft.rfftn(c)                            | ValueError | a
jnp.fft.irfftn('a')                         | TypeError | a
jnp.fft.irfftn(m, s=(0, 2))                 | ValueError | lengths
jnp.fft.fft2('a')                           | TypeError | a
jnp.fft.fft2(m, axes=(0,))                  | ValueError | axes
jnp.fft.fft2(x)                             | ValueError | axis
jnp.fft.ifft2(m, norm='a')                  | ValueError | norm
jnp.fft.rfft2(m * 1j)                       | ValueError | a
jnp.fft.irfft2('a')                         | TypeError | a
jnp.fft.fftfreq('a')                        | TypeError | n
jnp.fft.fftfreq([2])                        | ValueError | n
jnp.fft.fftfreq(-1)                         | ValueError | n
jnp.fft.fftfreq(4, 'a')                     | TypeError | d
jnp.fft.fftfreq(4, [1.0])                   | ValueError | d
jnp.fft.fftfreq(4, dtype='ab')              | TypeError | dtype
jnp.fft.rfftfreq(2.5)                       | TypeError | n
jnp.fft.rfftfreq(4, 'a')                    | TypeError | d
jnp.fft.fftshift('a')                       | TypeError | x
jnp.fft.fftshift(x, axes='a')               | TypeError | axes
jnp.fft.ifftshift(x, axes=1)                | ValueError | axis
lax.fft('a', 'fft', (4,))                   | TypeError | x
lax.fft(x, 'a', (4,))                       | ValueError | fft_type
lax.fft(x, 5, (4,))                         | TypeError | fft_type
lax.fft(x, 'fft', 'a')                      | TypeError | fft_lengths
lax.fft(x, 'fft', (3,))                     | ValueError | fft_lengths
lax.fft(x, 'fft', (4, 4))                   | ValueError | fft_lengths
lax.fft(x, 'rfft', (-4,))                   | ValueError | fft_lengths
lax.fft(x, 'irfft', (4,))                   | ValueError | fft_lengths
lax.fft(c, 'rfft', (4,))                    | ValueError | x
"""
