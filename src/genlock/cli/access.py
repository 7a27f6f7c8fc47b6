"""``token``: who may come in."""

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
        typer.Argument(metavar="NAME", help="Whose token it is. Every reader sees this name on what its holder does."),
    ],
    role: Annotated[Role, typer.Option(help="viewer reads, creator writes, admin manages.")] = Role.CREATOR,
) -> None:
    """Make a token. Its secret is shown this once and never kept."""
    made = session.gl.create_token(name, role)
    rows = [("token", made.secret), ("name", made.name), ("role", made.role.value), ("server", session.gl.url)]
    session.show(made, pairs(rows), "Give it with --token or GENLOCK_TOKEN. It is not shown again.")


@command(tokens, "list", example="genlock token list")
def list_tokens(session: Session) -> None:
    """List all tokens, revoked ones too; never their secrets."""
    found = list(session.gl.tokens())
    rows = [
        (one.id, one.name, one.role.value, one.created_by, ago(one.created_at), "revoked" if one.revoked_at else "")
        for one in found
    ]
    session.show(
        {"items": found, "total": len(found)},
        table(("id", "name", "role", "made by", "when", ""), rows, title_columns=2),
    )


@command(tokens, "revoke", example="genlock token revoke 3")
def revoke_token(session: Session, token: Annotated[int, typer.Argument(metavar="ID", help="The token's id.")]) -> None:
    """Revoke a token: the next request that shows it is refused."""
    revoked = session.gl.revoke_token(token)
    session.show(revoked, f"The token of {revoked.name} is revoked.")
