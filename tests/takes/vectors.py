"""The test vectors of the receipt format: ``python -m tests.takes.vectors`` writes them.

Each is a claim with the facts it was resolved with. The result, and every digest, can be checked by a program in
another language with only SHA-256 and RFC 8785.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.takes.stage import PARAMETERS, digest_for

from genlock.digest import canonical, digest_of
from genlock.model import InputRole, Kind
from genlock.takes import receipt as doc
from genlock.takes.claim import Claim, Output
from genlock.takes.claim_resolution import AssetFact, ContentFact, Facts, FrameFact, resolve
from genlock.takes.receipt import Input, Subject, compose

FILE = Path(__file__).parents[2] / "docs" / "reference" / "receipt-vectors.json"


_ASSETS = {
    1: (Kind.SOURCE_IMAGE, "portrait"),
    2: (Kind.VARIANT, "clothed"),
    3: (Kind.LORA, "rain"),
    4: (Kind.WORKFLOW, "walk"),
    5: (Kind.MODEL, "tiny"),
}
_CONTENTS = [
    ContentFact(
        id=asset, asset_id=asset, digest=digest_for(name), effective_digest=digest_for(f"{name}, effective"), version=1
    )
    for asset, (_, name) in _ASSETS.items()
]
# The second version of the LoRA is another file with the same weights.
_CONTENTS.append(
    ContentFact(
        id=6,
        asset_id=3,
        digest=digest_for("rain, other metadata"),
        effective_digest=digest_for("rain, effective"),
        version=2,
    )
)


def _line(role: InputRole, asset: int) -> Input:
    content = next(fact for fact in _CONTENTS if fact.asset_id == asset)
    kind, name = _ASSETS[asset]
    return Input(
        role=role,
        ordinal=0,
        kind=kind.value,
        asset=asset,
        name=name,
        version=1,
        digest=content.digest,
        effective_digest=content.effective_digest,
    )


FACTS = Facts(
    assets={asset: AssetFact(id=asset, kind=kind, name=name) for asset, (kind, name) in _ASSETS.items()},
    refs={f"{kind.value}:{name}": asset for asset, (kind, name) in _ASSETS.items()},
    versions={(fact.asset_id, fact.version): fact for fact in _CONTENTS if fact.version is not None},
    contents={(fact.asset_id, fact.digest): fact for fact in _CONTENTS},
    frames={
        11: FrameFact(
            take_id=11,
            segment_id=7,
            parts={"video": digest_for("first video"), "last_frame": digest_for("first frame")},
            origins=(_line(InputRole.VARIANT, 2), _line(InputRole.SOURCE_IMAGE, 1)),
        )
    },
    source_images={(2, 1): (_line(InputRole.SOURCE_IMAGE, 1),)},
)
_ENGINE = {"name": "sketch", "version": "1.0"}
_WHOLE: list[Mapping[str, Any]] = [
    {"role": "workflow", "asset": "workflow:walk", "version": 1},
    {"role": "model", "asset": "model:tiny", "version": 1},
    {"role": "lora", "asset": "lora:rain", "version": 1, "strength_model": 0.8},
]
_VARIANT = {"role": "variant", "asset": "variant:clothed", "version": 1}
_OUTPUTS = {
    "video": {"digest": digest_for("a video"), "media_type": "video/mp4", "size_bytes": 4096},
    "last_frame": {"digest": digest_for("a frame"), "media_type": "image/png", "size_bytes": 1024},
}
_SEGMENT = {"segment": 7, "take": 1}
_CASES: list[dict[str, Any]] = [
    {
        "name": "the least that can be said",
        "why": "Absent fields are left out, never null; what a complete receipt would have is listed in missing.",
        "claim": {"engine": {"name": "someone's engine"}},
        "outputs": {},
    },
    {
        "name": "a first segment",
        "why": "The variant brings the source image it was made from, which stays out of the inputs digest.",
        "claim": {"engine": _ENGINE, "inputs": [*_WHOLE, _VARIANT], "parameters": PARAMETERS},
    },
    {
        "name": "a chained segment",
        "why": "The seed frame brings the variant and the source image that its chain started from.",
        "claim": {
            "engine": _ENGINE,
            "inputs": [*_WHOLE, {"role": "seed_frame", "take": 11}],
            "parameters": PARAMETERS,
        },
        "subject": {"segment": 8, "take": 3},
    },
    {
        "name": "an equivalent version",
        "why": "Other bytes and another number with the same effective digest: the inputs digest of a first segment.",
        "claim": {
            "engine": _ENGINE,
            "inputs": [*_WHOLE[:2], {**_WHOLE[2], "version": 2}, _VARIANT],
            "parameters": PARAMETERS,
        },
    },
    {
        "name": "one LoRA twice",
        "why": "Two inputs with ordinals of their own. Sorted by role and ordinal for the inputs digest alone.",
        "claim": {
            "engine": _ENGINE,
            "inputs": [
                {**_WHOLE[2], "ordinal": 4, "strength_clip": 0},
                {**_WHOLE[2], "strength_model": -0.25},
                *_WHOLE[:2],
                _VARIANT,
            ],
            "parameters": PARAMETERS,
        },
    },
    {
        "name": "a file nobody registered",
        "why": "No version and no effective digest: the digest itself stands in the inputs digest.",
        "claim": {
            "engine": _ENGINE,
            "inputs": [
                *_WHOLE[:2],
                {"role": "lora", "asset": "lora:rain", "digest": digest_for("rain, edited"), "strength_model": 1},
                {"role": "vae", "digest": digest_for("a vae"), "name": "vae.safetensors"},
                _VARIANT,
            ],
            "parameters": PARAMETERS,
        },
    },
    {
        "name": "numbers",
        "why": "The largest seed is exact because it is a string; RFC 8785 writes numbers as ECMAScript does.",
        "claim": {
            "engine": _ENGINE,
            "inputs": [*_WHOLE, _VARIANT],
            "parameters": {
                **PARAMETERS,
                "seed": "18446744073709551615",
                "cfg": 4.0,
                "denoise": 1e-7,
                "fps": 23.976,
                "shift": 1e21,
                "scale": 0.1,
                "drift": -0.0,
                "loop": True,
                "offset": -9007199254740991,
            },
        },
    },
    {
        "name": "text of every kind",
        "why": "Nothing is normalised; keys are sorted by UTF-16 code units, which differs from code points here.",
        "claim": {
            "engine": {
                **_ENGINE,
                "environment": {"\ufb01": 1, "\U0001f600": 2, "a": {"ö": 1, "o\u0308": 2}, "node_packs": ["b", "a"]},
            },
            "inputs": [*_WHOLE, _VARIANT],
            "parameters": {
                **PARAMETERS,
                "prompt": 'שלום «مطر» 😀\t"quoted"\\ \u2028\u0007\u007f\n',
                "sampler": "Ölspur",
            },
        },
    },
    {
        "name": "everything around it",
        "why": "Observations, graph, recorder and what it replaces are in the receipt and not in the inputs digest.",
        "claim": {
            "engine": {**_ENGINE, "environment": {"python": "3.11.7", "device": "cpu"}},
            "inputs": [*_WHOLE, _VARIANT],
            "parameters": {**PARAMETERS, "resolution_tier": "my own"},
            "graph": digest_for("a graph"),
            "observed": {
                "started_at": "2026-01-01T10:00:00Z",
                "finished_at": "2026-01-01T10:00:02.500000Z",
                "duration_s": 2.5,
                "per_node_s": {"3": 2.25, "10": 0.25},
                "worker": "gpu-1",
            },
            "recorder": {"name": "genlock-worker", "version": "0.1.0"},
            "evidence": "matched_by_digest",
            "regenerates": {
                "receipt": digest_for("the receipt before"),
                "causes": [{"kind": "superseded", "asset_id": 3}],
            },
            "note": "the second try",
        },
        "graph": digest_for("a graph"),
    },
    {
        "name": "a generated version",
        "why": "The subject is a version of an asset; it makes an image, so frames are not asked for.",
        "claim": {
            "engine": _ENGINE,
            "inputs": [*_WHOLE, {"role": "source_image", "asset": "source_image:portrait", "version": 1}],
            "parameters": {name: value for name, value in PARAMETERS.items() if name != "frames"},
        },
        "outputs": {"image": {"digest": digest_for("an image"), "media_type": "image/png", "size_bytes": 2048}},
        "subject": {"asset": 2, "version": 2},
    },
]


def digested_inputs(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the input of the inputs digest, from a receipt's document alone, as defined."""
    lines: list[dict[str, Any]] = []
    for line in sorted(document["inputs"], key=lambda line: (line["role"], line["ordinal"])):
        if "via" not in line:
            settings = {name: line[name] for name in ("strength_model", "strength_clip", "part") if name in line}
            effective = line.get("effective_digest", line.get("digest"))
            digest = {} if effective is None else {"effective_digest": effective}
            lines.append({"role": line["role"], "ordinal": line["ordinal"], **digest, **settings})
    parameters = {name: value for name, value in document["parameters"].items() if name != "resolution_tier"}
    return {"engine": document["engine"]["name"], "inputs": lines, "parameters": parameters}


