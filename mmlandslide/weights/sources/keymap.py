"""A table from one source's parameter names to ours. Pure: no torch here."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

#: A pattern that must match from the start of a key, and what its match becomes.
Rule = tuple[str, str]


@dataclass(frozen=True)
class KeyMap:
    """How one source's keys become ours.

    Attributes:
        name: of the source.
        signs: patterns that must each match some key for a checkpoint to be of this source.
        rules: the first that matches from the start renames the key; a key that none matches stays
            as it is. Query, key and value that the source holds apart become `q.`, `k.`, `v.`
            beside where `qkv.` stands; `layout` joins them.
        dropped: patterns of foreign keys that are no part of a backbone, such as the classifier, or
            that are computed.
        spare: patterns of our keys that a backbone may have no place for, such as the norm of a tap
            that is not asked for.
        new_by_design: beginnings of our names that this source cannot have, beside those that the
            backbone itself names.
        rows: our name of a table that the source has in one piece -> our names of its rows (second
            axis), which we hold apart.
        merging: whether patch merging concatenates (0,0) (1,0) (0,1) (1,1) and must be reordered to
            channel-major.
    """

    name: str
    signs: tuple[str, ...]
    rules: tuple[Rule, ...] = ()
    dropped: tuple[str, ...] = ()
    spare: tuple[str, ...] = ()
    new_by_design: tuple[str, ...] = ()
    rows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    merging: bool = False

    def fits(self, keys: Collection[str]) -> bool:
        """Return whether every sign shows among the keys."""
        return all(any(re.match(sign, key) for key in keys) for sign in self.signs)

    def is_spare(self, ours: str) -> bool:
        """Return whether a backbone may do without this parameter of the source."""
        return any(re.match(pattern, ours) for pattern in self.spare)


def renamer(keymap: KeyMap) -> Callable[[str], str | None]:
    """Return a function from a foreign key to ours, `None` for keys outside a backbone."""
    rules = [(re.compile(pattern), replacement) for pattern, replacement in keymap.rules]
    dropped = [re.compile(pattern) for pattern in keymap.dropped]

    def rename(key: str) -> str | None:
        if any(pattern.match(key) for pattern in dropped):
            return None
        for pattern, replacement in rules:
            if pattern.match(key):
                return pattern.sub(replacement, key, count=1)
        return key

    return rename
