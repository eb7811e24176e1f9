"""Batches whose images and labels are mixed with each other."""

import torch
import torch.nn.functional as F

from mmlandslide.errors import ConfigError


class BatchMixing:
    """Mix each image of a batch with another one, and their labels in the same share.

    Mixup or CutMix, drawn each step. Mixup (Zhang et al. 2018, arXiv 1710.09412) blends whole
    images; CutMix (Yun et al. 2019, arXiv 1905.04899) puts a rectangle of the other image in.
    MMPretrain's draw from NumPy's global state, which no checkpoint keeps; these draw from torch's,
    which `StepSeedHook` seeds by (seed, iteration), so that a resumed training mixes as it would
    have.

    Args:
        mixup: parameter a of the Beta(a, a) from which the share of blended images is drawn; 0 for
            none of them.
        cutmix: the same for rectangles. Where both are above 0, each step takes one of them with
            equal probability.

    Raises:
        ConfigError: a parameter below 0.
    """

    def __init__(self, mixup: float = 0.0, cutmix: float = 0.0) -> None:
        asked = {'mixup': mixup, 'cutmix': cutmix}
        for name, alpha in asked.items():
            if not alpha >= 0:
                raise ConfigError.mismatch(
                    name, 'be 0 or more', alpha, 'model.mixing', 'Give 0 for none of them'
                )
        self.alphas = {name: alpha for name, alpha in asked.items() if alpha > 0}

    def __call__(
        self, images: torch.Tensor, targets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images and targets, mixed.

        Args:
            images: (B, C, H, W).
            targets: (B, K), a share for each class.
        """
        if not self.alphas:
            return images, targets
        kind, alpha = list(self.alphas.items())[int(torch.randint(len(self.alphas), ()))]
        share = float(torch.distributions.Beta(alpha, alpha).sample())
        other = torch.randperm(len(images), device=images.device)
        if kind == 'mixup':
            images = torch.lerp(images[other], images, share)
        else:
            images, share = with_rectangle(images, images[other], share)
        return images, torch.lerp(targets[other], targets, share)


def with_rectangle(
    images: torch.Tensor, others: torch.Tensor, share: float
) -> tuple[torch.Tensor, float]:
    """Return images with a rectangle of others put in, and the share of pixels that stayed.

    Args:
        images: (B, C, H, W).
        others: (B, C, H, W).
        share: of pixels that ought to stay; fewer are covered where the rectangle's random centre
            lies near an edge.
    """
    height, width = images.shape[-2:]
    side = (1 - share) ** 0.5
    (top, bottom), (left, right) = _span(height, side), _span(width, side)
    mixed = images.clone()
    mixed[..., top:bottom, left:right] = others[..., top:bottom, left:right]
    return mixed, 1 - (bottom - top) * (right - left) / (height * width)


def _span(length: int, part: float) -> tuple[int, int]:
    """Return a span of a part of a length around a random centre, cut at the ends."""
    centre, half = int(torch.randint(length, ())), round(length * part) // 2
    return max(centre - half, 0), min(centre + half, length)


def one_hot(labels: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Return labels (B,) as targets (B, K) float32."""
    return F.one_hot(labels, num_classes).float()
