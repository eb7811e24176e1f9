"""Reading a config of mmengine's."""

from pathlib import Path

from mmengine.config import Config

from mmlandslide.errors import ConfigError


def read_config(path: str | Path, subject: str = 'config') -> Config:
    """Return a config.

    Args:
        path: of its file, which is there.
        subject: what is read, for the error.

    Raises:
        ConfigError: it is none.
    """
    try:
        return Config.fromfile(path)
    except Exception as error:  # a config is a program: it may fail in any way
        got = repr(f'{type(error).__name__}: {error}')
        raise ConfigError.mismatch(
            subject, 'be a config of mmengine', got, path, 'Correct it, or pass another'
        ) from error
