"""Wrong calls: the modules of fungrad.scipy but special."""

TABLE = r"""
scipy.fft.dct('a')                                                        | TypeError | x
scipy.fft.dct(x, type=3)                                                  | NotImplementedError | type
scipy.fft.dct(x, n=0)                                                     | ValueError | lengths
scipy.fft.dct(x, axis=2)                                                  | ValueError | axis
scipy.fft.dct(x, norm='forward')                                          | ValueError | norm
scipy.fft.idct('a')                                                       | TypeError | x
scipy.fft.idct(x, n='a')                                                  | TypeError | n
scipy.fft.dctn('a')                                                       | TypeError | x
scipy.fft.dctn(m, s=(1, 2, 3))                                            | ValueError | s
scipy.fft.dctn(m, s=(2,), axes=(0, 1))                                    | ValueError | s
scipy.fft.dctn(m, axes=(0, 0))                                            | ValueError | axes
scipy.fft.idctn('a')                                                      | TypeError | x
scipy.fft.idctn(m, norm='a')                                              | ValueError | norm
scipy.signal.convolve('a', x)                                             | TypeError | in1
scipy.signal.convolve(x, 'a')                                             | TypeError | in2
scipy.signal.convolve(x, m)                                               | ValueError | in2
scipy.signal.convolve(x, x, mode='a')                                     | ValueError | mode
scipy.signal.convolve(x, x, method='a')                                   | ValueError | method
scipy.signal.convolve(x, x[:0])                                           | ValueError | in2
scipy.signal.convolve(m, m.T)                                             | ValueError | in1
scipy.signal.correlate('a', x)                                            | TypeError | in1
scipy.signal.correlate(x, x, mode='a')                                    | ValueError | mode
scipy.signal.fftconvolve('a', x)                                          | TypeError | in1
scipy.signal.fftconvolve(x, x, axes=1)                                    | ValueError | axis
scipy.signal.fftconvolve(m, m[:2], axes=1)                               | ValueError | in2
scipy.signal.fftconvolve(m, m.T, mode='valid')                            | ValueError | in1
scipy.signal.convolve2d(x, x)                                             | ValueError | in1
scipy.signal.convolve2d(m, m, boundary='wrap')                            | NotImplementedError | boundary
scipy.signal.correlate2d(m, m, fillvalue=1)                               | NotImplementedError | fillvalue
scipy.signal.correlate2d('a', m)                                          | TypeError | in1
scipy.signal.detrend('a')                                                 | TypeError | data
scipy.signal.detrend(x, type='a')                                         | ValueError | type
scipy.signal.detrend(x, bp=9)                                             | ValueError | bp
scipy.signal.detrend(x, overwrite_data=True)                              | NotImplementedError | overwrite_data
scipy.signal.stft('a')                                                    | TypeError | x
scipy.signal.stft(x, nperseg=0)                                           | ValueError | nperseg
scipy.signal.stft(x, nperseg='a')                                         | TypeError | nperseg
scipy.signal.stft(x, nperseg=4, noverlap=4)                               | ValueError | noverlap
scipy.signal.stft(x, nperseg=4, nfft=3)                                   | ValueError | nfft
scipy.signal.stft(x, nperseg=4, window='a')                               | ValueError | window
scipy.signal.stft(x, window=m, nperseg=4)                                 | ValueError | window
scipy.signal.stft(x, nperseg=4, boundary='a')                             | ValueError | boundary
scipy.signal.stft(x, nperseg=4, detrend='a')                              | ValueError | detrend
scipy.signal.welch('a')                                                   | TypeError | x
scipy.signal.welch(x, nperseg=4, scaling='a')                             | ValueError | scaling
scipy.signal.welch(x, nperseg=4, average='a')                             | ValueError | average
scipy.signal.csd(x, 'a')                                                  | TypeError | y
scipy.signal.csd(x, m, nperseg=4)                                         | ValueError | y
scipy.signal.istft('a')                                                   | TypeError | Zxx
scipy.signal.istft(x)                                                     | ValueError | Zxx
scipy.signal.istft(m, time_axis=0, freq_axis=0)                           | ValueError | time_axis
scipy.signal.istft(m, nperseg=9)                                          | ValueError | nperseg
scipy.ndimage.map_coordinates('a', [x], 1)                                | TypeError | input
scipy.ndimage.map_coordinates(x, ['a'], 1)                                | TypeError | coordinates
scipy.ndimage.map_coordinates(m, [x], 1)                                  | ValueError | coordinates
scipy.ndimage.map_coordinates(x, [x], 3)                                  | NotImplementedError | order
scipy.ndimage.map_coordinates(x, [x], 1, mode='a')                        | NotImplementedError | mode
scipy.interpolate.RegularGridInterpolator((x,), 'a')                      | TypeError | values
scipy.interpolate.RegularGridInterpolator(('a',), x)                      | TypeError | points
scipy.interpolate.RegularGridInterpolator((x,), x, method='a')            | ValueError | method
scipy.interpolate.RegularGridInterpolator((x, x), x)                      | ValueError | points
scipy.interpolate.RegularGridInterpolator((x[:3],), x)                    | ValueError | points
scipy.interpolate.RegularGridInterpolator((x,), x, bounds_error=True)     | NotImplementedError | bounds_error
scipy.interpolate.RegularGridInterpolator((x,), x, fill_value=1j)         | ValueError | fill_value
scipy.integrate.trapezoid('a')                                            | TypeError | y
scipy.integrate.trapezoid(x, 'a')                                         | TypeError | x
scipy.integrate.trapezoid(x, dx='a')                                      | TypeError | dx
scipy.optimize.minimize('a', x, method='BFGS')                            | TypeError | fun
scipy.optimize.minimize(jnp.sum, 'a', method='BFGS')                      | TypeError | x0
scipy.optimize.minimize(jnp.sum, x, 1, method='BFGS')                     | TypeError | args
scipy.optimize.minimize(jnp.sum, x, method='a')                           | ValueError | method
scipy.optimize.minimize(jnp.sum, m, method='BFGS')                        | ValueError | x0
scipy.optimize.minimize(jnp.sum, i, method='BFGS')                        | TypeError | x0
scipy.optimize.minimize(jnp.sum, c, method='BFGS')                        | TypeError | x0
scipy.optimize.minimize(jnp.sum, x, method='BFGS', options={'a': 1})      | ValueError | options
scipy.sparse.linalg.cg(1.0, x)                                            | TypeError | A
scipy.sparse.linalg.cg(m, x)                                              | ValueError | A
scipy.sparse.linalg.cg(s, 'a')                                            | TypeError | b
scipy.sparse.linalg.cg(s, x[:3], x)                                       | ValueError | x0
scipy.sparse.linalg.cg(s, x[:3], M=m)                                     | ValueError | M
scipy.sparse.linalg.bicgstab(m, x)                                        | ValueError | A
scipy.sparse.linalg.bicgstab(s, x[:3], 'a')                               | TypeError | x0
scipy.sparse.linalg.gmres(m, x)                                           | ValueError | A
scipy.sparse.linalg.gmres(s, x[:3], restart=0)                            | ValueError | restart
scipy.sparse.linalg.gmres(s, x[:3], solve_method='a')                     | ValueError | solve_method
scipy.cluster.vq.vq('a', x)                                               | TypeError | obs
scipy.cluster.vq.vq(x, 'a')                                               | TypeError | code_book
scipy.cluster.vq.vq(x, m)                                                 | ValueError | code_book
scipy.cluster.vq.vq(m, s)                                                 | ValueError | code_book
scipy.cluster.vq.vq(x, x[:0])                                             | ValueError | code_book
scipy.spatial.transform.Rotation.from_quat(x[:3])                         | ValueError | quat
scipy.spatial.transform.Rotation.from_quat('a')                           | TypeError | quat
scipy.spatial.transform.Rotation.from_matrix(m)                           | ValueError | matrix
scipy.spatial.transform.Rotation.from_rotvec(x)                           | ValueError | rotvec
scipy.spatial.transform.Rotation.from_mrp(x)                              | ValueError | mrp
scipy.spatial.transform.Rotation.from_euler('xxy', x[:3])                 | ValueError | seq
scipy.spatial.transform.Rotation.from_euler('xY', x[:2])                  | ValueError | seq
scipy.spatial.transform.Rotation.from_euler('xy', x[:3])                  | ValueError | angles
scipy.spatial.transform.Rotation.identity().as_euler('xy')                | ValueError | seq
scipy.spatial.transform.Rotation.identity().apply(x)                      | ValueError | vectors
scipy.spatial.transform.Rotation.identity(2).mean(x)                      | ValueError | weights
scipy.spatial.transform.Slerp.init(x, x)                                  | TypeError | rotations
scipy.spatial.transform.Slerp.init(x, scipy.spatial.transform.Rotation.identity(2)) | ValueError | times
"""
