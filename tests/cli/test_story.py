"""The main job as commands: upload, render, activate, review, re-render what is stale, restore without rendering."""

from pathlib import Path

from tests.cli.conftest import Run, render

SEED = "18446744073709551615"


def test_stale_segments_are_rendered_and_restored(genlock: Run, film: str, samples: Path) -> None:
    ran = render(genlock, f"{film}/night")
    assert ran.code == 0, ran.err
    assert ran.out.endswith("succeeded – 3 segments rendered.\n")
    assert "3 of 3 steps done" in ran.err
    assert genlock("status", film).out == f"· {film}: nothing is out of date.\n"

    shown = genlock("provenance", f"{film}/night/3")
    for word in ("variant:clothed@1", "source_image:portrait@1", "seed_frame", SEED, "lora:rain@1", "0.8"):
        assert word in shown.out, word
    document = genlock("provenance", f"{film}/night/3", "--json").document
    assert document["receipt"]["document"]["parameters"]["seed"] == SEED

    clothed = str(samples / "clothed_v2.png")
    added = genlock("asset", "add", clothed, "--kind", "variant", "--project", film, "--no-activate")
    assert added.out == "variant:clothed@2 is new, not active.\n"
    what_if = genlock("asset", "impact", "variant:clothed@2", "--project", film)
    assert "3 segments would become stale" in what_if.out
    sentence = "3 segments in 1 scene used clothed_v1.png — you are on v2"
    assert sentence in what_if.out
    assert genlock("status", film).code == 0, "a what-if changes nothing"
    activated = genlock("asset", "activate", "variant:clothed@2", "--project", film, "--note", "prefers it")
    assert activated.out.startswith("v2 is active (was v1).\n▲ 3 segments became stale\n")
    status = genlock("status", film)
    assert (status.code, sentence in status.out) == (3, True)
    report = genlock("status", film, "--json")
    assert (report.code, report.err) == (3, "")
    assert [group["sentence"] for group in report.document["groups"]] == [sentence]

    listed = genlock("segment", "list", f"{film}/night", "--state", "stale")
    assert listed.out.count("▲ stale") == 3
    assert "clothed v1 → v2" in listed.out
    draft = genlock("plan", film, "--json").document
    assert (draft["state"], draft["totals"]["render"], len(draft["steps"])) == ("draft", 3, 3)
    assert draft["steps"][0]["substitutes"][0]["from"] == 1
    shown = genlock("plans", "show", str(draft["id"]))
    assert "night/1" in shown.out
    assert "variant clothed v1 → v2" in shown.out
    assert f"genlock plans start {draft['id']}" in shown.out
    started = genlock("plans", "start", str(draft["id"]))
    assert started.out.endswith("succeeded – 3 segments rendered.\n"), started.err
    assert genlock("status", film).code == 0

    used = genlock("usage", "variant:clothed@1", "--all", "--project", film)
    assert used.out.startswith("3 takes used variant:clothed@1.\n")
    assert genlock("usage", "variant:clothed@1", "--project", film, "--json").document["total"] == 0
    old = genlock("provenance", f"{film}/night/1", "--take", "1")
    assert old.out.startswith(f"{film}/night/1, take 1  not selected; take 2 is\n"), (
        "no state: only the selected take has one"
    )
    document = genlock("provenance", f"{film}/night/1", "--take", "1", "--json").document
    assert (document["state"], document["causes"], document["take"]["number"]) == (None, [], 1)
    listed = genlock("takes", f"{film}/night/1", "--json").document
    assert [take["number"] for take in listed["items"]] == [2, 1]
    assert "selected" in genlock("takes", f"{film}/night/1").out
    assert genlock("provenance", f"{film}/night/1", "--take", "9").code == 1

    receipts = [take["receipt_id"] for take in genlock("provenance", f"{film}/night/1", "--json").document["takes"]]
    different = genlock("diff", *(str(receipt) for receipt in sorted(receipts)))
    assert "variant:clothed@1" in different.out
    assert "variant:clothed@2" in different.out
    matches = genlock("receipts", "--seed", SEED, "--json").document["items"]
    assert set(receipts) <= {line["id"] for line in matches}

    assert genlock("asset", "activate", "variant:clothed@1", "--project", film).code == 0
    back = genlock("plan", film, "--asset", "variant:clothed", "--yes")
    assert back.out.endswith("succeeded – 3 restored without rendering.\n"), back.out
    assert genlock("asset", "history", "variant:clothed", "--project", film).out.count("prefers it") == 1


