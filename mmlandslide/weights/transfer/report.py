"""The status of every backbone parameter after weights were carried into it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CARRIED = ('matched', 'resized', 'widened')


@dataclass
class TransferReport:
    """The account of one transfer.

    Attributes:
        source: what the checkpoint was recognised as.
        path: of the checkpoint.
        numel: of each parameter and running statistic of the backbone.
        status: of each of them: `matched`, `resized`, `widened`, `new by design` or `missing`.
        dropped: keys of the checkpoint that are no part of a backbone, such as its classifier, by
            the source's list.
        spare: parameters of the source that ours needs none of, such as the norm of a tap, by the
            source's list.
        unexpected: keys of the checkpoint's backbone that ours has no place for and no list
            accounts for.
        wrong_shape: for keys present with an unusable shape: theirs and ours.
        lineage: what the weights have seen: `tile_ids`, `config`, `checkpoint`.
        record: what the checkpoint states of itself, see `weights.lineage.record`.
    """

    source: str
    path: str
    numel: dict[str, int]
    status: dict[str, str] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    spare: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    wrong_shape: dict[str, str] = field(default_factory=dict)
    lineage: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)

    def names(self, status: str) -> list[str]:
        """Return the parameters of one status, in the backbone's order."""
        return [name for name in self.numel if self.status.get(name) == status]

    def is_carried(self, name: str) -> bool:
        """Return whether a parameter comes from the checkpoint."""
        return self.status.get(name) in CARRIED

    @property
    def total(self) -> int:
        """Return the number of values that must be carried: all but those new by design."""
        return sum(
            count for name, count in self.numel.items() if self.status.get(name) != 'new by design'
        )

    def share(self, status: str) -> float:
        """Return the share of values with one status, in [0, 1]."""
        return sum(self.numel[name] for name in self.names(status)) / max(self.total, 1)

    @property
    def carried(self) -> float:
        """Return the share of values that come from the checkpoint, in [0, 1]."""
        return sum(count for name, count in self.numel.items() if self.is_carried(name)) / max(
            self.total, 1
        )

    def render(self) -> str:
        """Return the report as text, one line per status."""
        lines = [
            f'Weights from {self.path} ({self.source}): '
            f'{self.carried:.2%} of {self.total:,} backbone values carried over'
        ]
        for status in (*CARRIED, 'missing'):
            names = self.names(status)
            lines.append(
                f'  {status:<13} {len(names):>4} parameters {self.share(status):>8.2%}'
                f'{_some(names, status)}'
            )
        fresh = self.names('new by design')
        lines.append(
            f'  new by design {len(fresh):>4} parameters  outside{_some(fresh, "new by design")}'
        )
        for name, keys in {
            'dropped': self.dropped,
            'spare': self.spare,
            'unexpected': self.unexpected,
        }.items():
            lines.append(f'  {name:<13} {len(keys):>4} keys of the checkpoint{_some(keys, name)}')
        lines += [
            f'  wrong shape   {name}: {shapes}'
            for name, shapes in list(self.wrong_shape.items())[:5]
        ]
        return '\n'.join(lines)


def _some(names: list[str], status: str, limit: int = 6) -> str:
    """Return the first few names, but for those that simply matched."""
    if not names or status == 'matched':
        return ''
    more = f' and {len(names) - limit} more' if len(names) > limit else ''
    return f'  ({", ".join(names[:limit])}{more})'


def shapes(theirs: Mapping[str, Any], name: str, ours: tuple[int, ...]) -> str:
    """Return both shapes of a parameter for a report."""
    return f'checkpoint {tuple(theirs[name].shape)}, backbone {ours}'
