"""Receipts of files that were registered where they lie: run again while their bytes are to be had, and not after."""

import shutil
from pathlib import Path

import pytest
from tests.regeneration.studio import Studio
from tests.regeneration.test_reproduce import ask, receipt_of, reproduced

from genlock.errors import Conflict
from genlock.regeneration.reproduction import sql as reproduce_sql
from genlock.regeneration.reproduction.model import ReproductionState, Verdict
from genlock.watching.scanner import Scanner

REST_S = 0.25


async def test_an_overwritten_file_that_was_not_kept_is_refused_until_its_bytes_are_found_again(
    studio: Studio, tmp_path: Path
) -> None:
    loras = tmp_path / "models" / "loras"
    loras.mkdir(parents=True)
    rain = loras / "rain.safetensors"
    scanner = Scanner(studio.db, studio.store, [tmp_path], rest_s=REST_S)

    async def scan() -> list[tuple[str, int | None, bool]]:
        found = await scanner.look([tmp_path], keep=False, budget_s=60)
        return [(one.outcome.value, one.version, one.replaced_gone) for one in found.news]

    shutil.copy(studio.samples / "rain_v2.safetensors", rain)
    assert await scan() == [("created", 2, False)]
    (segment,) = await studio.shoot("A", 1)
    receipt = await receipt_of(studio, segment)
    lora = next(line for line in receipt.document["inputs"] if line["role"] == "lora")
    assert (lora["version"], studio.store.exists(lora["digest"])) == (2, False)
    assert (await reproduced(studio, receipt.id)).verdict is Verdict.IDENTICAL

    kept = rain.rename(tmp_path / "aside")
    shutil.copy(studio.samples / "rain_v1.safetensors", rain)
    assert await scan() == [("exists", 1, True)]
    with pytest.raises(Conflict, match=r"lora rain v2 are gone") as refused:
        await ask(studio, receipt.id)
    assert refused.value.code == "bytes_gone"

    (loras / "old").mkdir()
    again = kept.rename(loras / "old" / "rain.safetensors")
    assert await scan() == [("created", 1, False)], "beside rain it is an asset of its own, with the same bytes"
    assert (await reproduced(studio, receipt.id)).verdict is Verdict.IDENTICAL

    # Overwritten between being asked for and being run, and nobody has scanned: noticed as it is laid out.
    asked = await ask(studio, receipt.id)
    shutil.copy(studio.samples / "rain_v1.safetensors", again)
    await studio.work()
    async with studio.db.transaction() as conn:
        done = await reproduce_sql.get_reproduction(conn, asked.id)
    assert (done.state, done.result) == (ReproductionState.FAILED, None)
    assert done.error is not None and "was changed after it was registered" in done.error.message
    await scanner.close()