def test_equal_content_is_not_a_new_version(genlock: Run, film: str, samples: Path) -> None:
    relabelled = str(samples / "rain_v1_relabelled.safetensors")
    add = ("asset", "add", relabelled, "--kind", "lora", "--name", "rain", "--project", film)
    assert genlock(*add).out == "lora:rain@2 is new, equivalent to v1 (nothing becomes stale), now active.\n"
    assert genlock(*add).out == "lora:rain@2 has these bytes already, now active.\n"


def test_a_variant_is_rendered(genlock: Run, film: str, samples: Path) -> None:
    for kind, file in (("workflow", "dress_v1.json"),):
        genlock("asset", "add", str(samples / file), "--kind", kind, "--project", film)
    with_asset = genlock("asset", "add", str(samples / "clothed_v2.png"), "--kind", "variant", "--project", film)
    assert with_asset.code == 0
    inputs = ["--input", "workflow:dress", "--input", "model:tiny", "--input", "source_image:portrait"]
    sizes = ["--set", "seed=7", "--set", "width=64", "--set", "height=64", "--set", "steps=1"]
    ran = genlock("render", "variant:clothed", "--project", film, "--engine", "sketch", *inputs, *sizes)
    assert ran.out.endswith("succeeded – 1 version rendered.\n"), ran.err
    shown = genlock("asset", "show", "variant:clothed", "--project", film, "--json").document
    assert (shown["versions_total"], len(shown["versions"])) == (3, 3)


def test_parts_of_the_report_are_planned(genlock: Run, film: str, samples: Path) -> None:
    assert render(genlock, f"{film}/night", "--no-follow").code == 0
    running = genlock("plans", "list", film, "--json").document["items"][0]
    assert genlock("plans", "follow", str(running["id"])).code == 0
    genlock("asset", "add", str(samples / "rain_v2.safetensors"), "--kind", "lora", "--project", film)
    single = genlock("plan", film, "--segment", "night/2", "--json").document
    assert (single["totals"]["render"], single["downstream_stale"]) == (1, 0) or single["downstream_stale"] > 0
    cascade = genlock("plan", film, "--segment", f"{film}/night/2", "--cascade", "--json").document
    assert cascade["totals"]["render"] >= single["totals"]["render"]
    scene = genlock("plan", film, "--scene", "night", "--seed", "new", "--review", "--json").document
    assert (scene["review"], scene["seed"], scene["totals"]["render"]) == (True, "new", 3)
    nothing = genlock("plan", film, "--asset", "variant:clothed")
    assert (nothing.code, "Nothing in" in nothing.err) == (1, True)
    cancelled = genlock("plans", "cancel", str(scene["id"]))
    assert cancelled.code == 0, cancelled.err
    assert genlock("plans", "list", film, "--state", "cancelled").out.count("cancelled") == 1


def test_waivers_pins_and_selections_change_the_status(genlock: Run, film: str, samples: Path) -> None:
    assert render(genlock, f"{film}/night").code == 0
    genlock("asset", "add", str(samples / "rain_v2.safetensors"), "--kind", "lora", "--project", film)
    assert genlock("status", film).code == 3
    waived = genlock("waive", f"{film}/night", "lora:rain", "--reason", "not heard", "--json").document
    assert waived["total"] == 3
    status = genlock("status", film)
    assert (status.code, status.out) == (0, f"· {film}: nothing is out of date. 3 segments waived.\n")
    assert "not heard" in genlock("waivers", film).out
    assert genlock("unwaive", *(str(waiver["id"]) for waiver in waived["items"])).out == "3 waivers withdrawn.\n"
    assert genlock("status", film).code == 3
    pinned = genlock("pin", f"{film}/night", "lora:rain@1", "--reason", "approved")
    assert pinned.out == f"{film}/night is pinned to lora:rain@1, 1 behind the active version.\n"
    assert genlock("status", film).code == 0
    assert "lora:rain@1" in genlock("pins", film).out
    assert "approved" in genlock("project", "show", film).out
    assert genlock("unpin", f"{film}/night", "lora:rain").code == 0
    assert genlock("status", film).code == 3
    assert genlock("plan", film, "--yes").code == 0
    assert genlock("select", f"{film}/night/2", "1").out == f"Take 1 of {film}/night/2 is selected.\n"
    assert genlock("status", film).code == 3
