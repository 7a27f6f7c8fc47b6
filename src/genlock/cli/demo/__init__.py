"""The demo: Genlock's main use from beginning to end on real files, with every figure checked."""
