"""What a config says of where weights come from, checked before anything is read."""

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, signature
from typing import Any

from mmlandslide.errors import ConfigError


def require_options(
    options: object, reader: Callable[..., Any], where: str, given: Sequence[str] = ()
) -> None:
    """Refuse what a function cannot be called with.

    Args:
        options: keyword arguments, as a config has them.
        reader: the function.
        where: they stand in the config.
        given: parameters that do not come from the config.

    Raises:
        ConfigError: they are no mapping, one is not known, or one that must be given is no text or
            is missing.
    """
    parameters = {
        name: each for name, each in signature(reader).parameters.items() if name not in given
    }
    needed = [name for name, each in parameters.items() if each.default is Parameter.empty]
    keys = ', '.join(f'{name}=...' for name in needed)
    remedy = f'Write dict({keys}); the names are {list(parameters)}'
    if not isinstance(options, Mapping):
        raise ConfigError.mismatch(
            where, f'be a dict with {needed}', repr(options), 'the config', remedy
        )
    unknown = [name for name in options if name not in parameters]
    if unknown:
        raise ConfigError.mismatch(
            where, f'have no other keys than {list(parameters)}', unknown, 'the config', remedy
        )
    bad = {name: options.get(name) for name in needed if not isinstance(options.get(name), str)}
    if bad:
        raise ConfigError.mismatch(where, f'name {list(bad)} by a text', bad, 'the config', remedy)


def refuse_host_weights(init_cfg: object, where: str) -> None:
    """Refuse an `init_cfg` of mmengine's that reads a checkpoint.

    It loads what happens to fit and goes on with a warning.

    Args:
        init_cfg: a dict or several, or nothing.
        where: it stands in the config.

    Raises:
        ConfigError: one of them is of type `Pretrained`.
    """
    for each in init_cfg if isinstance(init_cfg, list | tuple) else (init_cfg,):
        kind = each.get('type') if isinstance(each, Mapping) else None
        name = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
        if name.rpartition('.')[2] in ('Pretrained', 'PretrainedInit'):
            raise ConfigError.mismatch(
                where,
                'not read a checkpoint, as it would keep silent about what does not fit',
                repr(name),
                'the config',
                'Start the backbone with model.backbone.pretrained=dict(checkpoint=...), '
                'or all of the model with load_from',
            )
