"""The linear warm-up of a learning rate, also where it lasts one iteration."""

from typing import Any

from mmengine.optim.scheduler import LinearLR

from mmlandslide.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class LinearWarmupLR(LinearLR):
    """mmengine's `LinearLR`, which leaves a warm-up of one step at its start factor for good.

    That is a warm-up of one epoch with as many tiles as the batch, or fewer. There is nothing to
    rise from then: the rate starts at its end factor.

    Args:
        args: what `LinearLR` takes.
        begin: first step.
        end: step after the last.
        kwargs: what `LinearLR` takes.
    """

    def __init__(self, *args: Any, begin: int = 0, end: int = 10**9, **kwargs: Any) -> None:
        if end - begin <= 1:
            kwargs['start_factor'] = kwargs.get('end_factor', 1.0)
        super().__init__(*args, begin=begin, end=end, **kwargs)
