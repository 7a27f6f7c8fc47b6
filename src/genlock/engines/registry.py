"""Creates engines by the names that receipts and requests use."""

from collections.abc import Callable, Iterable, Mapping

from genlock.engines.comfyui.engine import ComfyUIEngine
from genlock.engines.comfyui.staging import Staging
from genlock.engines.model import Engine
from genlock.engines.offers import engine_names, offer_of
from genlock.engines.sketch.engine import SketchEngine
from genlock.errors import Unavailable
from genlock.settings import Settings


def _comfyui(settings: Settings) -> Engine:
    if settings.comfyui_url is None:
        raise Unavailable(
            "ComfyUI's URL is not configured.", hint="Set GENLOCK_COMFYUI_URL for this worker.", code="no_comfyui"
        )
    folder = settings.comfyui_folder
    staging = None if folder is None else Staging(folder, settings.comfyui_staging_bytes)
    return ComfyUIEngine(settings.comfyui_url, staging, secret=settings.comfyui_secret)


def _sketch(_settings: Settings) -> Engine:
    return SketchEngine()


_MAKERS: Mapping[str, Callable[[Settings], Engine]] = {ComfyUIEngine.name: _comfyui, SketchEngine.name: _sketch}


def engine_named(name: str, settings: Settings) -> Engine:
    """Create an engine. Raise ``NotFound`` for an unknown name, ``Unavailable`` if the settings lack its address."""
    return _MAKERS[offer_of(name).name](settings)


def configured_engines(settings: Settings, names: Iterable[str] | None = None) -> dict[str, Engine]:
    """Create the engines of these names; without names, all whose address the settings have."""
    if names is None:
        names = [name for name in engine_names() if name != ComfyUIEngine.name or settings.comfyui_url is not None]
    return {name: engine_named(name, settings) for name in names}
