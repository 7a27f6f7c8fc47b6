"""What we want: projects, scenes, segments in their order, pins."""
