"""Plans and their steps as rows: written, claimed, finished, each once."""
