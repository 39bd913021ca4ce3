"""The clouds on one computer: what `make demo`, the tests and the benchmarks run against."""
