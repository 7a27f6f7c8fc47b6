"""The table of top-level commands: where each is defined, and its line in ``genlock --help``.

A test compares the lines with the first sentences of the commands' own help.
"""

from genlock.cli.lazy_group import LazyCommand


def _panel(title: str, commands: dict[str, tuple[str, str]]) -> dict[str, LazyCommand]:
    """Return the commands of one panel of the help, each given as ``module:attribute`` and its line."""
    return {
        name: LazyCommand(f"genlock.cli.{module}", attribute, line, title)
        for name, (location, line) in commands.items()
        for module, _, attribute in [location.partition(":")]
    }


COMMANDS = {
    **_panel(
        "Timeline",
        {
            "project": ("timeline:projects", "Projects: one for each production."),
            "scene": ("timeline:scenes", "Scenes: the ordered parts of a project."),
            "segment": ("timeline:segments", "Segments: the ordered parts of a scene."),
        },
    ),
    **_panel(
        "Assets and imports",
        {
            "asset": ("library:assets", "Assets: the versioned inputs of generations."),
            "workflow": ("workflows:workflows", "Workflows: which node input of a graph takes which value."),
            "scan": ("scanning:app", "Register new and changed files in folders as assets and versions."),
            "import": ("imports:app", "Record takes made before Genlock, from the metadata of their files."),
            "inbox": ("inbox:inbox", "ComfyUI runs not yet assigned to a segment."),
        },
    ),
    **_panel(
        "Inspect",
        {
            "status": ("status:app", "Show which segments are out of date, why, and what to do."),
            "usage": ("library:app", "Show which takes used an asset, or one version of it."),
            "provenance": ("receipts:app", "Show what a segment was made with, and why it is in its state."),
            "takes": ("receipts:app", "List all takes of a segment, newest first."),
            "receipt": ("receipts:app", "Show a receipt, or save its original document."),
            "receipts": ("receipts:app", "Find receipts by input, output, seed or prompt."),
            "diff": ("receipts:app", "Show the differences between two receipts: inputs, parameters, engine, outputs."),
            "verify": (
                "verify:app",
                "Check a receipt without a server: its format, its digests, and that it names these files.",
            ),
            "reproduce": (
                "reproducing:app",
                "Render a receipt again with the same inputs, graph and engine, and compare.",
            ),
            "reproductions": (
                "reproducing:app",
                "List the reproductions of a receipt with their verdicts, newest first.",
            ),
            "events": ("events:app", "Show events, oldest first."),
        },
    ),
    **_panel(
        "Render",
        {
            "plan": ("planning:app", "Show what would be rendered again and what is left out; --yes starts it."),
            "plans": ("plans:plans", "Plans: show, start, follow, cancel, retry."),
            "render": (
                "planning:app",
                "Render a segment, every segment of a scene, or a new version of an asset such as a variant.",
            ),
            "select": ("decisions:app", "Select another take of a segment."),
        },
    ),
    **_panel(
        "Decisions",
        {
            "waive": ("decisions:app", "Accept a cause: its segments count as waived until that asset changes again."),
            "unwaive": ("decisions:app", "Withdraw waivers, so that their causes count again."),
            "waivers": (
                "decisions:app",
                "List a project's waivers, newest first, including withdrawn and expired ones.",
            ),
            "pin": ("decisions:app", "Make a project, or one of its scenes, use a fixed version of an asset."),
            "unpin": ("decisions:app", "Make a project or scene follow the active version of an asset again."),
            "pins": ("decisions:app", "List the pins of a project and its scenes."),
        },
    ),
    **_panel(
        "Server and machine",
        {
            "up": ("server:app", "Run the server in the foreground until Ctrl-C or `genlock down`."),
            "open": ("server:app", "Print a link that signs a browser in to the web pages, once, and open it."),
            "down": ("server:app", "Stop the data folder's server, its workers and its embedded database."),
            "worker": ("server:app", "Run a worker in the foreground."),
            "token": ("access:tokens", "Access tokens: who may use the server, and with which role."),
            "comfyui": ("comfyui:comfyui", "ComfyUI extension, which records every run: install and check it."),
            "sketch": ("samples:sketch", "Built-in sketch engine: a small renderer for trying things out."),
            "demo": (
                "demo.command:app",
                "Run the demo on real files: 60 segments, one asset changes, exactly 12 are rendered again.",
            ),
        },
    ),
}
