"""Seeded faults: each must be caught by the state machine, or the state machine proves too little."""
