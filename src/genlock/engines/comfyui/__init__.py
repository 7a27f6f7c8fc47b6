"""Renders in a ComfyUI server, over HTTP and its web socket; nothing of ComfyUI is imported."""
