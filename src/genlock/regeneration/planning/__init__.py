"""What would be made again: one look at the present, and a draft of a plan drawn from it."""
