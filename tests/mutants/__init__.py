"""Seeded faults: each must be caught by the state machine, else the state machine proves too little."""
