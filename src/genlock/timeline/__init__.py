"""The timeline: projects, scenes, ordered segments, pins."""
