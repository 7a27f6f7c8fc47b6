"""The content of the demo: scenes, segments, files, and the inputs of each scene. Pure."""

from pydantic import Field

from genlock.model import MAX_SEED, Kind, Model

PORTRAIT, STREET, HARBOUR = "portrait", "street", "harbour"
CLOTHED, DUSK, HAZE = "clothed", "dusk", "haze"
WALK, DRESS, TINY, RAIN, GLOW, GRAIN = "walk", "dress", "tiny", "rain", "glow", "grain"

CLOTHED_AGAIN = "clothed_v2.png"
RAIN_RELABELLED = "rain_v1_relabelled.safetensors"

_PLACES = (
    "rooftop", "market", "crossing", "arcade", "stairs", "canal", "bridge", "station",
    "garden", "workshop", "pier", "tunnel", "balcony", "square", "lighthouse",
)  # fmt: skip
_WORDS = ("at first light", "in slow rain", "under lamps", "against the wind", "as the crowd thins")


class Upload(Model):
    """A sample file that becomes the first version of an asset."""

    kind: Kind
    name: str
    filename: str
    made_from: str | None = None

    @property
    def reference(self) -> str:
        """The asset's reference."""
        return f"{self.kind}:{self.name}"


UPLOADS = (
    Upload(kind=Kind.SOURCE_IMAGE, name=PORTRAIT, filename="portrait_v1.png"),
    Upload(kind=Kind.SOURCE_IMAGE, name=STREET, filename="street_v1.png"),
    Upload(kind=Kind.SOURCE_IMAGE, name=HARBOUR, filename="harbour_v1.png"),
    Upload(kind=Kind.VARIANT, name=CLOTHED, filename="clothed_v1.png", made_from=f"source_image:{PORTRAIT}@1"),
    Upload(kind=Kind.WORKFLOW, name=WALK, filename="walk_v1.json"),
    Upload(kind=Kind.WORKFLOW, name=DRESS, filename="dress_v1.json"),
    Upload(kind=Kind.MODEL, name=TINY, filename="tiny_v1.safetensors"),
    Upload(kind=Kind.LORA, name=RAIN, filename="rain_v1.safetensors"),
    Upload(kind=Kind.LORA, name=GLOW, filename="glow_v1.safetensors"),
    Upload(kind=Kind.LORA, name=GRAIN, filename="grain_v1.safetensors"),
)
"""The uploads before the first render; a source comes before the versions made from it."""

RENDERED = {DUSK: STREET, HAZE: HARBOUR}
"""Variants that the engine renders, and the source image of each."""


class Part(Model):
    """A scene: its start image, its LoRAs with their strengths, its prompt and its seed."""

    name: str
    variant: str
    loras: dict[str, float]
    prompt: str
    seed: str


class Cast(Model):
    """The size of the film. ``starring`` scenes, spread evenly, start from ``clothed_v1.png``."""

    scenes: int = Field(default=15, ge=1)
    segments: int = Field(default=4, ge=1)
    starring: int = Field(default=3, ge=2)

    @property
    def total(self) -> int:
        """Number of segments."""
        return self.scenes * self.segments

    @property
    def affected(self) -> int:
        """Number of segments whose picture derives from ``clothed``."""
        return self.starring * self.segments

    @property
    def untouched(self) -> int:
        """Number of all other segments."""
        return self.total - self.affected

    @property
    def parts(self) -> tuple[Part, ...]:
        """Each scene's part, in order."""
        stars = {(2 * number + 1) * self.scenes // (2 * self.starring) for number in range(self.starring)}
        return tuple(_part(number, star=number in stars) for number in range(self.scenes))


def _part(number: int, *, star: bool) -> Part:
    place, words = _PLACES[number % len(_PLACES)], _WORDS[number % len(_WORDS)]
    return Part(
        name=f"{number + 1:02d}-{place}",
        variant=CLOTHED if star else (DUSK, HAZE)[number % 2],
        loras={RAIN: 0.8, (GLOW, GRAIN)[number % 2]: 0.25 + 0.05 * (number % 5)},
        prompt=f"a walk through the {place} {words}",
        # Far above 2^53: no seed may lose digits in JSON.
        seed=str(MAX_SEED - 1013 * number),
    )
