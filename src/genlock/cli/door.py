"""The door that every command stands behind: the options that all have, and how refusals are told.

exit 0  done
     1  it could not be done; standard error says what happened and what to do
     2  wrong usage
     3  something is stale (status)
   130  interrupted
"""

import functools
import inspect
import json
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console, RenderableType

from genlock.cli.words import as_document, clean, console
from genlock.client import BAD_SETTING, Genlock, settings_of
from genlock.errors import GenlockError
from genlock.sdk.old_work import BAD_PATTERN
from genlock.sdk.references import BAD_REFERENCE
from genlock.settings import Settings

F = TypeVar("F", bound=Callable[..., None])

FAILED, WRONG_USAGE, STALE, INTERRUPTED = 1, 2, 3, 130
_WRONG = frozenset({BAD_PATTERN, BAD_REFERENCE, BAD_SETTING})
_PANEL = "Every command"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.", rich_help_panel=_PANEL)]
Data = Annotated[
    Path | None, typer.Option("--data", help="The data folder whose server is meant.", rich_help_panel=_PANEL)
]
Url = Annotated[str | None, typer.Option("--url", help="The server to ask.", rich_help_panel=_PANEL)]
Token = Annotated[str | None, typer.Option("--token", help="The token to show there.", rich_help_panel=_PANEL)]


@dataclass(frozen=True)
class Common:
    """The options that every command has; those after the command win over those before it."""

    as_json: bool = False
    data: Path | None = None
    url: str | None = None
    token: str | None = None

    def over(self, before: "Common") -> "Common":
        """These options, with what they leave open taken from ``before``."""
        return Common(
            self.as_json or before.as_json,
            self.data or before.data,
            self.url or before.url,
            self.token or before.token,
        )


class Asked:
    """What a command works with: the server, where answers go, and whether they are wanted as JSON."""

    def __init__(self, common: Common) -> None:
        self.common = common
        self.out, self.err = console(stderr=False), console(stderr=True)

    @property
    def as_json(self) -> bool:
        """Whether one JSON document is wanted and nothing else."""
        return self.common.as_json

    def settings(self, **rest: Any) -> Settings:
        """The settings of this command."""
        return settings_of(self.common.url, self.common.token, self.common.data, **rest)

    @functools.cached_property
    def gl(self) -> Genlock:
        """The server, found or started when it is first asked."""
        return Genlock(settings=self.settings(), on_progress=self.note)

    def note(self, text: str) -> None:
        """Say on standard error what is going on."""
        self.err.print(clean(text), style="dim")

    def show(self, document: Any, *shown: RenderableType) -> None:
        """The answer: ``document`` as JSON if that is wanted, else what is for people to read."""
        if self.as_json:
            self.out.out(json.dumps(as_document(document), ensure_ascii=False, indent=2), highlight=False)
        else:
            for one in shown:
                self.out.print(one)

    def close(self) -> None:
        """Let go of the server."""
        if "gl" in self.__dict__:
            self.gl.close()


def command(app: typer.Typer, name: str, *, example: str, panel: str | None = None) -> Callable[[F], F]:
    """Registers a function as a command of ``app``, behind the door.

    The function takes ``asked`` first; Typer sees its other parameters and the options that every command has.
    """

    def register(function: F) -> F:
        own = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in inspect.signature(function, eval_str=True).parameters.values()
            if parameter.name != "asked"
        ]

        def run(ctx: typer.Context, **given: Any) -> None:
            asked = Asked(_said_before(ctx, given))
            raise typer.Exit(_through(asked, lambda: function(asked, **given)))

        _sign(run, own)
        said = (inspect.getdoc(function) or "").replace("``", "`")
        app.command(name, help=said, epilog=f"Example: {example}", rich_help_panel=panel)(run)
        return function

    return register


def group(text: str, *, example: str, alone: Callable[[Asked], None] | None = None) -> typer.Typer:
    """A group of commands, which does ``alone`` when none of them is named, or else shows its help.

    The options that every command has may stand here too: ``genlock inbox --json`` and ``genlock inbox --json list``.
    """
    made = typer.Typer(
        help=text, epilog=f"Example: {example}", no_args_is_help=alone is None, invoke_without_command=alone is not None
    )

    def before(ctx: typer.Context, **given: Any) -> None:
        ctx.obj = _said_before(ctx, given)
        if alone is not None and ctx.invoked_subcommand is None:
            asked = Asked(ctx.obj)
            raise typer.Exit(_through(asked, functools.partial(alone, asked)))

    _sign(before, [])
    made.callback()(before)
    return made


def _said_before(ctx: typer.Context, given: dict[str, Any]) -> Common:
    """The common options of a command, taken out of ``given``, over those that stood before it."""
    return Common(*(given.pop(parameter.name) for parameter in _common())).over(ctx.obj or Common())


def _sign(run: Callable[..., None], own: list[inspect.Parameter]) -> None:
    """Have Typer see ``own`` parameters and the options that every command has."""
    signature = inspect.Signature([_parameter("ctx", typer.Context), *own, *_common()])
    run.__signature__ = signature  # pyright: ignore[reportFunctionMemberAccess]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in signature.parameters.values()}


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _common() -> list[inspect.Parameter]:
    return [
        _parameter("as_json", Json, False),
        _parameter("at_data", Data, None),
        _parameter("at_url", Url, None),
        _parameter("at_token", Token, None),
    ]


def _through(asked: Asked, work: Callable[[], None]) -> int:
    """Do the work of a command; the exit code, with every refusal told in words."""
    try:
        work()
    except GenlockError as error:
        _tell(asked, error)
        return WRONG_USAGE if error.code in _WRONG else FAILED
    except KeyboardInterrupt:
        asked.err.print("Interrupted.")
        return INTERRUPTED
    except typer.Exit as done:
        return done.exit_code
    except (typer.Abort, typer.BadParameter, BrokenPipeError):
        raise
    except Exception:  # noqa: BLE001 - the last door: a trace is of use to who mends Genlock, not to who uses it
        _tell_of_ourselves(asked.err)
        return FAILED
    finally:
        asked.close()
    return 0


def _tell(asked: Asked, error: GenlockError) -> None:
    asked.err.print(f"Error: {clean(error.message)}", style="bold red")
    for field in error.fields[1:]:
        asked.err.print(f"       {clean(str(field.get('field')))}: {clean(str(field.get('message')))}", style="red")
    if error.hint:
        asked.err.print(f"Hint:  {clean(error.hint)}")
    if asked.as_json:
        problem = {"code": error.code, "message": error.message, "hint": error.hint, "errors": error.fields}
        asked.show({"error": problem})


def _tell_of_ourselves(err: Console) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="genlock-", suffix=".log", delete=False, encoding="utf-8") as file:
        traceback.print_exc(file=file)
    kind, error, _ = sys.exc_info()
    err.print(f"Error: Something went wrong in Genlock itself: {kind and kind.__name__}: {error}", style="bold red")
    err.print(f"Hint:  {file.name} says where. Please report it.")
