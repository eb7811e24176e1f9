"""Weights that are wrong, broken or hostile.

Each is refused by one sentence that names the file, wherever it is read.
"""

import pickle
import re

import pytest
import torch
from click.testing import CliRunner
from factories import truncate
from foreign.case import VIT
from foreign.published import official_swin
from foreign.satmae import SatMae
from payload import making
from safetensors.torch import save_file
from torchvision.models import swin_t

from mmlandslide.cli.main import main
from mmlandslide.errors import LandslideError
from mmlandslide.registry import MODELS
from mmlandslide.weights.bridge import load_pretrained

VIT_CFG = {
    'type': 'mmlandslide.VisionTransformer',
    'arch': VIT,
    'img_size': 32,
    'patch_size': 8,
    'bands': 'photograph',
}
SWIN_T = {'type': 'mmlandslide.SwinTransformer', 'arch': 'tiny', 'bands': 'photograph'}
RESNET = {'type': 'mmlandslide.ResNet', 'depth': 18, 'base_channels': 8, 'bands': 'photograph'}
R50 = {**RESNET, 'depth': 50}
SMALLER = {'embed_dims': 48, 'depths': [2, 2, 2, 2], 'num_heads': [3, 6, 12, 24]}
NANO, LARGER = (
    {**SWIN_T, 'arch': arch}
    for arch in ('nano', {**SMALLER, 'embed_dims': 96, 'depths': [2, 2, 4, 2]})
)


def state_of(cfg):
    return dict(MODELS.build(dict(cfg)).state_dict())


def spoilt(state):
    state['layer1.0.conv1.weight'][0, 0] = torch.nan
    state['layer4.1.bn2.running_var'][1] = torch.inf
    return state


def official_swin_t():
    return {official_swin(key): value for key, value in swin_t().state_dict().items()}


def over_time():
    state = state_of(VIT_CFG)
    return {
        **state,
        'patch_embed.projection.weight': state['patch_embed.projection.weight'][:, :, None],
    }


def pickled(path):
    path.write_bytes(pickle.dumps({'state_dict': {'conv1.weight': making(path.parent / 'canary')}}))


def zipped(path):
    torch.save({'state_dict': state_of(RESNET), 'hook': making(path.parent / 'canary')}, path)


def saved(make):
    return lambda path: torch.save(make(), path)


def torn(suffix):
    def write(path):
        (torch.save if suffix == '.pth' else save_file)(state_of(RESNET), path)
        truncate(path)

    return write


#: Name -> suffix, how the file is written, what it is loaded into, other arguments, and what the
#: first sentence says.
WRONG = {
    'Swin into a ViT': (
        '.pth',
        saved(official_swin_t),
        VIT_CFG,
        {},
        r"must be of a VisionTransformer, got 0\.00% of it from 'official Swin'",
    ),
    'ResNet-50 into ResNet-18': (
        '.pth',
        saved(lambda: state_of(R50)),
        RESNET,
        {},
        r'with \d+ parameters missing, such as .*, from ResNet\(depth=50\)',
    ),
    'a smaller Swin into a larger one': (
        '.pth',
        saved(lambda: state_of(NANO)),
        LARGER,
        {},
        r"got 0\.\d\d% with .*from SwinTransformer\(arch=\{'embed_dims': 48",
    ),
    'a MAE of other patches': (
        '.pth',
        saved(lambda: state_of(VIT_CFG)),
        {**VIT_CFG, 'patch_size': 16},
        {},
        r'missing, such as .*from .*patch_size=8',
    ),
    'SatMAE into a ViT': (
        '.pth',
        saved(lambda: SatMae().state_dict()),
        VIT_CFG,
        {},
        r"from ('SatMAE over groups|SatMAEViT\(.*groups=)",
    ),
    'patches with an axis of time': (
        '.pth',
        saved(over_time),
        VIT_CFG,
        {},
        r'(such as .*patch_embed.projection.weight.*no whole backbone|must be of a Vis)',
    ),
    'a pickle with code': (
        '.pth',
        pickled,
        RESNET,
        {},
        'must hold tensors and plain types only, got .*which names code',
    ),
    'a checkpoint with code': (
        '.pth',
        zipped,
        RESNET,
        {},
        r'must hold tensors and plain types only, got .*mkdir',
    ),
    'half a .pth': ('.pth', torn('.pth'), RESNET, {}, 'checkpoint must '),
    'half a .safetensors': ('.safetensors', torn('.safetensors'), RESNET, {}, 'checkpoint must '),
    'values that are not finite': (
        '.pth',
        saved(lambda: spoilt(state_of(RESNET))),
        RESNET,
        {},
        r"weights must be finite, got NaN or infinite .* in 2 of \d+ .*\['layer1\.0\.conv1\.weight'",
    ),
    'a source that nobody knows': (
        '.pth',
        saved(lambda: state_of(RESNET)),
        RESNET,
        {'source': 'timm'},
        r"source must be 'auto' or one of .*got 'timm'",
    ),
    'a source that it is not of': (
        '.pth',
        saved(lambda: state_of(RESNET)),
        RESNET,
        {'source': 'HuggingFace Swin'},
        "must have the keys of 'HuggingFace Swin'",
    ),
    'twelve bands without names': (
        '.pth',
        saved(lambda: state_of({**RESNET, 'bands': 's2'})),
        RESNET,
        {},
        'bands must name the 12 channels of the stem',
    ),
}


