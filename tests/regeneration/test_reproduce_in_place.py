"""Receipts of files registered in place: run again while their bytes are available, and refused afterwards."""

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


async def test_an_overwritten_file_without_a_copy_is_refused_until_its_bytes_are_available_again(
    studio: Studio, tmp_path: Path
) -> None:
    loras = tmp_path / "models" / "loras"
    loras.mkdir(parents=True)
    rain = loras / "rain.safetensors"
    scanner = Scanner(studio.db, studio.store, [tmp_path], rest_s=REST_S)

    async def scan() -> list[tuple[str, int | None, bool]]:
        result = await scanner.scan([tmp_path], keep=False, budget_s=60)
        return [(change.outcome.value, change.version, change.replaced_gone) for change in result.changes]

    shutil.copy(studio.samples / "rain_v2.safetensors", rain)
    assert await scan() == [("created", 2, False)]
    (segment,) = await studio.shoot("A", 1)
    receipt = await receipt_of(studio, segment)
    lora = next(line for line in receipt.document["inputs"] if line["role"] == "lora")
    assert (lora["version"], studio.store.exists(lora["digest"])) == (2, False)
    assert (await reproduced(studio, receipt.id)).verdict is Verdict.IDENTICAL

    original = rain.rename(tmp_path / "aside")
    shutil.copy(studio.samples / "rain_v1.safetensors", rain)
    assert await scan() == [("exists", 1, True)]
    with pytest.raises(Conflict, match=r"lora rain v2 are gone") as refused:
        await ask(studio, receipt.id)
    assert refused.value.code == "bytes_gone"

    (loras / "old").mkdir()
    again = original.rename(loras / "old" / "rain.safetensors")
    assert await scan() == [("created", 1, False)], "beside rain it is an asset of its own, with the same bytes"
    assert (await reproduced(studio, receipt.id)).verdict is Verdict.IDENTICAL

    # Overwritten between request and run, without a scan: noticed when the inputs are staged.
    queued = await ask(studio, receipt.id)
    shutil.copy(studio.samples / "rain_v1.safetensors", again)
    await studio.work()
    async with studio.db.transaction() as conn:
        done = await reproduce_sql.get_reproduction(conn, queued.id)
    assert (done.state, done.result) == (ReproductionState.FAILED, None)
    assert done.error is not None and "was changed after it was registered" in done.error.message
    await scanner.close()
