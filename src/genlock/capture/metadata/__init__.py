"""What the files of a take say about how it was generated: texts, graphs, and what the video shows."""
