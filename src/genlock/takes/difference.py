"""Compares two receipts. Pure."""

from collections.abc import Mapping
from typing import Any, Literal, cast

from genlock.digest import Digest, canonical
from genlock.model import Model
from genlock.takes.model import Receipt
from genlock.takes.receipt import Input

Change = Literal["added", "removed", "changed"]


class InputDifference(Model):
    """An input that only one of two receipts has, or that differs between them.

    ``fields`` are the fields that differ. With ``same_content`` the effective digests are equal: another file, or the
    same one under another number, with no effect on the picture.
    """

    role: str
    ordinal: int
    change: Change
    before: Input | None = None
    after: Input | None = None
    fields: tuple[str, ...] = ()
    same_content: bool = False


class ValueDifference(Model):
    """A parameter or a fact about the engine that differs; null where it is absent. ``name`` is a dotted path."""

    name: str
    change: Change
    before: Any = None
    after: Any = None


class OutputDifference(Model):
    """An output that differs."""

    part: str
    change: Change
    before: Digest | None = None
    after: Digest | None = None


class ReceiptDifference(Model):
    """The differences between two receipts. ``same_wish`` is true if what determines the picture is equal."""

    before: int
    after: int
    same_wish: bool
    inputs: tuple[InputDifference, ...]
    parameters: tuple[ValueDifference, ...]
    engine: tuple[ValueDifference, ...]
    outputs: tuple[OutputDifference, ...]


def difference(before: Receipt, after: Receipt) -> ReceiptDifference:
    """Compare two receipts: inputs by role and ordinal, parameters, engine and graph, outputs."""
    first, second = before.document, after.document
    return ReceiptDifference(
        before=before.id,
        after=after.id,
        same_wish=before.inputs_digest == after.inputs_digest,
        inputs=_inputs(_lines(first), _lines(second)),
        parameters=_values(first["parameters"], second["parameters"]),
        engine=_values(_engine(first), _engine(second)),
        outputs=_outputs(first["outputs"], second["outputs"]),
    )


def environment_difference(
    document: Mapping[str, Any], engine: Mapping[str, Any], graph: Digest | None
) -> tuple[ValueDifference, ...]:
    """Compare the engine, environment and graph of a receipt with those of another run."""
    other = {"engine": engine, **({} if graph is None or "graph" not in document else {"graph": graph})}
    return _values(_engine(document), _engine(other))


def _lines(document: Mapping[str, Any]) -> dict[tuple[str, int], Input]:
    lines = (Input.model_validate(line) for line in document["inputs"])
    return {(line.role.value, line.ordinal): line for line in lines}


def _inputs(
    before: Mapping[tuple[str, int], Input], after: Mapping[tuple[str, int], Input]
) -> tuple[InputDifference, ...]:
    differences: list[InputDifference] = []
    for role, ordinal in sorted({*before, *after}):
        first, second = before.get((role, ordinal)), after.get((role, ordinal))
        if first == second:
            continue
        was = {} if first is None else first.model_dump(mode="json", exclude_none=True)
        now = {} if second is None else second.model_dump(mode="json", exclude_none=True)
        differences.append(
            InputDifference(
                role=role,
                ordinal=ordinal,
                change=_change(first is not None, second is not None),
                before=first,
                after=second,
                fields=tuple(difference.name for difference in _values(was, now)) if first and second else (),
                same_content=first is not None and second is not None and _same_content(first, second),
            )
        )
    return tuple(differences)


def _same_content(first: Input, second: Input) -> bool:
    decides = first.effective_digest or first.digest
    return first.asset == second.asset and decides is not None and decides == (second.effective_digest or second.digest)


def _engine(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the engine's name, version and environment, and its graph, by dotted path."""
    return {**_flat("", document["engine"]), **({"graph": document["graph"]} if "graph" in document else {})}


def _flat(prefix: str, value: Any) -> dict[str, Any]:
    if isinstance(value, dict) and value:
        parts = cast("dict[str, Any]", value)
        return {name: leaf for key, part in parts.items() for name, leaf in _flat(f"{prefix}{key}.", part).items()}
    return {prefix.removesuffix("."): value}


def _values(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[ValueDifference, ...]:
    # Compared as canonical JSON: to Python 1 and True are equal, and to JSON 4 and 4.0 are.
    return tuple(
        ValueDifference(
            name=name, change=_change(name in before, name in after), before=before.get(name), after=after.get(name)
        )
        for name in sorted({*before, *after})
        if (name in before) != (name in after) or canonical(before[name]) != canonical(after[name])
    )


def _outputs(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[OutputDifference, ...]:
    was = {part: output["digest"] for part, output in before.items()}
    now = {part: output["digest"] for part, output in after.items()}
    return tuple(
        OutputDifference(part=part, change=_change(part in was, part in now), before=was.get(part), after=now.get(part))
        for part in sorted({*was, *now})
        if was.get(part) != now.get(part)
    )


def _change(before: bool, after: bool) -> Change:
    return "changed" if before and after else "added" if after else "removed"
