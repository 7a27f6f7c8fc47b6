"""Planning: loads the present situation and computes the draft of a plan from it."""
