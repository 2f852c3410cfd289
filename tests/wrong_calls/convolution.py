"""Wrong calls: convolutions and pooling."""

TABLE = r"""
lax.conv_general_dilated('a', w4, (1, 1), 'SAME') | TypeError | lhs
lax.conv_general_dilated(x4, 'a', (1, 1), 'SAME') | TypeError | rhs
lax.conv_general_dilated(x4, w4[0], (1, 1), 'SAME') | TypeError | rhs
lax.conv_general_dilated(x, x, (), 'SAME') | TypeError | lhs
lax.conv_general_dilated(x4, w4 > 0, (1, 1), 'SAME') | TypeError | rhs
lax.conv_general_dilated(x4, w4.astype('int32'), (1, 1), 'SAME') | TypeError | rhs
lax.conv_general_dilated(x4, w4, 2, 'SAME') | TypeError | window_strides
lax.conv_general_dilated(x4, w4, (1,), 'SAME') | ValueError | window_strides
lax.conv_general_dilated(x4, w4, (0, 1), 'SAME') | ValueError | window_strides
lax.conv_general_dilated(x4, w4, (1, 1.5), 'SAME') | TypeError | window_strides
lax.conv_general_dilated(x4, w4, (1, 1), 'sane') | ValueError | padding
lax.conv_general_dilated(x4, w4, (1, 1), 3) | ValueError | padding
lax.conv_general_dilated(x4, w4, (1, 1), ((1, 1),)) | ValueError | padding
lax.conv_general_dilated(x4, w4, (1, 1), ((1, 1.5), (0, 0))) | ValueError | padding
lax.conv_general_dilated(x4, w4, (1, 1), ((-9, 0), (0, 0))) | ValueError | padding
lax.conv_general_dilated(x4, w4, (1, 1), 'SAME', (2, 2)) | ValueError | padding
lax.conv_general_dilated(x4, w4, (1, 1), 'SAME', 'a') | TypeError | lhs_dilation
lax.conv_general_dilated(x4, w4, (1, 1), 'SAME', None, (0, 1)) | ValueError | rhs_dilation
lax.conv_general_dilated(x4, w4, (1, 1), 'SAME', dimension_numbers='NHWC') | TypeError | dimension_numbers
lax.conv_general_dilated(x4, w4, (1, 1), 'SAME', dimension_numbers=('NC', 'IO')) | TypeError | dimension_numbers
lax.conv_general_dilated(x4, w4, (1, 1), 'SAME', None, None, ('NHWC', 'HWIO', 'NHHC')) | TypeError | dimension_numbers
lax.conv_general_dilated(x4, w4, (1, 1), 'SAME', None, None, ('NHWC', 'HWIO', 'NHXC')) | TypeError | dimension_numbers
lax.conv_general_dilated(x4, w4, (1, 1), 'SAME', None, None, ('NHC', 'HIO', 'NHC')) | TypeError | dimension_numbers
lax.conv_general_dilated(x4, w4, (1, 1), 'SAME', None, None, n3) | TypeError | dimension_numbers
lax.conv_general_dilated(x4, w4[:, :1], (1, 1), 'SAME') | ValueError | rhs
lax.conv_general_dilated(x4, w4, (1, 1), 'SAME', feature_group_count=2) | ValueError | feature_group_count
lax.conv_general_dilated(x4, w4, (1, 1), 'SAME', feature_group_count=0) | ValueError | feature_group_count
lax.conv_general_dilated(x4, w4, (1, 1), 'SAME', feature_group_count='a') | TypeError | feature_group_count
lax.conv_general_dilated(x4, w4[:3, :1], (1, 1), 'SAME', feature_group_count=2) | ValueError | feature_group_count
lax.conv_general_dilated(x4, w4, (1, 1), 'SAME', batch_group_count=2) | ValueError | batch_group_count
lax.conv_general_dilated(x4, w4, (1, 1), 'SAME', batch_group_count=-1) | ValueError | batch_group_count
lax.conv_general_dilated(x4, w4, (1, 1), 'SAME', batch_group_count=1.0) | TypeError | batch_group_count
lax.conv_general_dilated(x4, w4[:, :1], (1, 1), 'SAME', None, None, None, 2, 2) | ValueError | batch_group_count
lax.conv_general_dilated(x4, w4, (1, 1), 'SAME', precision='a') | ValueError | precision
lax.conv_general_dilated(x4, w4, (1, 1), 'SAME', preferred_element_type='a') | TypeError | preferred_element_type
lax.conv_general_dilated(x4, w4, (1, 1), 'SAME', preferred_element_type='int32') | TypeError | preferred_element_type
lax.conv_general_dilated(x4, w4, (1, 1), 'SAME', preferred_element_type='float16') | TypeError | preferred_element_type
lax.conv('a', w4, (1, 1), 'SAME') | TypeError | lhs
lax.conv(x4, w4, (1, 1), 'a') | ValueError | padding
lax.conv(x4, w4[:, :1], (1, 1), 'SAME') | ValueError | rhs
lax.conv_with_general_padding(x4, 'a', (1, 1), 'SAME', None, None) | TypeError | rhs
lax.conv_with_general_padding(x4, w4, (1, 1), 'SAME', (1,), None) | ValueError | lhs_dilation
lax.conv_transpose('a', w4, (1, 1), 'SAME') | TypeError | lhs
lax.conv_transpose(x4, w4, (1, 1), 'a') | ValueError | padding
lax.conv_transpose(x4, w4, (1, 1), 'SAME_LOWER') | ValueError | padding
lax.conv_transpose(x4, w4, 2, 'SAME') | TypeError | strides
lax.conv_transpose(x4, w4, (2,), 'SAME') | ValueError | strides
lax.conv_transpose(x4, w4, (2, 2), 'SAME') | ValueError | rhs
lax.conv_transpose(jnp.ones((1,) * 6), jnp.ones((1,) * 6), (2,) * 4, 'SAME') | ValueError | dimension_numbers
lax.conv_general_dilated_patches('a', (2, 2), (1, 1), 'SAME') | TypeError | lhs
lax.conv_general_dilated_patches(x4, (2,), (1, 1), 'SAME') | ValueError | filter_shape
lax.conv_general_dilated_patches(x4, 2, (1, 1), 'SAME') | TypeError | filter_shape
lax.conv_general_dilated_patches(x4, (2, 2), (1, 1), 'a') | ValueError | padding
lax.conv_general_dilated_local(x4, 'a', (1, 1), 'SAME', (2, 2)) | TypeError | rhs
lax.conv_general_dilated_local(x4, w4, (1, 1), 'SAME', (2, 2)) | ValueError | rhs
lax.conv_dimension_numbers((1, 2, 3), (1, 2), None) | TypeError | rhs
lax.conv_dimension_numbers((1, 2, 3), (1, 2, 3), 5) | TypeError | dimension_numbers
lax.conv_general_permutations('NHWC') | TypeError | dimension_numbers
lax.conv_general_permutations(('NHC', 'HIX', 'NHC')) | TypeError | dimension_numbers
lax.conv_shape_tuple((1, 2, 3), (1, 2, 3), (1,), 'a') | ValueError | padding
lax.conv_shape_tuple((1, 2, 3), (1, 2, 3), (1,), 'SAME', 2) | ValueError | batch_group_count
lax.conv_general_shape_tuple((1, 2, 3), (1, 2, 3), (1, 1), 'SAME', None) | ValueError | window_strides
lax.conv_transpose_shape_tuple((1, 2, 3), (1, 2, 3), (1,), 'a', None) | ValueError | padding
nn.conv.init(3, 2, 2, 3) | TypeError | key
nn.conv.init(k, 'a', 2, 3) | TypeError | in_features
nn.conv.init(k, 2, 1.5, 3) | TypeError | out_features
nn.conv.init(k, 2, 2, 'a') | TypeError | kernel_size
nn.conv.init(k, 2, 2, (3, 0)) | ValueError | kernel_size
nn.conv.init(k, 3, 4, 3, feature_group_count=2) | ValueError | feature_group_count
nn.conv.init(k, 2, 2, 3, dtype='a') | TypeError | dtype
nn.conv.apply(x, x) | TypeError | params
nn.conv.apply({'bias': x}, x) | ValueError | kernel
nn.conv.apply({'kernel': x}, x) | ValueError | kernel
nn.conv.apply(nn.conv.init(k, 4, 2, 3), 'a') | TypeError | x
nn.conv.apply(nn.conv.init(k, 4, 2, 3), x) | ValueError | x
nn.conv.apply(nn.conv.init(k, 3, 2, 3), m) | ValueError | x
nn.conv.apply(nn.conv.init(k, 4, 2, 3), m, strides='a') | TypeError | strides
nn.conv.apply(nn.conv.init(k, 4, 2, 3), m, strides=(1, 1)) | ValueError | strides
nn.conv.apply(nn.conv.init(k, 4, 2, 3), m, kernel_dilation=0) | ValueError | kernel_dilation
nn.conv.apply(nn.conv.init(k, 4, 2, 3), m, feature_group_count='a') | TypeError | feature_group_count
nn.conv.apply({'kernel': jnp.ones((2, 2, 3))}, m, feature_group_count=2) | ValueError | feature_group_count
nn.conv_transpose.init(k, 2, 2, 'a') | TypeError | kernel_size
nn.conv_transpose.apply(x, m) | TypeError | params
nn.conv_transpose.apply({'kernel': x}, x) | ValueError | kernel
nn.conv_transpose.apply(nn.conv.init(k, 3, 2, 3), m) | ValueError | x
nn.conv_transpose.apply(nn.conv.init(k, 4, 2, 3), m, strides=-1) | ValueError | strides
nn.max_pool('a', 2) | TypeError | inputs
nn.max_pool(m, 'a') | TypeError | window_shape
nn.max_pool(m, (2, 2, 2)) | ValueError | inputs
nn.max_pool(m, 2, (1, 1)) | ValueError | strides
nn.max_pool(m, 2, 0) | ValueError | strides
nn.max_pool(m, 2, padding='a') | ValueError | padding
nn.max_pool(m, 2, padding=1.5) | TypeError | padding
nn.max_pool(m, 2, padding=((1, 1), (0, 0))) | ValueError | padding
nn.max_pool(jnp.ones((3, 4), 'complex64'), 2) | TypeError | inputs
nn.min_pool(k, 2) | ValueError | inputs
nn.avg_pool(m, 2.5) | TypeError | window_shape
nn.pool(m, 0.0, 3, 2) | TypeError | reduce_fn
nn.pool(m, 'a', lax.add, 2) | TypeError | init
"""
