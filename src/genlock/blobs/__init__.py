"""The blob store: bytes addressed by their digest."""
