"""Finds an engine by the name that receipts and requests use."""

from collections.abc import Callable, Iterable, Mapping

from genlock.engines.comfyui import engine as comfyui
from genlock.engines.comfyui.staging import Staging
from genlock.engines.model import Engine, Offer
from genlock.engines.sketch import engine as sketch
from genlock.errors import NotFound, Unavailable
from genlock.settings import Settings


def _comfyui(settings: Settings) -> Engine:
    if settings.comfyui_url is None:
        raise Unavailable(
            "It is not known where ComfyUI is.", hint="Set GENLOCK_COMFYUI_URL for this worker.", code="no_comfyui"
        )
    folder = settings.comfyui_folder
    staging = None if folder is None else Staging(folder, settings.comfyui_staging_bytes)
    return comfyui.ComfyUIEngine(settings.comfyui_url, staging, secret=settings.comfyui_secret)


def _sketch(_settings: Settings) -> Engine:
    return sketch.SketchEngine()


_ENGINES: Mapping[str, tuple[Offer, Callable[[Settings], Engine]]] = {
    comfyui.OFFER.name: (comfyui.OFFER, _comfyui),
    sketch.OFFER.name: (sketch.OFFER, _sketch),
}


def engine_names() -> tuple[str, ...]:
    """The names of the engines that there are."""
    return tuple(sorted(_ENGINES))


def offer_of(name: str) -> Offer:
    """What the engine of that name understands, reached or not; ``NotFound``, with the names there are, for others."""
    return _found(name)[0]


def engine_named(name: str, settings: Settings) -> Engine:
    """A new engine of that name; ``NotFound`` for any other, ``Unavailable`` if the settings do not say where it is."""
    return _found(name)[1](settings)


def engines_here(settings: Settings, names: Iterable[str] | None = None) -> dict[str, Engine]:
    """The engines of these names; without names, all that the settings say how to reach."""
    if names is None:
        names = [name for name in engine_names() if name != comfyui.OFFER.name or settings.comfyui_url is not None]
    return {name: engine_named(name, settings) for name in names}


def _found(name: str) -> tuple[Offer, Callable[[Settings], Engine]]:
    found = _ENGINES.get(name)
    if found is None:
        raise NotFound(
            f"There is no engine {name[:80]!r}.",
            hint=f"Engines here: {', '.join(engine_names())}.",
            code="no_such_engine",
        )
    return found
