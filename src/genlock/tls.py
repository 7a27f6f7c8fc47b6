"""Whether a client has to load certificates: that takes longer than most requests, and plain HTTP has none. Pure."""


def needs_certificates(url: str) -> bool:
    """Return what ``verify`` of an HTTP client should be for the servers at ``url``."""
    return url.lower().startswith("https:")
