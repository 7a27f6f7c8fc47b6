"""Pathological graphs: each becomes a claim or is refused, whatever its wiring and its values."""

from typing import Any

import pytest
from tests.capture.corpus.cases import Case, Graph, image_to_video, ksampler, named, node
from tests.capture.corpus.test_corpus import claim_of

from genlock.errors import Invalid
from genlock.graphs.reading import MAX_FILES, read_uses

WEIGHTS = node("LoraLoaderModelOnly", model=["1", 0], lora_name="rain.safetensors", strength_model=0.8)
PLACES = {
    "10": ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "9": ("width", "length"),
    "12": ("fps",),
    "5": ("text",),
    "2": ("lora_name", "strength_model"),
    "8": ("image",),
    "1": ("unet_name",),
    "13": ("filename_prefix",),
}
VALUES: tuple[Any, ...] = (
    *(10**400, -(10**400), 1e308, 2**64, -1, 0, 0.1, True, None),
    *("", "\0", "x" * 100_000, " " * 100_000, "9" * 5_000, "1e5", "0" * 100_000 + "x", " " * 100_000 + "[input"),
    *([], [1, 2, 3], {}, {"a": {"b": [None]}}),
)


def _joined(count: int, *, doubled: bool) -> Graph:
    """Return a prompt joined by ``count`` nodes, each from the one before; doubled, each uses it twice."""
    graph = image_to_video(n5=node("CLIPTextEncode", clip=["4", 0], text=[f"c{count}", 0]))
    graph["c0"] = node("PrimitiveString", value="ha")
    for number in range(1, count + 1):
        before = [f"c{number - 1}", 0]
        graph[f"c{number}"] = node(
            "StringConcatenate", string_a=before, string_b=before if doubled else "!", delimiter=""
        )
    return graph


def test_a_text_that_doubles_with_every_node_is_left_unknown() -> None:
    """Sixty nodes would produce 2^60 copies of the text."""
    reading = read_uses(_joined(60, doubled=True))
    (unresolved,) = reading.unresolved
    assert (unresolved.node, unresolved.word) == ("5", "prompt") and "joined to more" in unresolved.reason


def test_a_long_chain_is_followed_to_its_end() -> None:
    """At any depth: no reader is recursive."""
    assert read_uses(_joined(1200, doubled=False)).texts_of("positive")[0].text == "ha" + "!" * 1200
    graph = image_to_video(n10=ksampler(seed=["p3000", 0]))
    graph["p0"] = node("PrimitiveInt", value=42)
    for number in range(1, 3001):
        graph[f"p{number}"] = node("PrimitiveInt", value=[f"p{number - 1}", 0])
    assert read_uses(graph).samplers[0].settings["seed"].value == 42


def test_wiring_denser_than_any_workflow_is_refused() -> None:
    """A thousand samplers that each reach a thousand conditionings."""
    graph = image_to_video()
    for number in range(1000):
        before = [f"d{number - 1}" if number else "5", 0]
        graph[f"d{number}"] = node("ConditioningCombine", conditioning_1=before, conditioning_2=["5", 0])
    for number in range(1000):
        latent = (f"k{number - 1}", 0) if number else ("9", 2)
        graph[f"k{number}"] = ksampler(positive=["d999", 0], latent=latent)
    graph["11"]["inputs"]["samples"] = ["k999", 0]
    with pytest.raises(Invalid, match=r"walk\.png has too many links"):
        read_uses(graph, name="walk.png")


def _stack(count: int) -> Graph:
    rows: dict[str, Any] = {f"lora_name_{number}": f"{number}.safetensors" for number in range(count)}
    rows |= {f"strength_{number}": number / 1000 for number in range(count)}
    return image_to_video(n2=named("Lora Stack", {"model": ["1", 0], **rows}), n10=ksampler(model=("2", 0)))


def test_more_files_than_a_receipt_holds_are_refused() -> None:
    """As many as a receipt holds are read, each with its own strength."""
    loras = read_uses(_stack(MAX_FILES - 4)).of_role("lora")
    assert [lora.strength_model and lora.strength_model.value for lora in loras] == [
        n / 1000 for n in range(len(loras))
    ]
    assert len(loras) == MAX_FILES - 4
    with pytest.raises(Invalid, match="names more than"):
        read_uses(_stack(30_000))
    prompt = " ".join(f"embedding:{number}" for number in range(30_000))
    with pytest.raises(Invalid, match="names more than"):
        read_uses(image_to_video(n5=node("CLIPTextEncode", clip=["4", 0], text=prompt)))


@pytest.mark.parametrize(("key", "name"), [(key, name) for key, names in PLACES.items() for name in names])
def test_any_value_yields_a_claim(key: str, name: str) -> None:
    """A value that a receipt cannot hold is left out, and then is missing."""
    for value in VALUES:
        graph = image_to_video(n2=WEIGHTS | {"inputs": dict(WEIGHTS["inputs"])}, n10=ksampler(model=("2", 0)))
        graph[key]["inputs"][name] = value
        _, claim = claim_of(Case("hostile", graph, (), {}), graph)
        assert len(claim.inputs) <= 5
