"""The device that a command computes on."""

import torch

from mmlandslide.errors import ConfigError


def device_named(name: str) -> torch.device:
    """Return a device, the first GPU for `auto` where there is one.

    Raises:
        ConfigError: there is no such device.
    """
    if name == 'auto':
        return torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        got = f'{name!r} ({str(error).splitlines()[0]})'
        raise ConfigError.mismatch(
            'device', 'be there', got, 'this machine', 'Pass cpu, or auto'
        ) from error
    return device
