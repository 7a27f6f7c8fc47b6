"""The demo: Genlock's main job from beginning to end on real files, told while it happens, every figure checked."""
