"""`jit` itself: arguments in, programs looked up, compiled and run, results out."""
