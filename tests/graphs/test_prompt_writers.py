"""Which nodes only serve to write a prompt, and that what they load is not the picture's."""

from typing import Any

from tests.capture.corpus.cases import image_to_video, named, node

from genlock.graphs.reading import read_uses


def with_writer(**changes: dict[str, Any] | None) -> dict[str, Any]:
    """Return the plain graph whose prompt a language model with its own LoRA writes; it shares the text encoder."""
    return image_to_video(
        **{
            "n5": node("CLIPTextEncode", clip=["4", 0], text=["52", 0]),
            "n50": node(
                "LoraLoader",
                **{"model": ["1", 0], "clip": ["4", 0], "lora_name": "writer.safetensors"},
                **{"strength_model": 1.0, "strength_clip": 1.0},
            ),
            "n51": named("TextGenerateLTX2Prompt", {"clip": ["50", 1], "prompt": "she walks", "image": ["53", 0]}),
            "n52": named("ComfySwitchNode", {"switch": True, "on_true": ["51", 0], "on_false": "she walks"}),
            "n53": node("LoadImage", image="mood.png"),
            "n54": named("PreviewAny", {"source": ["51", 0]}),
            **changes,
        }
    )


def roles(graph: dict[str, Any], output: str | None = None) -> dict[str, str]:
    return {file.name: file.role for file in read_uses(graph, output).files}


def test_the_lora_of_a_language_model_is_not_the_pictures() -> None:
    for output in (None, "13"):
        reading = read_uses(with_writer(), output)
        assert reading.prompt_only == {"50", "51", "53"}, "52 only passes on what it takes"
        assert reading.of_role("lora") == ()
        assert roles(with_writer(), output)["writer.safetensors"] == "other"


def test_weights_that_also_serve_the_picture_keep_their_role() -> None:
    by_name = roles(with_writer())
    assert (by_name["umt5.safetensors"], by_name["wan.safetensors"]) == ("text_encoder", "model")
    shared = with_writer(n5=node("CLIPTextEncode", clip=["50", 1], text=["52", 0]))
    assert roles(shared)["writer.safetensors"] == "lora"


def test_a_plain_graph_has_no_node_that_only_serves_a_prompt() -> None:
    assert read_uses(image_to_video()).prompt_only == frozenset()
    joined = image_to_video(
        n5=node("CLIPTextEncode", clip=["4", 0], text=["51", 0]),
        n51=node("StringConcatenate", string_a="she", string_b="walks", delimiter=" "),
    )
    assert read_uses(joined).prompt_only == {"51"}


def test_a_picture_that_only_serves_a_prompt_stays_a_picture() -> None:
    assert roles(with_writer())["mood.png"] == "source_image"
