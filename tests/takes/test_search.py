"""Receipts are searched by any digest, by output, by seed and by words of the prompt."""

from typing import Any

import pytest
from tests.takes.stage import ADA, VARIANT, WHOLE, Stage, arriving, claim, digest_for, whole

from genlock.digest import Digest
from genlock.errors import Invalid
from genlock.model import Page
from genlock.takes import search_sql
from genlock.takes.claim import Output
from genlock.takes.model import ReceiptLine, RecordedIds
from genlock.takes.parts import Parts
from genlock.takes.record import Recording, record_takes


async def search_ids(stage: Stage, **criteria: Any) -> list[int]:
    """Return the ids of the matching receipts, in order."""
    page: Page[ReceiptLine] = await search_sql.search(stage.conn, **criteria)
    return [line.id for line in page.items]


async def record_some(stage: Stage) -> list[RecordedIds]:
    """Record four takes with two seeds and different words."""
    prompts = ("a walk in the rain", "rain on the roof", "a sunny roof", "the walk home in rain")
    return [
        await stage.record(
            segment,
            whole(parameters={"prompt": prompts[number], "seed": str(number % 2)}),
            {"video": f"v{number}", "last_frame": f"f{number % 2}"},
        )
        for number, segment in enumerate(stage.segments)
    ]


async def test_any_digest_of_a_receipt_finds_it(stage: Stage) -> None:
    await stage.version("rain", "rain 2", equal_to="rain 1")
    edited = {"role": "lora", "asset": "lora:fog", "digest": digest_for("edited fog"), "strength_model": 1}
    bare = {"role": "vae", "digest": digest_for("a vae nobody registered")}
    frame = {"role": "seed_frame", "digest": digest_for("a frame")}
    sent_claim = claim(*WHOLE[:2], {**WHOLE[2], "version": 2}, edited, bare, frame)
    video, graph = digest_for("video"), digest_for("graph")
    arrived = arriving(stage.segments[0], sent_claim, {"video": "video"})
    sent = Recording(stage.segments[0], sent_claim, Parts(arrived.parts.outputs, Output(digest=graph, size_bytes=5)))
    (recorded,) = await record_takes(stage.conn, [sent], ADA)
    await stage.record(stage.segments[1], claim(VARIANT, parameters={"seed": "7"}), {"video": "another"})
    receipt = await stage.receipt(recorded)
    for digest in (
        digest_for("rain 2"),  # the bytes that were used
        digest_for("rain 1"),  # the version with equal content
        digest_for("edited fog"),
        digest_for("a vae nobody registered"),
        digest_for("a frame"),
        video,
        graph,
        receipt.receipt_digest,
        receipt.inputs_digest,
        receipt.claim_digest,
    ):
        assert await search_ids(stage, digest=digest) == [recorded.receipt_id], digest
    assert await search_ids(stage, digest=digest_for("nothing")) == []
    assert await search_ids(stage, output=video) == [recorded.receipt_id]
    assert await search_ids(stage, output=digest_for("rain 2")) == []


async def test_matches_are_newest_first_in_pages(stage: Stage) -> None:
    receipt_ids = [take.receipt_id for take in await record_some(stage)]
    assert await search_ids(stage) == receipt_ids[::-1]
    digest: Digest = digest_for("tiny 1")
    for limit in (1, 2, 3, 4):
        ids: list[int] = []
        after: str | None = None
        while True:
            page = await search_sql.search(stage.conn, digest=digest, after=after, limit=limit)
            assert page.total is None
            ids += [line.id for line in page.items]
            after = page.next
            if after is None:
                break
        assert ids == receipt_ids[::-1]


async def test_a_seed_is_exact(stage: Stage) -> None:
    for segment, seed in zip(stage.segments, (2**63, 2**63 + 1, 2**64 - 1, 2**53 + 1), strict=True):
        await stage.record(segment, whole(parameters={"seed": str(seed)}))
    page = await search_sql.search(stage.conn, seed=str(2**63 + 1))
    assert [(line.seed, line.segment_id, line.take) for line in page.items] == [(str(2**63 + 1), stage.segments[1], 1)]
    assert await search_ids(stage, seed=str(2**53)) == []


@pytest.mark.parametrize(
    ("prompt", "which"),
    [
        ("rain", [3, 1, 0]),
        ("RAIN roof", [1]),
        ('"in the rain"', [0]),
        ("walk -home", [0]),
        ("sunny or home", [3, 2]),
        ("snow", []),
        ("", []),
        ("!!! 😀", []),
    ],
)
async def test_words_of_the_prompt_are_matched(stage: Stage, prompt: str, which: list[int]) -> None:
    receipt_ids = [take.receipt_id for take in await record_some(stage)]
    assert await search_ids(stage, prompt=prompt) == [receipt_ids[number] for number in which]


async def test_all_criteria_must_match(stage: Stage) -> None:
    receipt_ids = [take.receipt_id for take in await record_some(stage)]
    assert await search_ids(stage, seed="1", digest=digest_for("tiny 1")) == [receipt_ids[3], receipt_ids[1]]
    assert await search_ids(stage, seed="1", output=digest_for("f1")) == [receipt_ids[3], receipt_ids[1]]
    assert await search_ids(stage, seed="1", output=digest_for("f0")) == []
    assert await search_ids(stage, seed="1", prompt="walk") == [receipt_ids[3]]
    assert await search_ids(stage, seed="0", prompt="rain", digest=digest_for("v0")) == [receipt_ids[0]]


async def test_many_matches_are_in_order(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_sql, "_FEW", 1)
    monkeypatch.setattr(search_sql, "_RECENT", 2)
    receipt_ids = [take.receipt_id for take in await record_some(stage)]
    assert await search_ids(stage, prompt="rain", limit=1) == [receipt_ids[3]]
    assert await search_ids(stage, prompt="rain", limit=2) == [receipt_ids[3], receipt_ids[1]]
    assert await search_ids(stage, prompt="rain", seed="1") == [receipt_ids[3], receipt_ids[1]]
    page = await search_sql.search(stage.conn, prompt="rain", limit=2)
    assert await search_ids(stage, prompt="rain", after=page.next) == [receipt_ids[0]]


async def test_a_cursor_of_another_kind_is_refused(stage: Stage) -> None:
    with pytest.raises(Invalid, match="cursor"):
        await search_sql.search(stage.conn, seed="1", after="bm90IG91cnM")


async def test_matches_of_several_projects_are_newest_first(stage: Stage) -> None:
    _, elsewhere = await stage.another_scene("elsewhere", 4, await stage.another_project("other"))
    receipt_ids: list[int] = []
    for pair in zip(stage.segments, elsewhere, strict=True):
        for segment in pair:
            receipt_ids.append((await stage.record(segment, whole(parameters={"seed": str(segment % 3)}))).receipt_id)
    first = await search_sql.search(stage.conn, digest=digest_for("tiny 1"), limit=5)
    rest = await search_sql.search(stage.conn, digest=digest_for("tiny 1"), limit=5, after=first.next)
    assert [line.id for line in (*first.items, *rest.items)] == receipt_ids[::-1]
    of_seed = [line.id for line in first.items + rest.items if line.seed == "1"]
    assert await search_ids(stage, digest=digest_for("tiny 1"), seed="1") == of_seed
