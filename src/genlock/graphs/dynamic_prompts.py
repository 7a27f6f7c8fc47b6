"""Prompts as ComfyUI's page finishes them before it runs a graph: without comments, one of ``{several|choices}``."""

import re

_COMMENTS = re.compile(r"/\*[\s\S]*?\*/|//[^\n\r\u2028\u2029]*")


def without_comments_and_choices(text: str) -> str | None:
    """Return a prompt without comments, and ``{choices}`` of one; None if a choice is left to chance."""
    while True:
        text = _COMMENTS.sub("", text)
        unbraced = _without_braces(text)
        if unbraced is None or unbraced == text:
            return unbraced
        text = unbraced


def _without_braces(text: str) -> str | None:
    """Return a text without its outermost braces; None if they hold several choices. A backslash escapes."""
    parts: list[str] = []
    depth, index = 0, 0
    while index < len(text):
        character = text[index]
        if character == "\\":
            parts.append(text[index : index + 2])
            index += 2
            continue
        if character == "{":
            depth += 1
            if depth > 1:
                parts.append(character)
        elif character == "}" and depth:
            depth -= 1
            if depth:
                parts.append(character)
        elif character == "|" and depth == 1:
            return None
        else:
            parts.append(character)
        index += 1
    return "".join(parts)
