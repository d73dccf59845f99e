"""Benchmarks: each is run as `python -m benchmarks.bench_<what>` and lists what it measures."""
