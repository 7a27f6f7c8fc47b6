"""Access tokens, their roles, and responses stored for idempotency keys."""
