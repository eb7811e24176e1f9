"""Which anchors and proposals a detector is trained on.

A pure function of the tile's key, as the masked units of a tile are.
"""

from typing import Any

import torch
from mmdet.models.task_modules import AssignResult, RandomSampler, SamplingResult
from mmengine.structures import InstanceData

from mmlandslide.errors import ConfigError
from mmlandslide.models.self_supervision.masking import hashed_noise
from mmlandslide.registry import TASK_UTILS


@TASK_UTILS.register_module()
class KeyedRandomSampler(RandomSampler):
    """MMDetection's `RandomSampler`, drawing by (seed, epoch, tile id).

    The draw of a tile then depends neither on its place in the batch nor on the process that has
    it, so that two processes train as one with twice the batch does. Each candidate has its own
    noise and the lowest win: one candidate more or less, which rounding can cause, changes one
    choice and not all. A tile without landslides weighs as much as any other, where MMDetection
    divides by one sample more than it has, so that a loss of two processes is the mean of theirs.
    Takes the arguments of MMDetection's class.
    """

    def sample(
        self,
        assign_result: AssignResult,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        **kwargs: Any,
    ) -> SamplingResult:
        """Sample anchors or proposals of one tile.

        Args:
            assign_result: which true box each candidate belongs to.
            pred_instances: with the candidates in `priors`, (N, 4).
            gt_instances: truth, whose meta information has the tile's `sample_key`.
            kwargs: what MMDetection's class takes.

        Raises:
            ConfigError: the truth carries no key.
        """
        if 'sample_key' not in gt_instances.metainfo_keys():
            remedy = (
                'Let mmlandslide.PackDetection be its last transform, after a data set of '
                'mmlandslide such as COCOTileDataset'
            )
            raise ConfigError.mismatch(
                'gt_instances',
                "carry 'sample_key'",
                gt_instances.metainfo_keys(),
                'the pipeline',
                remedy,
            )
        priors = pred_instances.priors
        keys = torch.tensor([gt_instances.sample_key], device=priors.device)
        self._noise = hashed_noise(keys, len(priors) + len(gt_instances))[
            0
        ]  # (N + M,); the M true boxes may be candidates
        sampled = super().sample(assign_result, pred_instances, gt_instances, **kwargs)
        sampled.avg_factor = len(sampled.pos_inds) + len(
            sampled.neg_inds
        )  # MMDetection counts one positive where there is none
        return sampled

    def random_choice(self, gallery: torch.Tensor, num: int) -> torch.Tensor:
        """Return the `num` of the candidates' indices (K,) that have the lowest noise."""
        return gallery[self._noise[gallery].topk(num, largest=False).indices]
