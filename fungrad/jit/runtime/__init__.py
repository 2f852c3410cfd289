"""Machine code, its cache, threads and memory at run time."""
