"""A receipt of a real ComfyUI, run again there: with overwritten files, and with another environment."""

from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from tests.client.served import Served, served
from tests.comfyui import models, workflows
from tests.comfyui.server import ComfyServer
from tests.fixtures_postgres import fresh_database

from genlock.client import Genlock
from genlock.engines.pictures import png_of
from genlock.regeneration.model import PlanState
from genlock.regeneration.reproduction.model import Comparison, Reproduction, ReproductionState, Verdict

pytestmark = pytest.mark.long
ALIKE = (Verdict.IDENTICAL, Verdict.SAME_FRAMES)
SCENE = "rain/walk"


@pytest.fixture
def genlock_server(server: ComfyServer, postgres: str, template: str, tmp_path: Path) -> Generator[Served]:
    """Start Genlock with a worker for that ComfyUI."""
    with (
        fresh_database(postgres, template) as database,
        served(
            tmp_path / "data",
            database,
            workers=1,
            comfyui_url=server.url,
            comfyui_folder=server.base,
        ) as running,
    ):
        yield running


def furnish(gl: Genlock, folder: Path) -> None:
    """Create the assets that the tiny workflow needs, and one segment."""
    folder.mkdir()
    graph, picture = folder / "walk.json", folder / "clothed.png"
    graph.write_bytes(workflows.as_file(workflows.image_to_video()))
    coarse = np.random.default_rng(5).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    picture.write_bytes(png_of(np.kron(coarse, np.ones((8, 8, 1), dtype=np.uint8)).astype(np.uint8)))
    for reference, path in {
        "workflow:walk": graph,
        "variant:clothed": picture,
        "model:tiny": models.write(folder / "tiny.safetensors", models.diffusion_model(1)),
        "vae:wan": models.write(folder / "wan.safetensors", models.vae(2)),
        "text_encoder:clip_l": models.write(folder / "clip_l.safetensors", models.text_encoder(3)),
        "lora:mara": models.write(folder / "mara.safetensors", models.lora(21)),
    }.items():
        kind, _, name = reference.partition(":")
        gl.add_version(gl.create_asset(kind, name), path)
    project = gl.create_project("rain", "Rain")
    gl.create_segments(gl.create_scene(project, "walk"), 1)


def reproduced(gl: Genlock, receipt: int, runs: int = 1) -> tuple[Reproduction, Comparison]:
    done = gl.wait_for_reproduction(gl.reproduce(receipt, runs=runs))
    assert done.state is ReproductionState.SUCCEEDED, done.error
    assert done.result is not None
    return done, done.result.comparison


def test_recorded_weights_are_used_and_environment_changes_are_listed(
    genlock_server: Served, server: ComfyServer, tmp_path: Path
) -> None:
    with genlock_server.client() as gl:
        furnish(gl, tmp_path / "files")
        references = ("workflow:walk", "model:tiny", "vae:wan", "text_encoder:clip_l", "variant:clothed")
        plan = gl.render(
            f"{SCENE}/1",
            engine="comfyui",
            inputs=[*map(gl.render_input, references), gl.render_input("lora:mara", strength_model=0.8)],
            parameters={
                "prompt": "mara walks through the rain",
                "negative_prompt": "blurry",
                "seed": "7",
                "steps": 3,
                "width": 64,
                "height": 64,
                "frames": 9,
            },
        )
        assert gl.wait_for(plan).state is PlanState.SUCCEEDED
        receipt = gl.provenance(f"{SCENE}/1").receipt
        assert receipt is not None
        gl.add_version("lora:mara", models.write(tmp_path / "files" / "mara.safetensors", models.lora(22)))

        done, comparison = reproduced(gl, receipt.id, runs=2)
        assert done.verdict in ALIKE, comparison.why
        assert done.result is not None and done.result.noise is not None
        assert done.result.noise.verdict in ALIKE and done.result.within_noise
        assert [change.name for change in done.result.surroundings] == []
        print(f"{comparison.verdict}: {comparison.why}; noise {done.result.noise.verdict}")

        # Another process, other flags, no cache: the same frames, and the flags are listed.
        server.stop()
        server.flags = ("--cache-none",)
        server.start()
        done, comparison = reproduced(gl, receipt.id)
        assert done.verdict in ALIKE, comparison.why
        assert done.result is not None
        changed = [change for change in done.result.surroundings if "--cache-none" in str(change.after)]
        assert len(changed) == 1 and "--cache-none" not in str(changed[0].before)
        print(f"{comparison.verdict}; around it differ {[change.name for change in done.result.surroundings]}")

        # Nothing else happened.
        provenance = gl.provenance(f"{SCENE}/1")
        assert provenance.receipt == receipt and len(provenance.takes) == 1
        assert [reproduction.verdict in ALIKE for reproduction in gl.reproductions(receipt)] == [True, True]
