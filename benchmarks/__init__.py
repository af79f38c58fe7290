"""Measurements of Holdfast beside raw LMDB: `python -m benchmarks`."""
