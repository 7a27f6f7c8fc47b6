"""Plans and their steps as rows: written, claimed, concluded, finished, each once."""
