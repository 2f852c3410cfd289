"""Matrix products: kernels of our own, and calls of them and of the BLAS."""
