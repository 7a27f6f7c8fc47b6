"""``token``: who may come in."""

from typing import Annotated

import typer

from genlock.cli.door import Asked, command, group
from genlock.cli.words import ago, pairs, table
from genlock.model import Role

tokens = group("Tokens: who may come in, and what each may do.", example="genlock token list")


@command(tokens, "add", example="genlock token add ana --role creator")
def add_token(
    asked: Asked,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Whose token it is. Every reader sees this name on what its holder does."),
    ],
    role: Annotated[Role, typer.Option(help="viewer reads, creator writes, admin manages.")] = Role.CREATOR,
) -> None:
    """Make a token. Its secret is shown this once and never kept."""
    made = asked.gl.create_token(name, role)
    rows = [("token", made.secret), ("name", made.name), ("role", made.role.value), ("server", asked.gl.url)]
    asked.show(made, pairs(rows), "Give it with --token or GENLOCK_TOKEN. It is not shown again.")


@command(tokens, "list", example="genlock token list")
def list_tokens(asked: Asked) -> None:
    """List all tokens, revoked ones too; never their secrets."""
    found = list(asked.gl.tokens())
    rows = [
        (one.id, one.name, one.role.value, one.created_by, ago(one.created_at), "revoked" if one.revoked_at else "")
        for one in found
    ]
    asked.show({"items": found, "total": len(found)}, table(("id", "name", "role", "made by", "when", ""), rows))


@command(tokens, "revoke", example="genlock token revoke 3")
def revoke_token(asked: Asked, token: Annotated[int, typer.Argument(metavar="ID", help="The token's id.")]) -> None:
    """Revoke a token: the next request that shows it is refused."""
    revoked = asked.gl.revoke_token(token)
    asked.show(revoked, f"The token of {revoked.name} is revoked.")
