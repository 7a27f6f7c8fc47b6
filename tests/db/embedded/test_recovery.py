"""A recovery that takes longer than common supervisors wait: real work, a real kill, a real replay."""

import re

import psycopg
import pytest
from tests.db.embedded.stage import Stage, until

from genlock.db.embedded import process
from genlock.db.embedded.progress import Log

LONG_S = 10.0
MOST_ROUNDS = 6


@pytest.mark.long
def test_a_recovery_longer_than_ten_seconds_is_awaited_and_reported(own_bare_stage: Stage) -> None:
    own_bare_stage.durable = True
    starter = own_bare_stage.actor()
    with psycopg.connect(own_bare_stage.attached(starter), autocommit=True) as conn:
        # No checkpoint may shorten the journal. Nothing else is out of the ordinary.
        conn.execute("ALTER SYSTEM SET checkpoint_timeout = '1h'")
        conn.execute("ALTER SYSTEM SET max_wal_size = '100GB'")
        conn.execute("CREATE TABLE works (id bigserial PRIMARY KEY, digest uuid NOT NULL UNIQUE)")
    starter.ask("detach")

    rows = 3_000_000
    for _ in range(MOST_ROUNDS):  # until it is long enough on this machine
        replay_s, progress = recover_from(own_bare_stage, rows)
        print(f"the journal of {rows:,} rows: replayed in {replay_s:.1f} s")
        if replay_s > LONG_S:
            break
        rows = int(rows * min(4.0, max(1.3, 1.3 * LONG_S / max(replay_s, 0.1))))
    else:
        pytest.fail("this machine replays too fast for this test")
    assert sum("of its journal replayed" in message for message in progress) >= LONG_S / 2


def recover_from(stage: Stage, rows: int) -> tuple[float, list[str]]:
    """Return how long PostgreSQL replayed the journal of ``rows`` rows, and the progress that was reported."""
    worker = stage.actor()
    with psycopg.connect(stage.attached(worker), autocommit=True) as conn:
        conn.execute("TRUNCATE works")
        conn.execute("CHECKPOINT")
        conn.execute("INSERT INTO works (digest) SELECT gen_random_uuid() FROM generate_series(1, %s)", (rows,))
    stage.kill_server()
    until(lambda: not process.survivors(stage.cluster))
    worker.kill()

    # The first waiting process is killed; the second finds the same server still recovering, or ready by now.
    log = Log(stage.home / "server.log", (stage.home / "server.log").stat().st_size)
    impatient, patient = stage.actor(), stage.actor()
    impatient.send("attach", **stage.request)
    until(lambda: "redo starts" in log.text())
    recovering = stage.server_pid()
    impatient.kill()
    answer = stage.attach(patient)
    assert stage.server_pid() == recovering
    with psycopg.connect(str(answer["owner_conninfo"])) as conn:
        assert conn.execute("SELECT count(*), count(DISTINCT digest) FROM works").fetchone() == (rows, rows)
    patient.ask("detach")
    took = re.search(r"redo done .* elapsed: ([\d.]+) s", log.text())
    assert took is not None
    return float(took[1]), answer["progress"]
