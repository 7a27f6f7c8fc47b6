"""Run the state machine: briefly with every change, at length in ``make test-all``."""

import asyncio
import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.fixtures_postgres import fresh_database
from tests.staleness.machine.machine import EXPECTED, Histories, reached

MUTANTS = "GENLOCK_TEST_MUTANTS"
SHORT, FAULTY = (6, 15), (120, 25)
"""How many histories of how many steps are short, and how many it takes for a fault in the source to show."""


def _run(postgres: str, template: str, *, histories: int, steps: int) -> None:
    loop = asyncio.new_event_loop()

    class OnThisServer(Histories):
        def begin_database(self) -> None:
            self.opened = fresh_database(postgres, template)
            self.conninfo = self.opened.__enter__()

        def __init__(self) -> None:
            super().__init__()
            self.loop = loop
            self.begin_database()

        def teardown(self) -> None:
            super().teardown()
            self.opened.__exit__(None, None, None)

    # A seeded fault need only be caught, not shown in the fewest steps.
    shrinking = () if MUTANTS in os.environ else (Phase.shrink,)
    phases = (Phase.explicit, Phase.reuse, Phase.generate, *shrinking)
    try:
        run_state_machine_as_test(
            OnThisServer,
            settings=settings(
                max_examples=histories,
                stateful_step_count=steps,
                deadline=None,
                phases=phases,
                suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much),
                print_blob=True,
                derandomize="GENLOCK_TEST_RANDOM" not in os.environ,
            ),
        )
    finally:
        loop.close()


def test_sql_is_the_oracle_in_short_histories(postgres: str, template: str) -> None:
    histories, steps = FAULTY if MUTANTS in os.environ else SHORT
    _run(postgres, template, histories=histories, steps=steps)


@pytest.mark.long
def test_sql_is_the_oracle_in_long_histories(postgres: str, template: str) -> None:
    reached.clear()
    _run(postgres, template, histories=200, steps=35)
    for what, times in sorted(reached.items()):
        print(f"{times:8d}  {what}")
    never = [what for what in EXPECTED if not reached[what]]
    assert not never, f"histories never came to: {', '.join(never)}"
