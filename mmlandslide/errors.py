"""The errors that a user of mmlandslide can cause.

Each message reads `<subject> must <expected>, got <actual> in <where>. <what to do>.` Every class
is also the builtin that a caller who knows nothing of this package would catch.
"""

#: Characters of a part of a message: more than any of our own has.
_LONGEST = 1000


def shown(value: object) -> str:
    """Return a value as text for a message.

    What a file says may be a megabyte long, or commands to the terminal.

    Args:
        value: of any type.

    Returns:
        Its text without the middle of what is long, control characters written out.
    """
    text = str(value)
    return _printable(
        text if len(text) <= _LONGEST else f'{text[: _LONGEST - 300]} ... {text[-300:]}'
    )


def _printable(value: object) -> str:
    return ''.join(
        character if character.isprintable() else repr(character)[1:-1] for character in str(value)
    )


class LandslideError(Exception):
    """Base of every error that mmlandslide raises on purpose."""

    @classmethod
    def mismatch(
        cls, subject: str, expected: str, got: object, where: object, remedy: str
    ) -> 'LandslideError':
        """Build an error of this class in the house form.

        Args:
            subject: what is wrong, such as `dataset 'img'`.
            expected: what it must be, without the word `must`.
            got: what it is.
            where: the file, config or option that holds it.
            remedy: what the user does about it, a sentence without its full stop.

        Returns:
            The error, to be raised by the caller.
        """
        return cls(
            f'{shown(subject)} must {shown(expected)}, got {shown(got)} '
            f'in {_printable(where)}. {shown(remedy)}.'
        )


class TileError(LandslideError, ValueError):
    """A tile, mask or annotation file does not hold what it must."""


class DatasetError(LandslideError, ValueError):
    """A dataset folder, split or pairing does not hold what it must."""


class MissingPathError(LandslideError, FileNotFoundError):
    """A file or folder that is needed is not there."""


class SceneError(LandslideError, ValueError):
    """A scene, its elevation model or its cloud mask does not hold what it must."""


class BandError(LandslideError, KeyError):
    """A band name is not known, or not available in the data at hand."""

    def __str__(self) -> str:
        """Return the message as written (`KeyError` would quote it)."""
        return str(self.args[0]) if self.args else ''


class ConfigError(LandslideError, ValueError):
    """A config asks for something that cannot be, or the installed stack does not fit."""


class CheckpointError(LandslideError, ValueError):
    """A checkpoint file cannot be read safely."""


class CheckpointMismatchError(CheckpointError):
    """A checkpoint does not fit the backbone that it is loaded into."""


class TrainingDivergedError(LandslideError, ArithmeticError):
    """A loss or a weight of a training is no longer finite."""


class StorageError(LandslideError, OSError):
    """A file cannot be written: the disk is full, or nobody may write there."""


class SplitOverlapError(LandslideError, ValueError):
    """A tile would be tested by a model whose training or pre-training has seen it."""
