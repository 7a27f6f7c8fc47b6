"""Workflow graphs in ComfyUI's API format: read strictly, and what the inputs of their nodes mean. Pure."""
