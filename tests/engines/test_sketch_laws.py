"""The laws of the sketch engine: what affects its frames, how far, and what does not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load, save
from tests.engines.studio import SMALL, SketchStudio

from genlock.engines.media import decoded
from genlock.engines.metrics import ssim
from genlock.engines.model import Rendered
from genlock.engines.pictures import Pixels, fit, png_of, read_picture
from genlock.engines.sketch.drawings import DRAWINGS
from genlock.engines.sketch.fixed import Floats
from genlock.engines.sketch.network import Network
from genlock.engines.sketch.noise import noise
from genlock.engines.sketch.picture import Motion
from genlock.engines.sketch.prompt import embed, tokens_of
from genlock.engines.sketch.sampler import Sampling, frames_of
from genlock.engines.sketch.weights import MAX_WEIGHT, SHAPES, Weights, read_lora, read_model

SEEDS = st.integers(min_value=0, max_value=2**64 - 1)
PROMPTS = st.text(max_size=60)


def draw(weights: Weights, start: Pixels, prompt: str = "a walk", negative: str = "", **changes: Any) -> list[Pixels]:
    """Return frames directly from the network, before any compression."""
    motion = Motion(changes.pop("motion", 1.0), changes.pop("amount", 0.2), changes.pop("blur", 1))
    parameters: dict[str, Any] = {
        "seed": 1,
        "steps": 2,
        "cfg": 4.0,
        "sampler": "euler",
        "scheduler": "linear",
        "denoise": 1.0,
        "frames": 2,
        "still": False,
        **changes,
    }
    sampling = Sampling(motion=motion, **parameters)
    prompts = embed(weights, tokens_of(prompt)), embed(weights, tokens_of(negative))
    return list(frames_of(Network(weights), start, *prompts, sampling, lambda: None))


def same(frames: list[Pixels], others: list[Pixels]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(frames, others, strict=True))


def wild(seed: int, scale: float) -> Weights:
    """Return random weights: from static to saturated."""
    random = np.random.Generator(np.random.Philox(key=seed))
    drawn = {name: random.standard_normal(shape) * scale for name, shape in SHAPES.items()}
    return Weights({name: np.clip(tensor, -MAX_WEIGHT, MAX_WEIGHT) for name, tensor in drawn.items()})


@pytest.fixture(scope="module")
def tiny(samples: Path) -> Weights:
    return read_model((samples / "tiny_v1.safetensors").read_bytes(), "tiny")


@pytest.fixture(scope="module")
def start() -> Pixels:
    return fit(DRAWINGS["portrait_v1.png"](), 64, 64)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, prompt=PROMPTS)
def test_strength_zero_equals_no_lora_bit_for_bit(
    tiny: Weights, start: Pixels, samples: Path, seed: int, prompt: str
) -> None:
    lora = read_lora((samples / "rain_v1.safetensors").read_bytes(), "rain")
    merged = tiny.with_lora(lora, 0.0, 0.0)
    assert all(np.array_equal(merged.tensors[name], tiny.tensors[name]) for name in SHAPES)
    assert same(draw(merged, start, prompt, seed=seed), draw(tiny, start, prompt, seed=seed))


async def test_strength_zero_equals_no_lora_in_the_files(sketch: SketchStudio, samples: Path) -> None:
    without = await sketch.render()
    zero = await sketch.render(loras=((samples / "rain_v1.safetensors", 0.0), (samples / "glow_v1.safetensors", -0.0)))
    assert without.outputs["video"].path.read_bytes() == zero.outputs["video"].path.read_bytes()


@pytest.mark.parametrize("name", ["rain", "glow", "grain"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_difference_shrinks_with_the_strength(
    tiny: Weights, start: Pixels, samples: Path, name: str, sign: float
) -> None:
    lora = read_lora((samples / f"{name}_v1.safetensors").read_bytes(), name)
    without = draw(tiny, start)[-1].astype(np.float64)

    def distance(strength: float) -> float:
        merged = tiny.with_lora(lora, sign * strength, sign * strength)
        return float(np.abs(draw(merged, start)[-1] - without).mean())

    distances = [distance(strength) for strength in (0.2, 0.08, 0.03, 0.01, 0.003, 1e-6)]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 0.5
    assert distances[-1] < 0.01


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, prompt=PROMPTS, negative=PROMPTS)
def test_at_cfg_one_the_negative_prompt_has_no_effect(
    tiny: Weights, start: Pixels, seed: int, prompt: str, negative: str
) -> None:
    guided = draw(tiny, start, prompt, negative, cfg=1.0, seed=seed)
    assert same(guided, draw(tiny, start, prompt, "", cfg=1.0, seed=seed))


def test_above_cfg_one_the_negative_prompt_has_an_effect(tiny: Weights, start: Pixels) -> None:
    assert not same(draw(tiny, start, negative="fog"), draw(tiny, start, negative=""))


def test_at_cfg_zero_only_the_negative_prompt_has_an_effect(tiny: Weights, start: Pixels) -> None:
    assert same(draw(tiny, start, "rain", "fog", cfg=0.0), draw(tiny, start, "sun", "fog", cfg=0.0))


@settings(max_examples=25, deadline=None)
@given(prompt=PROMPTS, other=PROMPTS)
def test_different_prompts_have_different_embeddings(tiny: Weights, prompt: str, other: str) -> None:
    assert (prompt == other) == np.array_equal(embed(tiny, tokens_of(prompt)), embed(tiny, tokens_of(other)))


def test_the_empty_prompt_has_a_zero_embedding(tiny: Weights) -> None:
    assert not embed(tiny, tokens_of("")).any()


@settings(max_examples=30, deadline=None)
@given(key=SEEDS, seed=SEEDS, scale=st.sampled_from([0.05, 0.3, 2.0, 100.0]), cfg=st.sampled_from([1.0, 4.0, 30.0]))
def test_the_first_frame_resembles_the_start_whatever_the_weights(
    start: Pixels, key: int, seed: int, scale: float, cfg: float
) -> None:
    first = draw(wild(key, scale), start, seed=seed, cfg=cfg, motion=4.0, amount=1.0)[0]
    assert ssim(first, start) >= 0.5


@pytest.mark.parametrize("picture", sorted(DRAWINGS))
async def test_the_first_frame_resembles_the_start_in_the_video(
    sketch: SketchStudio, samples: Path, picture: str
) -> None:
    result = await sketch.render(
        starts={"variant": samples / picture}, loras=((samples / "rain_v2.safetensors", 1.0),), width=192, height=192
    )
    first = next(decoded(result.outputs["video"].path))
    assert ssim(first, fit(DRAWINGS[picture](), 192, 192)) >= 0.5


def test_the_first_frame_resembles_flat_and_noisy_pictures() -> None:
    random = np.random.Generator(np.random.Philox(key=7))
    noisy = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for picture in (noisy, np.zeros_like(noisy), np.full_like(noisy, 255)):
        assert ssim(draw(wild(3, 2.0), picture, amount=1.0)[0], picture) >= 0.5


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, prompt=PROMPTS)
def test_zeroed_weights_give_the_start_image_untouched(start: Pixels, seed: int, prompt: str) -> None:
    nothing = Weights({name: np.zeros(shape) for name, shape in SHAPES.items()})
    frames = draw(nothing, start, prompt, seed=seed, motion=4.0, amount=1.0)
    assert all(np.array_equal(frame, start) for frame in frames)


async def test_zeroed_weights_give_the_known_picture_in_the_files(
    sketch: SketchStudio, samples: Path, tmp_path: Path
) -> None:
    zeroed = tmp_path / "zero.safetensors"
    zeroed.write_bytes(save({name: np.zeros(shape, dtype=np.float32) for name, shape in SHAPES.items()}))
    result = await sketch.render(model=zeroed)
    last = read_picture(result.outputs["last_frame"].path.read_bytes(), "last frame")
    assert np.array_equal(last, fit(DRAWINGS["portrait_v1.png"](), 64, 64))

    graph = json.loads((samples / "walk_v1.json").read_bytes())
    del graph["3"], graph["6"]["inputs"]["start_image"]
    grey = await sketch.render(graph=json.dumps(graph).encode(), model=zeroed, starts={})
    last = read_picture(grey.outputs["last_frame"].path.read_bytes(), "last frame")
    assert np.array_equal(last, np.full((64, 64, 3), 128, dtype=np.uint8)), "without a start image: middle grey"


def test_without_noise_the_seed_has_no_effect(tiny: Weights, start: Pixels) -> None:
    assert same(draw(tiny, start, seed=1, denoise=0.0), draw(tiny, start, seed=2, denoise=0.0))
    assert not same(draw(tiny, start, seed=1), draw(tiny, start, seed=2))


def test_noise_has_mean_zero_and_deviation_one() -> None:
    drawn = noise(5, 0, (64, 64, 8))
    assert abs(float(drawn.mean())) < 0.02
    assert abs(float(drawn.std()) - 1.0) < 0.02
    assert not np.array_equal(drawn, noise(5, 1, (64, 64, 8)))


async def test_every_input_affects_the_frames(sketch: SketchStudio, samples: Path) -> None:
    rain, rain_2, glow = (samples / f"{name}.safetensors" for name in ("rain_v1", "rain_v2", "glow_v1"))
    results: dict[str, Rendered] = {
        "as it is": await sketch.render(loras=((rain, 0.8),)),
        "prompt": await sketch.render(loras=((rain, 0.8),), prompt="a run"),
        "prompt, only a comma more": await sketch.render(loras=((rain, 0.8),), prompt="a, walk"),
        "negative prompt": await sketch.render(loras=((rain, 0.8),), negative_prompt="fog"),
        "seed": await sketch.render(loras=((rain, 0.8),), seed="2"),
        "cfg": await sketch.render(loras=((rain, 0.8),), cfg=4.5),
        "steps": await sketch.render(loras=((rain, 0.8),), steps=3),
        "sampler": await sketch.render(loras=((rain, 0.8),), sampler="heun"),
        "scheduler": await sketch.render(loras=((rain, 0.8),), scheduler="quadratic"),
        "denoise": await sketch.render(loras=((rain, 0.8),), denoise=0.5),
        "width": await sketch.render(loras=((rain, 0.8),), width=68),
        "frames": await sketch.render(loras=((rain, 0.8),), frames=6),
        "no lora": await sketch.render(),
        "strength": await sketch.render(loras=((rain, 0.7),)),
        "other weights": await sketch.render(loras=((rain_2, 0.8),)),
        "another lora": await sketch.render(loras=((glow, 0.8),)),
        "two loras": await sketch.render(loras=((rain, 0.8), (glow, 0.8))),
        "the same lora twice": await sketch.render(loras=((rain, 0.8), (rain, 0.8))),
        "model": await sketch.render(loras=((rain, 0.8),), model=samples / "tiny_v2.safetensors"),
        "start image": await sketch.render(loras=((rain, 0.8),), starts={"variant": samples / "clothed_v1.png"}),
    }
    graph = json.loads((samples / "walk_v1.json").read_bytes())
    for name, value in {"motion": 1.5, "amount": 0.3, "blur": 3, "palette": "dusk"}.items():
        changed = json.loads(json.dumps(graph))
        changed["6"]["inputs"][name] = value
        results[name] = await sketch.render(graph=json.dumps(changed).encode(), loras=((rain, 0.8),))
    digests = [result.frames_digest for result in results.values()]
    assert len(set(digests)) == len(digests), f"some of {list(results)} made the same frames"


async def test_labels_and_layout_do_not_affect_the_frames(sketch: SketchStudio, samples: Path) -> None:
    first = await sketch.render(loras=((samples / "rain_v1.safetensors", 0.8),))
    relabelled = await sketch.render(loras=((samples / "rain_v1_relabelled.safetensors", 0.8),))
    rearranged = await sketch.render(
        graph=(samples / "walk_v1_moved.json").read_bytes(), loras=((samples / "rain_v1.safetensors", 0.8),)
    )
    labelled = await sketch.render(loras=((samples / "rain_v1.safetensors", 0.8),), resolution_tier="tiny")
    others = (relabelled, rearranged, labelled)
    assert {result.frames_digest for result in others} == {first.frames_digest}
    assert "resolution_tier" not in labelled.parameters


def test_loras_add_up_in_any_order(tiny: Weights, samples: Path) -> None:
    rain, glow = (read_lora((samples / f"{name}_v1.safetensors").read_bytes(), name) for name in ("rain", "glow"))
    first = tiny.with_lora(rain, 0.5, 0.5).with_lora(glow, 0.25, 0.25)
    other = tiny.with_lora(glow, 0.25, 0.25).with_lora(rain, 0.5, 0.5)
    assert all(np.allclose(first.tensors[name], other.tensors[name], atol=1e-12) for name in SHAPES)


def test_a_lora_is_low_rank(samples: Path) -> None:
    for delta in read_lora((samples / "rain_v1.safetensors").read_bytes(), "rain"):
        flat: Floats = delta.change.reshape(delta.change.shape[0], -1)
        assert int(np.linalg.matrix_rank(flat)) <= 4


async def test_strength_clip_affects_only_the_text_layers(tiny: Weights, samples: Path) -> None:
    lora = read_lora((samples / "rain_v1.safetensors").read_bytes(), "rain")
    merged = tiny.with_lora(lora, 0.0, 1.0)
    changed = {name for name in SHAPES if not np.array_equal(merged.tensors[name], tiny.tensors[name])}
    assert changed == {"text.projection.weight"}


async def test_half_precision_weights_are_read(sketch: SketchStudio, samples: Path, tmp_path: Path) -> None:
    loaded: dict[str, NDArray[Any]] = load((samples / "tiny_v1.safetensors").read_bytes())
    halved = tmp_path / "half.safetensors"
    halved.write_bytes(save({name: tensor.astype(np.float16) for name, tensor in loaded.items()}))
    full, half = await sketch.render(), await sketch.render(model=halved)
    pictures = [read_picture(result.outputs["last_frame"].path.read_bytes(), "frame") for result in (full, half)]
    assert ssim(pictures[0], pictures[1]) > 0.9


async def test_any_size_of_start_image_is_fitted(sketch: SketchStudio, tmp_path: Path) -> None:
    wide = tmp_path / "wide.png"
    wide.write_bytes(png_of(fit(DRAWINGS["street_v1.png"](), 300, 40)))
    result = await sketch.render(starts={"source_image": wide}, width=96)
    assert {item.role for item in result.inputs} == {"workflow", "model", "source_image"}
    assert result.parameters["width"] == 96
    assert result.parameters["height"] == SMALL["height"]
