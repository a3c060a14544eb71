"""The cases of ``benchmarks/run.py``."""
