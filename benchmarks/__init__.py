"""How fast Genlock is, measured: `python -m benchmarks`, described in `docs/performance.md`."""
