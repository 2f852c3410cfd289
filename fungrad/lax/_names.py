"""Where the names of ``fungrad.lax`` are, each in words of the module that has it.

Written by ``python -m tools.facades`` from the imports of the facade.
"""

NAMES = {
    "fungrad.control.adapters": "composite platform_dependent ragged_dot",
    "fungrad.control.associative_scan": "associative_scan",
    "fungrad.control.callbacks": "optimization_barrier optimization_barrier_p",
    "fungrad.control.cond": "cond switch",
    "fungrad.control.cond_primitive": "cond_p",
    "fungrad.control.linear_solve_primitive": "custom_linear_solve_p",
    "fungrad.control.map": "map",
    "fungrad.control.reduce_window": "reduce_window reduce_window_p",
    "fungrad.control.reduction": "reduce reduce_p",
    "fungrad.control.scan": "scan",
    "fungrad.control.scan_primitive": "scan_p",
    "fungrad.control.scatter_apply": "scatter_apply",
    "fungrad.control.solves": "custom_linear_solve custom_root",
    "fungrad.control.while_loop": "fori_loop while_loop",
    "fungrad.control.while_primitive": "while_p",
    "fungrad.lax": "linalg",
    "fungrad.lax.bit_generators": "RandomAlgorithm rng_bit_generator rng_bit_generator_p rng_uniform rng_uniform_p",
    "fungrad.lax.ragged_exchange": "ragged_all_to_all",
    "fungrad.lax.scaled_and_ragged_dot": "DotDimensionNumbers RaggedDotDimensionNumbers ragged_dot_general scaled_dot",
    "fungrad.ops._accuracy": "AccuracyMode Tolerance",
    "fungrad.ops._windows": "GatherScatterMode",
    "fungrad.ops.cast": (
        "bitcast_convert_type bitcast_convert_type_p convert_element_type convert_element_type_p copy_p full "
        "full_like reduce_precision reduce_precision_p stop_gradient stop_gradient_p"
    ),
    "fungrad.ops.collectives": "axis_index axis_index_p axis_size pmax pmax_p pmean pmin pmin_p psum psum_p",
    "fungrad.ops.compare": (
        "clamp clamp_p eq eq_p eq_to_p ge ge_p gt gt_p le le_p le_to_p lt lt_p lt_to_p max max_p min min_p ne ne_p "
        "select select_n select_n_p"
    ),
    "fungrad.ops.complex_parts": "abs abs_p complex complex_p conj conj_p imag imag_p real real_p",
    "fungrad.ops.conveniences": "broadcast_like dtype empty index_take shape_as_value stage",
    "fungrad.ops.convolution": "conv_general_dilated_p",
    "fungrad.ops.convolution_functions": (
        "conv conv_general_dilated conv_general_dilated_local conv_general_dilated_patches conv_transpose "
        "conv_with_general_padding"
    ),
    "fungrad.ops.convolution_shapes": (
        "ConvDimensionNumbers ConvGeneralDilatedDimensionNumbers conv_dimension_numbers conv_general_permutations "
        "conv_general_shape_tuple conv_shape_tuple conv_transpose_shape_tuple"
    ),
    "fungrad.ops.cumulative": (
        "cumlogsumexp cumlogsumexp_p cummax cummax_p cummin cummin_p cumprod cumprod_p cumsum cumsum_p"
    ),
    "fungrad.ops.dot": "DotAlgorithm DotAlgorithmPreset Precision batch_matmul dot dot_general dot_general_p",
    "fungrad.ops.dynamic": (
        "dynamic_index_in_dim dynamic_slice dynamic_slice_in_dim dynamic_slice_p dynamic_update_index_in_dim "
        "dynamic_update_slice dynamic_update_slice_in_dim dynamic_update_slice_p"
    ),
    "fungrad.ops.elementwise": (
        "RoundingMethod add add_p cbrt cbrt_p ceil ceil_p div div_p floor floor_p integer_pow integer_pow_p "
        "is_finite is_finite_p mul mul_p neg neg_p nextafter nextafter_p reciprocal rem rem_p round round_p rsqrt "
        "rsqrt_p sign sign_p sqrt sqrt_p square square_p sub sub_p"
    ),
    "fungrad.ops.exchanges": (
        "all_gather all_gather_p all_to_all all_to_all_p pbroadcast ppermute ppermute_p pshuffle psum_scatter "
        "pswapaxes reduce_scatter_p"
    ),
    "fungrad.ops.fft": "FftType fft fft_p",
    "fungrad.ops.foundation": (
        "broadcast_in_dim broadcast_in_dim_p reduce_sum reduce_sum_p reshape reshape_p transpose transpose_p"
    ),
    "fungrad.ops.indexing": "GatherDimensionNumbers ScatterDimensionNumbers gather gather_p scatter_add scatter_add_p",
    "fungrad.ops.integer": (
        "and_p bitwise_and bitwise_not bitwise_or bitwise_xor clz clz_p mulhi mulhi_p not_p or_p population_count "
        "population_count_p shift_left shift_left_p shift_right_arithmetic shift_right_arithmetic_p "
        "shift_right_logical shift_right_logical_p xor_p"
    ),
    "fungrad.ops.joining": "concatenate concatenate_p split split_p stack stack_p tile tile_p unstack unstack_p",
    "fungrad.ops.reduce": (
        "argmax argmax_p argmin argmin_p reduce_and reduce_and_p reduce_max reduce_max_p reduce_min reduce_min_p "
        "reduce_or reduce_or_p reduce_prod reduce_prod_p reduce_xor reduce_xor_p"
    ),
    "fungrad.ops.reduce_window": (
        "reduce_window_max_p reduce_window_min_p reduce_window_sum_p select_and_gather_add_p "
        "select_and_scatter_add_p"
    ),
    "fungrad.ops.resharding": "sharding_constraint_p",
    "fungrad.ops.scatter": (
        "scatter scatter_max scatter_max_p scatter_min scatter_min_p scatter_mul scatter_mul_p scatter_p "
        "scatter_sub scatter_sub_p"
    ),
    "fungrad.ops.shape": (
        "broadcast broadcast_shapes broadcast_to_rank broadcasted_iota collapse expand_dims index_in_dim iota "
        "iota_p pad pad_p rev rev_p slice slice_in_dim slice_p squeeze squeeze_p"
    ),
    "fungrad.ops.sliding": "padtype_to_pads reduce_window_shape_tuple",
    "fungrad.ops.sort": "approx_max_k approx_min_k sort sort_key_val sort_p top_k top_k_p",
    "fungrad.ops.special": (
        "bessel_i0e bessel_i0e_p bessel_i1e bessel_i1e_p betainc digamma digamma_p erf erf_inv erf_inv_p erf_p erfc "
        "erfc_p igamma igamma_grad_a igamma_grad_a_p igamma_p igammac igammac_p lgamma lgamma_p polygamma "
        "polygamma_p random_gamma_grad regularized_incomplete_beta_p zeta zeta_p"
    ),
    "fungrad.ops.summands": "pcast",
    "fungrad.ops.tokens": "after_all after_all_p create_token create_token_p",
    "fungrad.ops.transcendental": (
        "acos acos_p acosh acosh_p asin asin_p asinh asinh_p atan atan2 atan2_p atan_p atanh atanh_p cos cos_p cosh "
        "cosh_p exp exp2 exp2_p exp_p expm1 expm1_p log log1p log1p_p log_p logistic logistic_p pow pow_p sin sin_p "
        "sinh sinh_p tan tan_p tanh tanh_p"
    ),
    "fungrad.shards.putting": "with_sharding_constraint",
}
