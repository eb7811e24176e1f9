"""The sampler that tells each sample which draw it belongs to."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from mmengine.dataset import DefaultSampler

from mmlandslide.registry import DATA_SAMPLERS
from mmlandslide.rng import DrawnPositions, SampleIndex


@DATA_SAMPLERS.register_module()
class TileSampler(DefaultSampler):
    """mmengine's `DefaultSampler`, handing seed and epoch along with each position.

    Copies of a dataset in persistent workers never learn the epoch, so it travels with the index: a
    sample's augmentation and mask are then a function of (seed, epoch, tile id) and of nothing
    else.

    Args:
        args: what `DefaultSampler` takes.
        kwargs: what `DefaultSampler` takes.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._skipped = 0
        for wrapper in with_inner(self.dataset):
            if isinstance(getattr(wrapper, 'repeat_indices', None), list):
                wrapper.repeat_indices = DrawnPositions(wrapper.repeat_indices)

    def skip_once(self, samples: int) -> None:
        """Leave the first samples of this process's share out of the next pass only.

        Args:
            samples: how many.
        """
        self._skipped = samples

    def __iter__(self) -> Iterator[SampleIndex]:
        """Yield this process's share of the epoch."""
        skipped, self._skipped = self._skipped, 0
        return (
            SampleIndex(self.seed, self.epoch, position)
            for position in islice(super().__iter__(), skipped, None)
        )


def with_inner(dataset: Any) -> Iterator[Any]:
    """Yield a dataset and, below it, those that the hosts' wrappers hold."""
    yield dataset
    for inner in [*getattr(dataset, 'datasets', ()), getattr(dataset, 'dataset', None)]:
        if inner is not None:
            yield from with_inner(inner)
