"""Ratios against named peers: ``python -m benchmarks object``."""
