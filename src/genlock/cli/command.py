"""Decorators that turn functions into commands, and errors into messages and exit codes."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import typer

from genlock.cli import failures, pipes
from genlock.cli.exit_codes import FAILED, INTERRUPTED, WRONG_USAGE
from genlock.cli.options import CommonOptions, Data, HiddenToken, HiddenUrl, Json, Token, Url
from genlock.cli.session import Session
from genlock.errors import GenlockError, Invalid
from genlock.full_disk import is_full_disk
from genlock.sdk.usage_codes import BAD_SETTING, USAGE_CODES

F = TypeVar("F", bound=Callable[..., None])


def command(app: typer.Typer, name: str, *, example: str, ignores_url: str | None = None) -> Callable[[F], F]:
    """Register a function as a command of ``app``.

    The function takes ``session`` first. Typer sees its other parameters and the common options. ``ignores_url`` is the
    reason why the command does not use the server of ``--url`` or ``GENLOCK_URL``.
    """

    def register(function: F) -> F:
        parameters = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in inspect.signature(function, eval_str=True).parameters.values()
            if parameter.name != "session"
        ]

        def run(ctx: typer.Context, **arguments: Any) -> None:
            session = Session(_take_common_options(ctx, arguments))

            def work() -> None:
                if ignores_url is not None:
                    _check_ignored_url(session, ctx.command_path, ignores_url)
                function(session, **arguments)

            raise typer.Exit(_run(session, work))

        _set_signature(run, parameters, hide_url=ignores_url is not None)
        help_text = (inspect.getdoc(function) or "").replace("``", "`")
        if ignores_url is not None:
            help_text += f"\n\nDoes not use --url or GENLOCK_URL: {ignores_url}."
        app.command(name, help=help_text, epilog=f"Example: {example}")(run)
        return function

    return register


def group(text: str, *, example: str, default: Callable[[Session], None] | None = None) -> typer.Typer:
    """Return a group of commands. Without a command it runs ``default``, or shows its help.

    The common options are accepted here too: ``genlock inbox --json`` and ``genlock inbox --json list``.
    """
    app = typer.Typer(
        help=text,
        epilog=f"Example: {example}",
        no_args_is_help=default is None,
        invoke_without_command=default is not None,
    )

    def callback(ctx: typer.Context, **arguments: Any) -> None:
        ctx.obj = _take_common_options(ctx, arguments)
        if default is not None and ctx.invoked_subcommand is None:
            session = Session(ctx.obj)
            raise typer.Exit(_run(session, functools.partial(default, session)))

    _set_signature(callback, [])
    app.callback()(callback)
    return app


def _take_common_options(ctx: typer.Context, arguments: dict[str, Any]) -> CommonOptions:
    """Remove the common options from ``arguments``; return them merged over those of the parent command."""
    options = CommonOptions(*(arguments.pop(parameter.name) for parameter in _common_parameters()))
    return options.override(ctx.obj or CommonOptions())


def _check_ignored_url(session: Session, command_path: str, reason: str) -> None:
    """Refuse a server given as an option, and report one in the environment, for a command that ignores both."""
    if session.options.url is not None or session.options.token is not None:
        raise Invalid(
            f"`{command_path}` does not use --url or --token: {reason}.", hint="Leave them out.", code=BAD_SETTING
        )
    url = session.settings().url
    if url is not None:
        session.note(f"GENLOCK_URL ({url}) is not used: {reason}.")


def _set_signature(run: Callable[..., None], parameters: list[inspect.Parameter], *, hide_url: bool = False) -> None:
    """Make Typer see ``parameters`` and the common options."""
    common = _common_parameters(hide_url=hide_url)
    signature = inspect.Signature([_parameter("ctx", typer.Context), *parameters, *common])
    run.__signature__ = signature  # pyright: ignore[reportFunctionMemberAccess]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in signature.parameters.values()}


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _common_parameters(*, hide_url: bool = False) -> list[inspect.Parameter]:
    return [
        _parameter("as_json", Json, False),
        _parameter("at_data", Data, None),
        _parameter("at_url", HiddenUrl if hide_url else Url, None),
        _parameter("at_token", HiddenToken if hide_url else Token, None),
    ]


def _run(session: Session, work: Callable[[], None]) -> int:
    """Run a command and return its exit code. Errors are printed."""
    try:
        work()
        session.out.file.flush()
    except GenlockError as error:
        failures.print_error(session, error)
        return WRONG_USAGE if error.code in USAGE_CODES else FAILED
    except KeyboardInterrupt:
        session.err.print("Interrupted.")
        return INTERRUPTED
    except typer.Exit as end:
        return end.exit_code
    except BrokenPipeError:
        pipes.discard_output()
    except (typer.Abort, typer.BadParameter):
        raise
    except Exception as error:  # the outermost handler: users get a message, the traceback goes to a file
        if is_full_disk(error):
            raise  # the root group reports it
        failures.print_unexpected(session)
        return FAILED
    finally:
        session.close()
    return 0
