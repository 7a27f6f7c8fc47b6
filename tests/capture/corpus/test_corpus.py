"""Every graph of the corpus becomes exactly the expected claim."""

import pytest
from tests.capture.corpus.cases import Case, Graph
from tests.capture.corpus.loaders import LOADERS
from tests.capture.corpus.plain import PLAIN
from tests.capture.corpus.samplings import SAMPLINGS
from tests.capture.corpus.texts import TEXTS

from genlock.capture.asset_matching import Candidates
from genlock.capture.claims import claim_from_run, read_run, used_files
from genlock.graphs.uses import Reading
from genlock.takes.claim import Claim, ClaimEngine, Evidence, Recorder

CORPUS = (*PLAIN, *SAMPLINGS, *LOADERS, *TEXTS)


def claim_of(case: Case, graph: Graph) -> tuple[Reading, Claim]:
    """Return the reading of a graph and the claim that it becomes, with the folders and loaded files of the case."""
    folders = {key: set(it) for key, it in case.folders.items()}
    reading = read_run(graph, case.resolved, case.output, folders=folders)
    claim = claim_from_run(
        reading,
        used_files(reading, graph, case.loaded_files),
        Candidates(),
        engine=ClaimEngine(name="comfyui"),
        recorder=Recorder(name="corpus"),
        evidence=Evidence.RECORDED,
    )
    return reading, claim


@pytest.mark.parametrize("case", CORPUS, ids=[case.name for case in CORPUS])
def test_the_claim_is_the_expected_one(case: Case) -> None:
    """Inputs in order with their strengths; every parameter and no other; unresolved values with their word."""
    reading, claim = claim_of(case, case.graph)
    inputs = [(it.role.value, it.name, it.strength_model, it.strength_clip, it.digest) for it in claim.inputs]
    assert inputs == [(it.role, it.name, it.strength_model, it.strength_clip, it.digest) for it in case.inputs]
    assert claim.parameters.model_dump(exclude_none=True) == {word: it.value for word, it in case.parameters.items()}
    assert {(value.node, value.word) for value in reading.unresolved} == set(case.unresolved)


def test_the_corpus_is_large_enough_and_gives_reasons() -> None:
    """At least thirty graphs with distinct names, and a reason for every expectation."""
    assert len({case.name for case in CORPUS}) == len(CORPUS) >= 30
    for case in CORPUS:
        reasons = [it.why for it in case.inputs] + [it.why for it in case.parameters.values()]
        assert all(reasons + list(case.unresolved.values())), case.name
