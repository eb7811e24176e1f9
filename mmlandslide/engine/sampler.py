"""The sampler that tells each sample which draw it belongs to."""

from collections.abc import Iterator

from mmengine.dataset import DefaultSampler

from mmlandslide.registry import DATA_SAMPLERS
from mmlandslide.rng import SampleIndex


@DATA_SAMPLERS.register_module()
class TileSampler(DefaultSampler):
    """mmengine's `DefaultSampler`, handing seed and epoch along with each position.

    Copies of a dataset in persistent workers never learn the epoch, so it travels with the index: a sample's augmentation and
    mask are then a function of (seed, epoch, tile id) and of nothing else.
    """

    def __iter__(self) -> Iterator[SampleIndex]:
        """Yield this process's share of the epoch."""
        return (SampleIndex(self.seed, self.epoch, position) for position in super().__iter__())
