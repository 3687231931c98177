"""Repeatable measurements: `python -m benchmarks` prints a table and writes out/bench.json."""
