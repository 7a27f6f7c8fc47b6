"""Regeneration: plans, their steps, and the worker that renders them."""
