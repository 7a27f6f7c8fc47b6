"""Decides whether a client must load certificates, which takes longer than most requests. Pure."""


def needs_certificates(url: str) -> bool:
    """Return the argument ``verify`` of an HTTP client for the servers at ``url``."""
    return url.lower().startswith("https:")
