"""Side-by-side benchmarks of fungrad and its peers; run with ``python -m benchmarks``."""
