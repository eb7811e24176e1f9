"""A mapping of a text file, read key by key, so that each fault names the file and the key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmlandslide.errors import ConfigError


@dataclass
class Section:
    """One mapping of the file.

    Attributes:
        path: of the file.
        key: of the mapping, with those above it; empty at the top.
        content: its keys and values.
        asked: keys that were read so far, all others are unknown.
    """

    path: Path
    key: str
    content: Mapping[str, Any]
    asked: list[str] = field(default_factory=list)

    def take(
        self, key: str, kinds: type | tuple[type, ...], default: Any = None, required: bool = False
    ) -> Any:
        """Return the value of a key.

        Args:
            key: in this mapping.
            kinds: types that it may have; `True` is no whole number.
            default: where the key is missing.
            required: refuse a missing key.

        Raises:
            ConfigError: missing, or of another type.
        """
        self.asked.append(key)
        if key not in self.content and not required:
            return default
        value = self.content.get(key)
        if not isinstance(value, kinds) or isinstance(value, bool) is not (kinds is bool):
            wanted = ' or '.join(
                kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,))
            )
            got = repr(value) if key in self.content else 'nothing'
            raise self.fault(key, f'be {wanted}', got, 'Correct it')
        return value

    def section(self, key: str, content: Any) -> 'Section':
        """Return the mapping below a key."""
        if not isinstance(content, Mapping):
            raise self.fault(key, 'be a mapping', repr(content), 'Write keys with values below it')
        return Section(self.path, self.named(key), content)

    def sections(self, key: str) -> dict[str, 'Section']:
        """Return the mappings below a key that names at least one."""
        content = self.take(key, dict, required=True)
        if not content:
            raise self.fault(key, 'name at least one', 'none', 'Write one')
        return {str(name): self.section(f'{key}.{name}', each) for name, each in content.items()}

    def closed(self) -> None:
        """Refuse keys that nobody asked for."""
        unknown = [key for key in self.content if key not in self.asked]
        if unknown:
            raise self.fault(
                str(unknown[0]), f'be one of {self.asked}', 'an unknown key', 'Correct its spelling'
            )

    def named(self, key: str) -> str:
        """Return the whole name of a key."""
        return f'{self.key}.{key}' if self.key else key

    def fault(self, key: str, expected: str, got: object, remedy: str) -> ConfigError:
        """Return an error that names file and key."""
        error = ConfigError.mismatch(self.named(key), expected, got, self.path, remedy)
        assert isinstance(error, ConfigError)
        return error
