"""``token``: access tokens."""

from typing import Annotated

import typer

from genlock.cli.command import command, group
from genlock.cli.session import Session
from genlock.cli.tables import pairs, table
from genlock.cli.times import ago
from genlock.model import Role

tokens = group("Access tokens: who may use the server, and with which role.", example="genlock token list")


@command(tokens, "add", example="genlock token add ana --role creator")
def add_token(
    session: Session,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Whose token it is. All users see this name on what its holder does."),
    ],
    role: Annotated[
        Role, typer.Option(help="viewer reads, creator writes, admin manages; capture only sends runs of ComfyUI.")
    ] = Role.CREATOR,
    project: Annotated[
        list[str] | None,
        typer.Option(metavar="PROJECT", help="Limit a capture token to this project; may be repeated."),
    ] = None,
) -> None:
    """Create a token. Its secret is shown only once and is not stored."""
    issued = session.gl.create_token(name, role, projects=project or None)
    rows = [("token", issued.secret), ("name", issued.name), ("role", issued.role.value), ("server", session.gl.url)]
    session.show(issued, pairs(rows), "Use it with --token or GENLOCK_TOKEN. It is not shown again.")


@command(tokens, "list", example="genlock token list")
def list_tokens(session: Session) -> None:
    """List all tokens, including revoked ones, without their secrets."""
    all_tokens = list(session.gl.tokens())
    rows = [
        (
            token.id,
            token.name,
            token.role.value,
            "" if token.projects is None else f"{len(token.projects)} only",
            token.created_by,
            ago(token.created_at),
            "revoked" if token.revoked_at else "",
        )
        for token in all_tokens
    ]
    session.show(
        {"items": all_tokens, "total": len(all_tokens)},
        table(("id", "name", "role", "projects", "made by", "when", ""), rows, title_columns=2),
    )


@command(tokens, "revoke", example="genlock token revoke 3")
def revoke_token(session: Session, token: Annotated[int, typer.Argument(metavar="ID", help="The token's id.")]) -> None:
    """Revoke a token. Requests with it are refused from now on."""
    revoked = session.gl.revoke_token(token)
    session.show(revoked, f"The token of {revoked.name} is revoked.")
