"""``genlock scan``: what is found is told in words and as JSON, by whichever way the folder can be looked into."""

from pathlib import Path

from tests.cli.conftest import Run


def test_a_folder_is_scanned_and_told(genlock: Run, slug: str, tmp_path: Path) -> None:
    loras = tmp_path / "models" / "loras"
    loras.mkdir(parents=True)
    (loras / f"{slug}.pt").write_bytes(b"rain")
    told = genlock("scan", str(tmp_path))
    assert told.code == 0, told.err
    assert "files are read here and sent" in told.err
    assert f"lora:{slug}@1 is new and active." in told.out
    assert "1 file: 1 new version, 0 unchanged." in told.out

    (loras / f"{slug}.safetensors").write_bytes(b"half")
    refused = genlock("scan", str(tmp_path), "--json")
    assert refused.code == 1
    assert [one["outcome"] for one in refused.document["news"]] == ["refused"]
    assert "cannot be a version" in refused.err
    again = genlock("scan", str(tmp_path / "models"))
    assert (again.code, "2 unchanged" in again.out) == (0, True)


def test_what_cannot_be_scanned_is_told(genlock: Run, tmp_path: Path) -> None:
    in_place = genlock("scan", str(tmp_path), "--in-place")
    assert (in_place.code, "GENLOCK_SCAN_FOLDERS" in in_place.err) == (1, True)
    assert genlock("scan", str(tmp_path / "none")).code == 1
    nothing = genlock("scan")
    assert (nothing.code, "No folder is named" in nothing.err) == (1, True)
