"""Benchmarks of Genlock: `python -m benchmarks`, described in `docs/performance.md`."""