#: What `inspect` calls those that can be read; the others of them are of ResNets.
READ_AS = {
    'Swin into a ViT': 'official Swin',
    'a smaller Swin into a larger one': 'MMPretrain Swin',
    'a MAE of other patches': 'MMPretrain ViT',
    'patches with an axis of time': 'MMPretrain ViT',
    'SatMAE into a ViT': 'SatMAE over groups of bands',
}
UNREADABLE = ('a pickle with code', 'a checkpoint with code', 'half a .pth', 'half a .safetensors')
ARCHITECTURES = {
    'VisionTransformer': 'vit_tiny',
    'SwinTransformer': 'swin_tiny',
    'ResNet': 'resnet18',
}


@pytest.fixture(params=WRONG)
def wrong(request, tmp_path):
    """Return the name of a case and its file; nothing may have run by the end."""
    suffix, write, *_ = WRONG[request.param]
    path = tmp_path / f'wrong{suffix}'
    write(path)
    yield request.param, path
    assert not (tmp_path / 'canary').exists()


def sentence(message):
    """Return the first line of a message, or the only one that a verb calls an error.

    It must be in the house form.
    """
    lines = message.splitlines()
    errors = [
        line.removeprefix('error: ') for line in lines if line.startswith('error: ')
    ] or lines[:1]
    assert len(errors) == 1
    assert re.fullmatch(r'.+ must .+, got .+ in .+\. .+\.', errors[0]), errors[0]
    return errors[0]


def test_a_backbone_refuses_it(wrong):
    name, path = wrong
    *_, cfg, options, said = WRONG[name]
    with pytest.raises(LandslideError) as caught:
        load_pretrained(MODELS.build(dict(cfg)), str(path), **options)
    assert re.search(said, sentence(str(caught.value)))
    assert str(path) in sentence(str(caught.value))


def run(*arguments):
    """Return the exit code of a verb and what it says; it may not end in an exception."""
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_convert_refuses_it_and_writes_nothing(wrong):
    name, path = wrong
    *_, cfg, options, said = WRONG[name]
    out, arch = (
        path.with_name('out.safetensors'),
        ARCHITECTURES[cfg['type'].removeprefix('mmlandslide.')],
    )
    code, output = run(
        'convert',
        path,
        '--out',
        out,
        '--arch',
        arch,
        *(f'--{key}={value}' for key, value in options.items()),
    )
    assert (code, out.exists()) == (1, False)
    assert re.search(said, sentence(output))
    assert str(path) in sentence(output)


def test_inspect_says_what_it_is_or_refuses_it(wrong):
    name, path = wrong
    code, output = run('inspect', path)
    assert code == (name in UNREADABLE)
    if code:
        assert str(path) in sentence(output)
    else:
        assert READ_AS.get(name, 'ResNet of torchvision or MMPretrain') in output
        assert ('not finite: layer4.1.bn2.running_var has 0 NaN and 1 infinite' in output) == (
            name == 'values that are not finite'
        )
