"""The demo: Genlock's main job from beginning to end on real files, with every figure checked."""
