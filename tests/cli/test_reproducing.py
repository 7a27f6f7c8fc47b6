"""``genlock reproduce``: the verdict as text and as JSON, and receipts that cannot be run again."""

from pathlib import Path

from tests.cli.conftest import Run, render


def test_a_receipt_is_run_again_and_the_verdict_shown(genlock: Run, film: str, samples: Path) -> None:
    assert render(genlock, f"{film}/night").code == 0
    added = genlock("asset", "add", str(samples / "rain_v2.safetensors"), "--kind", "lora", "--project", film)
    assert added.code == 0, added.err
    before = genlock("provenance", f"{film}/night/2", "--json").document

    result = genlock("reproduce", f"{film}/night/2")
    assert result.code == 0, result.err
    assert "run again by sketch: identical" in result.out
    assert "40 dB, SSIM 0.98" in result.out
    assert "are unchanged" in result.out
    twice = genlock("reproduce", f"{film}/night/2", "--take", "1", "--runs", "2", "--json").document
    assert (twice["verdict"], twice["result"]["noise"]["verdict"]) == ("identical", "identical")
    assert twice["result"]["within_noise"] is True
    assert genlock("provenance", f"{film}/night/2", "--json").document == before, "nothing else happened"

    receipt = before["receipt"]["id"]
    listed = genlock("reproductions", str(receipt), "--json").document
    assert [reproduction["verdict"] for reproduction in listed["items"]] == ["identical", "identical"]
    assert genlock("reproductions", f"{film}/night/2").out.count("identical") == 2
    queued = genlock("reproduce", str(receipt), "--no-follow")
    assert queued.code == 0 and ("queued" in queued.out or "running" in queued.out)


def test_a_receipt_that_cannot_be_run_again_is_reported(genlock: Run, film: str) -> None:
    nothing = genlock("reproduce", f"{film}/night/1")
    assert (nothing.code, "no selected take" in nothing.err) == (1, True)
    assert genlock("reproduce", "999999").code == 1
    assert genlock("reproduce", film).code == 2
    assert genlock("reproduce", "1", "--take", "2").code == 2
