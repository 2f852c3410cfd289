"""Wrong calls: fungrad.image."""

TABLE = r"""
image.resize('a', (2,), 'linear')                                    | TypeError | image
image.resize(x, 'a', 'linear')                                       | TypeError | shape
image.resize(x, (2, 2), 'linear')                                    | ValueError | shape
image.resize(x, (-2,), 'linear')                                     | ValueError | shape
image.resize(x, (2,), 'a')                                           | ValueError | method
image.resize(k, (), 'linear')                                        | TypeError | image
image.scale_and_translate('a', (2,), (0,), x[:1], x[:1], 'linear')   | TypeError | image
image.scale_and_translate(x, (2,), (0,), x, x[:1], 'linear')         | ValueError | scale
image.scale_and_translate(x, (2,), (0,), x[:1], x, 'linear')         | ValueError | translation
image.scale_and_translate(x, (2,), (0,), 'a', x[:1], 'linear')       | TypeError | scale
image.scale_and_translate(x, (2,), (3,), x[:1], x[:1], 'linear')     | ValueError | axis
image.scale_and_translate(m, (2, 4), (0, 0), x[:2], x[:2], 'linear') | ValueError | spatial_dims
image.scale_and_translate(x, (2,), (), x[:0], x[:0], 'linear')       | ValueError | shape
image.scale_and_translate(x, (2,), (0,), x[:1], x[:1], 'nearest')    | ValueError | method
image.ResizeMethod.from_string('a')                                  | ValueError | method
"""
