"""The receipt of one run of ComfyUI, for its client: its capture, its take, and what is out of date today."""

from genlock.capture import inbox_sql
from genlock.capture.inbox import RunReceipt
from genlock.db.connection import Conn
from genlock.errors import NotFound
from genlock.model import Actor, Role
from genlock.staleness.provenance import provenance
from genlock.takes import receipt_sql, take_sql


async def receipt_of_run(conn: Conn, prompt_id: str, actor: Actor) -> RunReceipt:
    """Return the newest run with this prompt id. ``NotFound`` if there is none that the actor may see.

    A token of ComfyUI's extension sees the runs that it sent, and receipts in its projects.
    """
    captures = await inbox_sql.by_prompt(conn, prompt_id)
    capture = next(
        (capture for capture, sender in captures if actor.role is not Role.CAPTURE or sender.is_same_as(actor)), None
    )
    if capture is None:
        raise NotFound(f"No run with the prompt id {prompt_id} has arrived.", hint="It may arrive in a moment.")
    if capture.receipt_id is None:
        return RunReceipt(capture=capture)
    receipt = await receipt_sql.get_receipt(conn, capture.receipt_id)
    if not actor.may_record_in(receipt.project_id) or receipt.take_id is None or receipt.segment_id is None:
        return RunReceipt(capture=capture)
    take = await take_sql.get_take_by_id(conn, receipt.take_id)
    if not take.selected:
        return RunReceipt(capture=capture, receipt=receipt, take=take)
    judged = await provenance(conn, receipt.segment_id)
    return RunReceipt(capture=capture, receipt=receipt, take=take, state=judged.state, causes=judged.causes)
