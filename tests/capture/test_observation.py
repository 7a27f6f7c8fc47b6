"""What did not act is not an input, and what was not observed is named by the receipt and lowers its evidence."""

from typing import Any

import httpx
from tests.capture.runs import digest, graph, run_record, video
from tests.capture.test_arrival import captured, get

UNSEEN = "node 4 (VHS_LoadImages): it reads the folder 'frames', and which files it reads is not observed"


def switched(decision: bool | None = None) -> dict[str, Any]:
    """Return a graph whose sampler gets one of two models through a switch; None for one that a node decides."""
    switched_graph = graph()
    switched_graph["10"] = {
        "class_type": "LoraLoaderModelOnly",
        "inputs": {"model": ["1", 0], "lora_name": "storm.safetensors", "strength_model": 1.0},
    }
    switched_graph["11"] = {
        "class_type": "ComfySwitchNode",
        "inputs": {"switch": ["12", 0] if decision is None else decision, "on_true": ["2", 0], "on_false": ["10", 0]},
    }
    if decision is None:
        switched_graph["12"] = {"class_type": "DecideByWeather", "inputs": {}}
    switched_graph["6"]["inputs"]["model"] = ["11", 0]
    return switched_graph


async def loras(client: httpx.AsyncClient) -> list[str]:
    inputs = (await get(client, "segments/1/provenance"))["receipt"]["document"]["inputs"]
    return [line["name"] for line in inputs if line["role"] == "lora"]


async def test_a_branch_that_was_not_taken_is_no_input(rooftop: httpx.AsyncClient) -> None:
    content = video()
    record = run_record(content, graph=switched(), idle_nodes=["10"], idle_inputs={"11": ["on_false"]})
    assert (await captured(rooftop, record, content))["capture"]["state"] == "recorded"
    assert await loras(rooftop) == ["rain"]


async def test_a_branch_that_acted_elsewhere_is_no_input_of_the_switch(rooftop: httpx.AsyncClient) -> None:
    content = video()
    record = run_record(content, graph=switched(), idle_inputs={"11": ["on_false"]})
    assert (await captured(rooftop, record, content))["capture"]["state"] == "recorded"
    assert await loras(rooftop) == ["rain"]


async def test_a_record_without_these_fields_counts_every_node(rooftop: httpx.AsyncClient) -> None:
    content = video()
    assert (await captured(rooftop, run_record(content, graph=switched()), content))["capture"]["state"] == "recorded"
    assert sorted(await loras(rooftop)) == ["rain", "storm.safetensors"]


async def test_a_branch_that_a_constant_rules_out_is_no_input(rooftop: httpx.AsyncClient) -> None:
    content = video()
    record = run_record(content, graph=switched(decision=False))
    assert (await captured(rooftop, record, content))["capture"]["state"] == "recorded"
    assert await loras(rooftop) == ["storm.safetensors"]


async def test_what_was_not_observed_is_named_and_the_segment_is_unknown(rooftop: httpx.AsyncClient) -> None:
    content = video()
    capture = {"version": "1", "sees": {"loads": True}, "reasons": [UNSEEN], "overhead_s": 0.001}
    assert (await captured(rooftop, run_record(content, capture=capture), content))["capture"]["state"] == "recorded"
    provenance = await get(rooftop, "segments/1/provenance")
    assert provenance["take"]["evidence"] == "matched_by_name"
    assert UNSEEN in provenance["take"]["missing"]
    assert UNSEEN in provenance["receipt"]["document"]["missing"]
    assert provenance["state"] == "unknown"
    view = await get(rooftop, "segments/1")
    assert f"missing: {UNSEEN}" in view["unknown_because"]


async def test_the_same_record_with_an_observed_file_has_the_best_evidence(rooftop: httpx.AsyncClient) -> None:
    content = video()
    record = run_record(content)
    record["files"] = [{**file, "observed": True} for file in record["files"]]
    assert (await captured(rooftop, record, content))["capture"]["state"] == "recorded"
    take = (await get(rooftop, "segments/1/provenance"))["take"]
    assert take["evidence"] == "recorded"
    assert digest("rain.safetensors v1") in str((await get(rooftop, "segments/1/provenance"))["receipt"])
