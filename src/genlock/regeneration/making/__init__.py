"""One step at a time: its files laid out, its render watched, what came of it kept."""
