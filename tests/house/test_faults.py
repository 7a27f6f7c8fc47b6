"""Every fault that `make mutants` seeds still applies to the source."""

from pathlib import Path

import pytest
from tests.mutants.faults import FAULTS, Fault

SOURCE = Path(__file__).parents[2] / "src" / "genlock"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.means)
def test_a_fault_can_be_seeded(fault: Fault) -> None:
    assert fault.before in (SOURCE / fault.file).read_text(encoding="utf-8"), "rewrite this fault"
    assert fault.before != fault.after
