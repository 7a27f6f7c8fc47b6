"""A process that uses the embedded server and reads requests from standard input, so that a test can kill it.

It imports everything before it changes its user, because that user may be unable to start this Python.
"""

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from genlock.db.embedded import server
from genlock.errors import GenlockError


def main() -> None:
    """Read requests as JSON lines and answer each with one, until the input ends."""
    become(json.loads(sys.argv[1]))
    attached: list[server.Attached] = []
    progress: list[str] = []
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        progress.clear()
        try:
            answer = perform(request, attached, progress)
        except GenlockError as error:
            answer = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
        print(json.dumps({**answer, "progress": list(progress)}), flush=True)


def become(request: dict[str, Any]) -> None:
    """Apply the requested limits and user to this process."""
    for name, amount in request.get("limits", {}).items():
        resource.setrlimit(getattr(resource, name), (amount, amount))
    uid = request.get("uid")
    if uid is not None and uid != os.getuid():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)


def perform(request: dict[str, Any], attached: list[server.Attached], progress: list[str]) -> dict[str, Any]:
    """Perform one request on the server."""
    match request["do"]:
        case "attach":
            binaries = Path(request["binaries"]) if request.get("binaries") else None
            attached.append(
                server.attach(
                    Path(request["home"]),
                    binaries=binaries,
                    on_progress=progress.append,
                    durable=request.get("durable", True),
                )
            )
            return {"conninfo": attached[-1].conninfo, "owner_conninfo": attached[-1].owner_conninfo}
        case "ensure running":
            return {"restarted": attached[-1].ensure_running()}
        case "keep running":
            attached[-1].keep_running(0.05)
            return {}
        case "detach":
            attached.pop().detach()
            return {}
        case "stop":
            return {"stopped": server.stop(Path(request["home"]))}
        case unknown:
            raise ValueError(unknown)


if __name__ == "__main__":
    main()
