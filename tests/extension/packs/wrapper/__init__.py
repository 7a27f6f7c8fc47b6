"""A node pack without nodes: what it does, it does before ComfyUI starts."""

NODE_CLASS_MAPPINGS: dict[str, type] = {}
