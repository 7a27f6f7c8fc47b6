"""Rows of workflows as ComfyUI's page saved them, each with the definitions that it was converted with."""

from genlock.db.connection import Conn, execute, maybe
from genlock.digest import Digest, to_raw
from genlock.errors import NotFound
from genlock.library.model import EditorForm
from genlock.model import Actor


async def insert_editor_form(
    conn: Conn,
    asset_id: int,
    number: int,
    digest: Digest,
    definitions: Digest | None,
    size_bytes: int,
    filename: str,
    actor: Actor,
) -> None:
    """Keep an editor's form with a version. One that it has already is not kept twice."""
    await execute(
        conn,
        """
        INSERT INTO editor_forms (asset_id, number, editor, definitions, size_bytes, filename, created_by)
        VALUES (%(asset_id)s, %(number)s, %(digest)s, %(definitions)s, %(size_bytes)s, %(filename)s, %(actor)s)
        ON CONFLICT ON CONSTRAINT editor_forms_unique DO NOTHING
        """,
        asset_id=asset_id,
        number=number,
        digest=to_raw(digest),
        definitions=None if definitions is None else to_raw(definitions),
        size_bytes=size_bytes,
        filename=filename,
        actor=actor.name,
    )


async def editor_form_of(conn: Conn, asset_id: int, number: int) -> EditorForm:
    """Return the newest editor's form of a version. Raises ``NotFound`` if it has none."""
    form = await maybe(
        conn,
        EditorForm,
        """
        SELECT digest_text(editor) AS digest, digest_text(definitions) AS definitions, size_bytes, filename, created_by,
               created_at
          FROM editor_forms
         WHERE asset_id = %(asset_id)s AND number = %(number)s
         ORDER BY id DESC
         LIMIT 1
        """,
        asset_id=asset_id,
        number=number,
    )
    if form is None:
        raise NotFound(
            f"Version {number} has no editor's form.",
            hint="It was uploaded as a graph in API format. Upload the workflow as ComfyUI's page saves it.",
            code="no_editor_form",
        )
    return form
