"""How the first layer's weights for B source bands become weights for N target bands."""

from collections.abc import Callable, Sequence

import torch

from mmlandslide.bands import BANDS, GROUPS, LANDSLIDE4SENSE, names
from mmlandslide.errors import BandError, ConfigError

Rule = Callable[[torch.Tensor, Sequence[str], Sequence[str], list[int | None]], torch.Tensor]


def source_bands(
    count: int, stated: str | Sequence[str] | None = None, where: object = 'the checkpoint'
) -> tuple[str, ...]:
    """Return the bands of a stem.

    Args:
        count: of its channels.
        stated: names or groups; where `None`, three channels are red, green, blue, thirteen all of
            Sentinel-2 L1C's in their order (as in SSL4EO-S12 and TorchGeo), and fourteen
            Landslide4Sense's.
        where: the stem is, for the error.

    Raises:
        BandError: there are no names, or not as many.
    """
    by_count = {len(group): group for group in (GROUPS['rgb8'], GROUPS['s2_l1c'], LANDSLIDE4SENSE)}
    found = by_count.get(count, ()) if stated is None else names(stated)
    _check_count(count, found, where)
    return found


def _check_count(count: int, source: Sequence[str], where: object = 'the checkpoint') -> None:
    if len(source) != count:
        raise BandError.mismatch(
            'source bands',
            f'name the {count} channels of the stem',
            source,
            where,
            'Name them in their order with pretrained.source_bands, or --source-bands',
        )


def counterparts(source: Sequence[str], target: Sequence[str]) -> list[int | None]:
    """Return for each target band the source band that shows the same.

    The same name, else the same colour.

    Args:
        source: band names of the weights.
        target: band names wanted.

    Returns:
        Positions in `source`, `None` where there is no counterpart.
    """
    colors = {
        BANDS[name].color: index
        for index, name in enumerate(source)
        if name in BANDS and BANDS[name].color
    }

    def find(name: str) -> int | None:
        if name in source:
            return list(source).index(name)
        return colors.get(BANDS[name].color) if name in BANDS and BANDS[name].color else None

    return [find(name) for name in target]


def adapt(
    weight: torch.Tensor, source: Sequence[str], target: Sequence[str], rule: str
) -> torch.Tensor:
    """Return the stem's weights for the target bands.

    A band with a counterpart takes its weights as they are (but for `mean`). The others, by rule:

    - `rgb`: the mean over the source bands, divided by the number of bands that take it, so that
      together they weigh as much as one band of the source.
    - `zero`: nothing, so that the features equal those of the source bands alone.
    - `nearest`: the source band of the nearest wavelength, divided by the number that take that
      band; a band that is not light starts at zero.
    - `mean`: every band, counterpart or not, takes the mean over the source bands times source
      bands / target bands (the inflation of Carreira and Zisserman 2017, section 2.4.1, along the
      bands).

    Args:
        weight: (O, B, h, w).
        source: B band names.
        target: N band names.
        rule: `rgb`, `zero`, `nearest` or `mean`.

    Returns:
        (O, N, h, w), same dtype.

    Raises:
        ConfigError: the rule is not known.
        BandError: `source` does not have a name for each column of `weight`.
    """
    if rule not in RULES:
        raise ConfigError.mismatch(
            'stem rule',
            f'be one of {list(RULES)}',
            repr(rule),
            'pretrained.stem',
            'Choose one of them',
        )
    _check_count(weight.shape[1], source)
    if tuple(source) == tuple(target):
        return weight
    return RULES[rule](weight, source, target, counterparts(source, target))


def _gather(weight: torch.Tensor, found: list[int | None]) -> torch.Tensor:
    """Return the columns of the counterparts, zeros elsewhere."""
    out = weight.new_zeros(weight.shape[0], len(found), *weight.shape[2:])
    for column, index in enumerate(found):
        if index is not None:
            out[:, column] = weight[:, index]
    return out


def _rgb(
    weight: torch.Tensor, _source: Sequence[str], _target: Sequence[str], found: list[int | None]
) -> torch.Tensor:
    out = _gather(weight, found)
    others = [column for column, index in enumerate(found) if index is None]
    if others:
        out[:, others] = weight.mean(1, keepdim=True) / len(others)
    return out


def _zero(
    weight: torch.Tensor, _source: Sequence[str], _target: Sequence[str], found: list[int | None]
) -> torch.Tensor:
    return _gather(weight, found)


def _nearest(
    weight: torch.Tensor, source: Sequence[str], target: Sequence[str], found: list[int | None]
) -> torch.Tensor:
    out = _gather(weight, found)
    lights = {
        index: nm for index, name in enumerate(source) if (nm := _wavelength(name)) is not None
    }
    takers: dict[int, list[int]] = {}
    for column, (name, index) in enumerate(zip(target, found, strict=True)):
        wavelength = _wavelength(name)
        if index is None and wavelength is not None and lights:
            nearest = min(lights, key=lambda at: abs(lights[at] - wavelength))
            takers.setdefault(nearest, []).append(column)
    for index, columns in takers.items():
        out[:, columns] = weight[:, index : index + 1] / len(columns)
    return out


def _mean(
    weight: torch.Tensor, source: Sequence[str], target: Sequence[str], _found: list[int | None]
) -> torch.Tensor:
    return (weight.mean(1, keepdim=True) * (len(source) / len(target))).repeat(1, len(target), 1, 1)


def _wavelength(name: str) -> float | None:
    return BANDS[name].wavelength_nm if name in BANDS else None


RULES: dict[str, Rule] = {'rgb': _rgb, 'mean': _mean, 'zero': _zero, 'nearest': _nearest}
