"""What would be rendered again: the present situation is loaded, and a draft of a plan is computed from it."""
