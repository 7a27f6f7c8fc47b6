"""A bound on the work that a file from outside can cause."""

from genlock.errors import Invalid


class Effort:
    """Counts steps down. The largest official templates take a few thousand of them to be converted."""

    def __init__(self, left: int = 400_000) -> None:
        self._left = left

    def spend(self, steps: int = 1) -> None:
        """Count ``steps``; raise ``Invalid`` if there were more than any real workflow takes."""
        self._left -= steps
        if self._left < 0:
            raise Invalid(
                "This workflow cannot be converted: its nodes and links take too many steps to follow.",
                hint="Real workflows take far fewer. Check where the file comes from.",
                code="unconvertible_workflow",
            )
