"""A YAML file read into a strict pydantic model; each fault is one line with file and key."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from mmlandslide import plain_yaml
from mmlandslide.errors import ConfigError, LandslideError, MissingPathError

_REMEDY = 'Correct it'
_PATHS = 'Check the path, which counts from the folder where you run this'


class FaultError(ValueError):
    """A value that a validator refuses.

    Args:
        key: below the one that is validated; empty for that one.
        expected: what it must be, without the word `must`.
        got: what it is.
        remedy: what the user does about it, a sentence without its full stop.
        kind: class of the error.
    """

    def __init__(
        self,
        key: str,
        expected: str,
        got: object,
        remedy: str,
        kind: type[LandslideError] = ConfigError,
    ) -> None:
        super().__init__(expected)
        self.key, self.expected, self.got, self.remedy, self.kind = key, expected, got, remedy, kind


class YamlModel(BaseModel):
    """Base of the mappings of a file: no value is converted, no unknown key ignored."""

    model_config = ConfigDict(strict=True, extra='forbid', frozen=True)

    @model_validator(mode='before')
    @classmethod
    def _known_keys(cls, content: Any) -> Any:
        """Name the valid keys beside an unknown one."""
        if not isinstance(content, Mapping):
            raise FaultError('', 'be a mapping', repr(content), 'Write keys with values below it')
        known = [field.alias or name for name, field in cls.model_fields.items()]
        for key in content:
            if key not in known:
                remedy = 'Correct its spelling'
                raise FaultError(str(key), f'be one of {known}', 'an unknown key', remedy)
        return content


def existing_file(path: object) -> str:
    """Validate the path of a file that is there; it counts from the current folder.

    Raises:
        FaultError: no text, or no such file.
    """
    if not isinstance(path, str):
        raise FaultError('', 'be the path of a file', repr(path), 'Write one')
    try:
        found = Path(path).is_file()
    except OSError:  # a name that no file can have
        found = False
    if not found:
        raise FaultError('', f'name the file {path}', 'nothing', _PATHS, MissingPathError)
    return path


Model = TypeVar('Model', bound=YamlModel)


def read_yaml(path: Path, kind: type[Model], subject: str, defaults: Mapping[str, Any]) -> Model:
    """Read a file.

    Args:
        path: of the file.
        kind: model of its content.
        subject: what the file is, for errors.
        defaults: top keys that may be missing -> their values.

    Raises:
        MissingPathError: no such file, or one that it names is missing.
        ConfigError: not YAML, or a key that is missing, unknown, doubled or without meaning.
        LandslideError: what a validator of the model refuses.
    """
    if not path.is_file():
        raise MissingPathError.mismatch(subject, 'be a file', 'nothing', path, _PATHS)
    try:
        content = plain_yaml.load(path.read_text(encoding='utf-8'))
        whole = {**defaults, **content} if isinstance(content, dict) else content
        return kind.model_validate(whole)
    except ValidationError as error:
        raise _one_line(error, path, subject) from error
    except RecursionError as error:
        got, remedy = 'lists within lists without end', 'Take them apart'
        raise ConfigError.mismatch(subject, 'be plain YAML', got, path, remedy) from error
    # A date that is none comes out of PyYAML as Python's own errors.
    except (yaml.YAMLError, ValueError, AttributeError) as error:
        got = repr(' '.join(str(error).split()))
        remedy = 'Correct that line'
        raise ConfigError.mismatch(subject, 'be YAML', got, path, remedy) from error


def _one_line(error: ValidationError, path: Path, subject: str) -> LandslideError:
    """Return the first fault that was found."""
    first = error.errors(include_url=False)[0]
    place = [str(part) for part in first['loc'] if part != '[key]']
    fault = first.get('ctx', {}).get('error')
    if not isinstance(fault, FaultError):
        expected = first['msg'].removeprefix('Input should ').replace('dictionary', 'mapping')
        expected = 'be given' if first['type'] == 'missing' else expected.replace('tuple', 'list')
        got = 'nothing' if first['type'] == 'missing' else repr(first['input'])
        fault = FaultError('', expected, got, _REMEDY)
    key = '.'.join([*place, *filter(None, [fault.key])])
    return fault.kind.mismatch(key or subject, fault.expected, fault.got, path, fault.remedy)
