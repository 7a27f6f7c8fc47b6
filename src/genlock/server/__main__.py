"""``python -m genlock.server``: the server in the foreground."""

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from genlock.database_url import refuse_password_argument
from genlock.errors import GenlockError
from genlock.server.run import run
from genlock.server.signals import handled, leave
from genlock.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Run the server. Return 0 after a signal or if a server is already running, 1 after an error with a hint."""
    try:
        with handled(leave):
            settings = Settings(**_given(arguments))
            logging.basicConfig(
                level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
            )
            _quiet("httpx", "alembic", "uvicorn.error")
            run(settings, _say)
    except ValidationError as error:
        for detail in error.errors():
            name = ".".join(str(part) for part in detail["loc"])
            _complain(f"The setting {name} cannot be {_shown(name, detail['input'])}: {detail['msg']}.")
        return 2
    except GenlockError as error:
        _complain(error.message, error.hint)
        return 1
    return 0


def _shown(name: str, value: Any) -> str:
    field = Settings.model_fields.get(name)
    return "this value (hidden: it may be secret)" if field is not None and not field.repr else repr(value)


def _quiet(*names: str) -> None:
    """Limit the loggers of libraries to warnings, except at log level debug."""
    if not logging.getLogger().isEnabledFor(logging.DEBUG):
        for name in names:
            logging.getLogger(name).setLevel(logging.WARNING)


def _given(arguments: list[str] | None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(
        prog="python -m genlock.server",
        description="Run Genlock's server in the foreground.",
        epilog="Example: python -m genlock.server --data ./data --port 0 --workers 1",
    )
    parser.add_argument("--host", help="the address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="the port (8470); 0 for any free one")
    parser.add_argument("--data", type=Path, help="the data folder")
    parser.add_argument("--database-url", help="a PostgreSQL database instead of the embedded one")
    parser.add_argument("--blobs", help="where bytes are stored instead of the data folder")
    parser.add_argument("--workers", type=int, help="number of workers (1)")
    parser.add_argument("--idle-minutes", type=float, help="end after this time without a request")
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    refuse_password_argument(given.get("database_url"))
    return given


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _complain(message: str, hint: str | None = None) -> None:
    sys.stderr.write(f"Error: {message}\n" + (f"Hint: {hint}\n" if hint else ""))


if __name__ == "__main__":
    sys.exit(main())
