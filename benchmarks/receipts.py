"""Receipts as Genlock writes them, generated a thousand times faster than by recording, as text."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.layout import HEIGHT, WIDTH
from benchmarks.library import Used

_ENVIRONMENT = (
    '{"device":"NVIDIA GeForce RTX 4090","flags":["--fast"],"node_packs":{"ComfyUI-KJNodes":"1.1.4",'
    '"ComfyUI-VideoHelperSuite":"1.7.3","ComfyUI-WanVideoWrapper":"1.3.0"},"python":"3.11.9","torch":"2.7.1+cu128"}'
)


@dataclass(frozen=True, slots=True)
class Line:
    """One input: a content, or a take's frame, with the strength it was used at and what it came by."""

    role: str
    ordinal: int
    content: Used | None = None
    strength: str = ""
    via: str = ""
    take_id: int = 0
    frame: str = ""  # hexadecimal digest

    @property
    def text(self) -> str:
        """The line in the receipt's document."""
        if self.content is None:
            return (
                f'{{"digest":"sha256:{self.frame}","ordinal":{self.ordinal},"part":"last_frame",'
                f'"role":"{self.role}","take":{self.take_id}}}'
            )
        used = self.content
        effective = f'"effective_digest":"sha256:{used.effective}",' if used.number else ""
        strength = f',"strength_model":{self.strength}' if self.strength else ""
        version = f',"version":{used.number}' if used.number else ""
        via = f',"via":"{self.via}"' if self.via else ""
        return (
            f'{{"asset":{used.asset_id},"digest":"sha256:{used.digest}",{effective}"kind":"{used.kind}",'
            f'"name":"{used.name}","ordinal":{self.ordinal},"role":"{self.role}"{strength}{version}{via}}}'
        )

    @property
    def determining(self) -> str:
        """The input in the document that the inputs digest is computed from."""
        if self.content is None:
            return (
                f'{{"effective_digest":"sha256:{self.frame}","ordinal":{self.ordinal},"part":"last_frame",'
                f'"role":"{self.role}"}}'
            )
        digest = self.content.effective if self.content.number else self.content.digest
        strength = f',"strength_model":{self.strength}' if self.strength else ""
        return f'{{"effective_digest":"sha256:{digest}","ordinal":{self.ordinal},"role":"{self.role}"{strength}}}'


@dataclass(frozen=True, slots=True)
class Composed:
    """A receipt's document and digests."""

    document: str
    receipt_digest: str
    inputs_digest: str
    claim_digest: str


def compose(
    segment_id: int,
    take: int,
    lines: Sequence[Line],
    prompt: str,
    seed: int,
    cfg: str,
    duration_s: str,
    missing: str,
    outputs: Sequence[tuple[str, str, str]],
) -> Composed:
    """Return the receipt of a take. ``outputs`` are (part, media type, hexadecimal digest), sorted by part."""
    inputs = ",".join([line.text for line in lines])
    cfg_field = "" if missing == "cfg" else f'"cfg":{cfg},'
    settings = (
        f'{cfg_field}"fps":16,"frames":81,"height":{HEIGHT},"negative_prompt":"blurry, watermark, text, low quality",'
        f'"prompt":"{prompt}",'
    )
    rest = f'"sampler":"uni_pc","scheduler":"simple","seed":"{seed}","shift":8,"steps":20,"width":{WIDTH}'
    output_fields = ",".join(
        [f'"{part}":{{"digest":"sha256:{digest}","media_type":"{media}"}}' for part, media, digest in outputs]
    )
    document = (
        f'{{"engine":{{"environment":{_ENVIRONMENT},"name":"comfyui","version":"0.3.50"}},"evidence":"recorded",'
        f'"inputs":[{inputs}],"missing":[{missing and chr(34) + missing + chr(34)}],'
        f'"observed":{{"duration_s":{duration_s},"worker":"render-2"}},"outputs":{{{output_fields}}},'
        f'"parameters":{{{settings}"resolution_tier":"480p",{rest}}},"recorder":{{"name":"genlock","version":"0.1.0"}},'
        f'"schema":"genlock.receipt/1","subject":{{"segment":{segment_id},"take":{take}}}}}'
    )
    own = sorted([(line.role, line.ordinal, line.determining) for line in lines if not line.via])
    determining = (
        f'{{"engine":"comfyui","inputs":[{",".join([text for _, _, text in own])}],"parameters":{{{settings}{rest}}}}}'
    )
    return Composed(
        document,
        hashlib.sha256(document.encode()).hexdigest(),
        hashlib.sha256(determining.encode()).hexdigest(),
        hashlib.sha256(f"claim {segment_id}/{take}".encode()).hexdigest(),
    )
