"""A node pack without nodes: it undoes hooks before the first prompt, as another pack or a newer ComfyUI may."""

NODE_CLASS_MAPPINGS: dict[str, type] = {}
