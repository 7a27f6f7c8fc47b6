"""Make only that again: plans, their steps, and the worker that renders them."""
