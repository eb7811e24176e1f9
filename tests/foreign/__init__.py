"""Models of others, small and with weights away from their initial values, and what they make of an input."""

from foreign.clip import OPEN_CLIP
from foreign.full_size import FULL_SIZE
from foreign.hosts import OPENMMLAB, TORCHVISION
from foreign.huggingface import HUGGINGFACE
from foreign.pip_packages import PIP_PACKAGES
from foreign.published import PUBLISHED
from foreign.satmae import GROUPED
from foreign.timm_models import TIMM

__all__ = ['FOREIGN', 'FULL_SIZE']

FOREIGN = [
    *TORCHVISION,
    *OPENMMLAB,
    *TIMM,
    *PUBLISHED,
    *GROUPED,
    *PIP_PACKAGES,
    *OPEN_CLIP,
    *HUGGINGFACE,
]
