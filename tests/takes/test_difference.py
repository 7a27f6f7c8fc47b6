"""What differs between two receipts."""

from tests.takes.stage import VARIANT, WHOLE, Stage, claim, digest_for, whole

from genlock.takes.claim import Claim
from genlock.takes.difference import ReceiptDifference, ValueDifference, difference


async def between(stage: Stage, one: Claim, other: Claim) -> ReceiptDifference:
    """The difference between two claims of one segment, recorded one after the other."""
    before = await stage.record(stage.segments[0], one, {"video": "1"})
    after = await stage.record(stage.segments[0], other, {"video": "2"})
    return difference(await stage.receipt(before), await stage.receipt(after))


async def test_two_renders_of_one_wish_differ_in_what_came_out(stage: Stage) -> None:
    found = await between(stage, whole(), whole())
    assert (found.same_wish, found.inputs, found.parameters, found.engine) == (True, (), (), ())
    assert [(line.part, line.change, line.before, line.after) for line in found.outputs] == [
        ("video", "changed", digest_for("1"), digest_for("2"))
    ]


async def test_a_new_version_is_a_changed_input(stage: Stage) -> None:
    await stage.version("rain", "rain 2")
    found = await between(stage, whole(), claim(*WHOLE[:2], {**WHOLE[2], "version": 2, "strength_model": 0.2}, VARIANT))
    (line,) = found.inputs
    assert (line.role, line.ordinal, line.change, line.same_content) == ("lora", 0, "changed", False)
    assert line.fields == ("digest", "effective_digest", "strength_model", "version")
    assert line.before and line.after
    assert (line.before.version, line.after.version) == (1, 2)
    assert not found.same_wish


async def test_a_file_with_other_metadata_is_the_same_content(stage: Stage) -> None:
    await stage.version("rain", "rain 2", equal_to="rain 1")
    found = await between(stage, whole(), claim(*WHOLE[:2], {**WHOLE[2], "version": 2}, VARIANT))
    (line,) = found.inputs
    assert (line.fields, line.same_content, found.same_wish) == (("digest", "version"), True, True)


async def test_inputs_come_and_go(stage: Stage) -> None:
    fog = {"role": "lora", "asset": "lora:fog", "version": 1, "strength_model": 1}
    found = await between(stage, whole(), claim(*WHOLE, fog))
    assert [(line.role, line.ordinal, line.change) for line in found.inputs] == [
        ("lora", 1, "added"),
        ("source_image", 0, "removed"),
        ("variant", 0, "removed"),
    ]
    assert all(line.fields == () and not line.same_content for line in found.inputs)


async def test_parameters_and_surroundings(stage: Stage) -> None:
    one = {"name": "sketch", "version": "1", "environment": {"python": "3.11", "torch": {"version": "2.5"}}}
    other = {"name": "sketch", "version": "1", "environment": {"torch": {"version": "2.6", "cuda": True}}}
    found = await between(
        stage,
        whole(parameters={"cfg": 4, "loop": 1}, engine=one),
        whole(parameters={"cfg": 4.0, "loop": True, "seed": "43"}, engine=other),
    )
    assert found.parameters == (
        ValueDifference(name="loop", change="changed", before=1, after=True),
        ValueDifference(name="seed", change="changed", before="42", after="43"),
    )
    assert found.engine == (
        ValueDifference(name="environment.python", change="removed", before="3.11"),
        ValueDifference(name="environment.torch.cuda", change="added", after=True),
        ValueDifference(name="environment.torch.version", change="changed", before="2.5", after="2.6"),
    )


async def test_a_receipt_does_not_differ_from_itself(stage: Stage) -> None:
    receipt = await stage.receipt(await stage.record(stage.segments[0], whole()))
    found = difference(receipt, receipt)
    assert (found.same_wish, found.inputs, found.parameters, found.engine, found.outputs) == (True, (), (), (), ())
