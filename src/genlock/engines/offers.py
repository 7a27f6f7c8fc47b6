"""The offers of all engines by name. It imports no engine, so a receipt can be judged without one. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from genlock.engines.comfyui import offer as comfyui
from genlock.engines.model import Offer
from genlock.engines.sketch import offer as sketch
from genlock.errors import NotFound

OFFERS: Mapping[str, Offer] = MappingProxyType({offer.name: offer for offer in (comfyui.OFFER, sketch.OFFER)})


def engine_names() -> tuple[str, ...]:
    """Return the names of all engines, sorted."""
    return tuple(sorted(OFFERS))


def offer_of(name: str) -> Offer:
    """Return what an engine understands, even if it is not reachable. Raise ``NotFound`` with all names for unknown
    ones.
    """
    offer = OFFERS.get(name)
    if offer is None:
        raise NotFound(
            f"There is no engine {name[:80]!r}.",
            hint=f"Name one of these engines: {', '.join(engine_names())}.",
            code="no_such_engine",
        )
    return offer
