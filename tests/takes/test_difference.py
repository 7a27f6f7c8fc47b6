"""The difference between two receipts."""

from tests.takes.stage import VARIANT, WHOLE, Stage, claim, digest_for, whole

from genlock.takes.claim import Claim
from genlock.takes.difference import ReceiptDifference, ValueDifference, difference


async def between(stage: Stage, first: Claim, second: Claim) -> ReceiptDifference:
    """Return the difference between two claims of one segment, recorded one after the other."""
    before = await stage.record(stage.segments[0], first, {"video": "1"})
    after = await stage.record(stage.segments[0], second, {"video": "2"})
    return difference(await stage.receipt(before), await stage.receipt(after))


async def test_two_renders_of_one_request_differ_only_in_their_outputs(stage: Stage) -> None:
    changes = await between(stage, whole(), whole())
    assert (changes.same_wish, changes.inputs, changes.parameters, changes.engine) == (True, (), (), ())
    assert [(line.part, line.change, line.before, line.after) for line in changes.outputs] == [
        ("video", "changed", digest_for("1"), digest_for("2"))
    ]


async def test_a_new_version_is_a_changed_input(stage: Stage) -> None:
    await stage.version("rain", "rain 2")
    changes = await between(
        stage, whole(), claim(*WHOLE[:2], {**WHOLE[2], "version": 2, "strength_model": 0.2}, VARIANT)
    )
    (line,) = changes.inputs
    assert (line.role, line.ordinal, line.change, line.same_content) == ("lora", 0, "changed", False)
    assert line.fields == ("digest", "effective_digest", "strength_model", "version")
    assert line.before and line.after
    assert (line.before.version, line.after.version) == (1, 2)
    assert not changes.same_wish


async def test_a_file_with_other_metadata_is_the_same_content(stage: Stage) -> None:
    await stage.version("rain", "rain 2", equal_to="rain 1")
    changes = await between(stage, whole(), claim(*WHOLE[:2], {**WHOLE[2], "version": 2}, VARIANT))
    (line,) = changes.inputs
    assert (line.fields, line.same_content, changes.same_wish) == (("digest", "version"), True, True)


async def test_inputs_are_added_and_removed(stage: Stage) -> None:
    fog = {"role": "lora", "asset": "lora:fog", "version": 1, "strength_model": 1}
    changes = await between(stage, whole(), claim(*WHOLE, fog))
    assert [(line.role, line.ordinal, line.change) for line in changes.inputs] == [
        ("lora", 1, "added"),
        ("source_image", 0, "removed"),
        ("variant", 0, "removed"),
    ]
    assert all(line.fields == () and not line.same_content for line in changes.inputs)


async def test_parameters_and_environment_are_compared(stage: Stage) -> None:
    engine = {"name": "sketch", "version": "1", "environment": {"python": "3.11", "torch": {"version": "2.5"}}}
    other_engine = {"name": "sketch", "version": "1", "environment": {"torch": {"version": "2.6", "cuda": True}}}
    changes = await between(
        stage,
        whole(parameters={"cfg": 4, "loop": 1}, engine=engine),
        whole(parameters={"cfg": 4.0, "loop": True, "seed": "43"}, engine=other_engine),
    )
    assert changes.parameters == (
        ValueDifference(name="loop", change="changed", before=1, after=True),
        ValueDifference(name="seed", change="changed", before="42", after="43"),
    )
    assert changes.engine == (
        ValueDifference(name="environment.python", change="removed", before="3.11"),
        ValueDifference(name="environment.torch.cuda", change="added", after=True),
        ValueDifference(name="environment.torch.version", change="changed", before="2.5", after="2.6"),
    )


async def test_a_receipt_does_not_differ_from_itself(stage: Stage) -> None:
    receipt = await stage.receipt(await stage.record(stage.segments[0], whole()))
    changes = difference(receipt, receipt)
    assert (changes.same_wish, changes.inputs, changes.parameters, changes.engine, changes.outputs) == (
        True,
        (),
        (),
        (),
        (),
    )
