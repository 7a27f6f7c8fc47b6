"""Receipts for work made elsewhere: graphs that were run and files with embedded prompts become claims."""
