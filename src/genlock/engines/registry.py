"""Finds an engine by the name that receipts and requests use."""

from collections.abc import Callable, Mapping

from genlock.engines.model import Engine
from genlock.engines.sketch.engine import SketchEngine
from genlock.errors import NotFound

_ENGINES: Mapping[str, Callable[[], Engine]] = {SketchEngine.name: SketchEngine}


def engine_names() -> tuple[str, ...]:
    """The names of the engines that this installation has."""
    return tuple(sorted(_ENGINES))


def engine_named(name: str) -> Engine:
    """A new engine of that name; ``NotFound``, with the names there are, for any other."""
    build = _ENGINES.get(name)
    if build is None:
        raise NotFound(
            f"There is no engine {name[:80]!r}.",
            hint=f"Engines here: {', '.join(engine_names())}.",
            code="no_such_engine",
        )
    return build()
