"""Smaller inputs that show the same defect."""

from pathlib import Path

from attempts import Outcome, outcomes

from mmlandslide.datasets.checks.isolation import Readers

PASSES, TRIES = 30, 100


def shrunk(children: Readers, name: str, content: bytes, defect: Outcome, folder: Path) -> bytes:
    """Return an input without blocks that its defect does not need.

    First halves of it, then ever smaller ones.

    Args:
        children: one process that reads each try.
        name: of the reader.
        content: of the input.
        defect: that it shows.
        folder: for the files.
    """
    passes, length = PASSES, len(content) // 2
    while length and passes:
        passes -= 1
        tries = [
            content[:start] + content[start + length :] for start in range(0, len(content), length)
        ][:TRIES]
        found = zip(tries, outcomes(children, name, tries, folder), strict=True)
        kept = next(
            (smaller for smaller, outcome in list(found) if outcome.signature == defect.signature),
            None,
        )
        length, content = (length // 2, content) if kept is None else (length, kept)
    return content
