"""What must hold of all that a reader accepts."""


class BrokenPromiseError(Exception):
    """A reader accepted something that it promises to refuse, or refused without saying where."""


def promise(kept: object, what: str) -> None:
    """Raise `BrokenPromiseError` unless what was promised holds."""
    if not kept:
        raise BrokenPromiseError(what)
