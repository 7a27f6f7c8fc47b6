"""A writer in a separate process: records takes over HTTP at an even pace while reads are measured."""

import json
import sys
import time
from typing import Any

import httpx

PACE_S = 0.05


def main() -> None:
    """Record until stopped. Arguments: URL, token, and as JSON the claims and segments to repeat."""
    url, token, work = sys.argv[1:]
    batches: list[dict[str, Any]] = json.loads(work)
    number = time.time_ns()
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=120) as http:
        while True:
            for batch in batches:
                number += 1
                batch["takes"][0]["claim"]["parameters"]["seed"] = str(number)
                http.post("/takes:batch", json=batch).raise_for_status()
                time.sleep(PACE_S)


if __name__ == "__main__":
    main()