def vector(case: Mapping[str, Any]) -> dict[str, Any]:
    """Return a case with its result in Genlock."""
    claim = Claim.model_validate(case["claim"])
    outputs = {part: Output.model_validate(output) for part, output in case.get("outputs", _OUTPUTS).items()}
    uploaded = {part: output.digest for part, output in outputs.items()}
    claimed = doc.claim_digest(claim, uploaded)
    subject = Subject.model_validate(case.get("subject", _SEGMENT))
    inputs = resolve(claim, FACTS, subject.segment)
    composed = compose(1, subject, claim, inputs, outputs, case.get("graph"), claim_digest=claimed)
    document = json.loads(composed.document)
    return {
        "name": case["name"],
        "why": case["why"],
        "claim": {"claim": claim.canonical(), "parts": uploaded},
        "claim_canonical": canonical({"claim": claim.canonical(), "parts": uploaded}).decode(),
        "claim_digest": claimed,
        "document": document,
        "document_canonical": composed.document.decode(),
        "receipt_digest": digest_of(composed.document),
        "inputs": digested_inputs(document),
        "inputs_canonical": canonical(digested_inputs(document)).decode(),
        "inputs_digest": composed.inputs_digest,
    }


def written() -> str:
    """Return the expected content of the vectors file."""
    about = "Receipts of Genlock, format genlock.receipt/1. Digests are SHA-256 of the canonical text in UTF-8."
    vectors = [vector(case) for case in _CASES]
    return json.dumps({"about": about, "vectors": vectors}, indent=2, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(written())
