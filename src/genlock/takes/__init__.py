"""Takes and their receipts."""
