"""The append-only log of what happened, and the bell that says there is more of it."""
