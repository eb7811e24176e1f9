import hashlib
import json
import pickle

import pytest
import torch
from click.testing import CliRunner
from factories import evaluated, randomised, truncate
from foreign import FOREIGN
from foreign.published import Mae
from foreign.satmae import BANDS, SatMae, ours_satmae
from payload import Payload
from safetensors import safe_open
from safetensors.torch import load_file

from mmlandslide.cli.main import main
from mmlandslide.models.backbones.band_backbone import ResNet
from mmlandslide.models.backbones.swin_transformer import SwinTransformer
from mmlandslide.models.backbones.vision_transformer import VisionTransformer
from mmlandslide.weights.bridge import load_pretrained
from mmlandslide.weights.sources import keymaps

#: The first case of each source.
ONE_EACH = list({foreign.source: foreign for foreign in reversed(FOREIGN)}.values())


def convert(checkpoint, out, *options):
    return CliRunner().invoke(main, ['convert', str(checkpoint), '--out', str(out), *options])


def refusal(tmp_path, checkpoint, *options):
    """Return what is said of a file that is refused; nothing may be written."""
    result = convert(checkpoint, tmp_path / 'out.safetensors', *options)
    assert (result.exit_code, (tmp_path / 'out.safetensors').exists()) == (1, False)
    assert isinstance(result.exception, SystemExit)
    return result.output


def resnet(bands='photograph'):
    return evaluated(ResNet(depth=18, base_channels=8, bands=bands))


@torch.no_grad()
@pytest.mark.parametrize('foreign', ONE_EACH, ids=lambda foreign: foreign.source)
def test_a_converted_file_loads_as_the_backbone_that_it_was(foreign, tmp_path):
    path, out = foreign.save(randomised(foreign.theirs()), tmp_path), tmp_path / 'out.safetensors'
    result = convert(path, out)
    assert result.exit_code == 0, result.output
    assert f'({foreign.source}): 100.00% of' in result.output
    direct, converted = evaluated(foreign.ours()), evaluated(foreign.ours())
    load_pretrained(direct, str(path))
    converted.pretrained = {'checkpoint': str(out)}
    converted.init_weights()
    x = torch.rand(1, foreign.channels, foreign.side_px, foreign.side_px)
    assert torch.equal(foreign.taken(direct(x)), foreign.taken(converted(x)))


def test_the_file_says_what_it_is_and_what_its_weights_have_seen(tmp_path):
    own = {
        'bands': ['B8', 'B4'],
        'tile_ids': ['l:1'],
        'lineage': {'tile_ids': ['l:0']},
        'config': 'mae.py',
    }
    torch.save(
        {'state_dict': resnet(('B8', 'B4')).state_dict(), 'meta': {'mmlandslide': own}},
        tmp_path / 'epoch_1.pth',
    )
    assert convert(tmp_path / 'epoch_1.pth', tmp_path / 'out.safetensors').exit_code == 0
    with safe_open(tmp_path / 'out.safetensors', 'pt') as file:
        record = json.loads(file.metadata()['mmlandslide'])
    assert record['sha256'] == hashlib.sha256((tmp_path / 'epoch_1.pth').read_bytes()).hexdigest()
    assert (record['bands'], record['source']) == (
        ['B8', 'B4'],
        'ResNet of torchvision or MMPretrain',
    )
    report = load_pretrained(resnet('B4'), str(tmp_path / 'out.safetensors'))
    assert (report.lineage['tile_ids'], report.lineage['config']) == (['l:0', 'l:1'], 'mae.py')


def test_a_stem_is_widened_by_name(tmp_path):
    theirs = randomised(resnet())
    torch.save(theirs.state_dict(), tmp_path / 'a.pth')
    result = convert(
        tmp_path / 'a.pth', tmp_path / 'out.safetensors', '--bands', 'DEM, rgb', '--stem', 'zero'
    )
    assert 'widened          1 parameters' in result.output
    ours = resnet(('DEM', 'B4', 'B3', 'B2'))
    load_pretrained(ours, str(tmp_path / 'out.safetensors'))
    assert torch.equal(ours.conv1.weight[:, 1:], theirs.conv1.weight)
    assert not ours.conv1.weight[:, 0].any()


def test_an_architecture_can_be_required(tmp_path):
    torch.save(ResNet(depth=18, bands='photograph').state_dict(), tmp_path / 'r18.pth')
    assert (
        convert(tmp_path / 'r18.pth', tmp_path / 'r18.safetensors', '--arch', 'resnet18').exit_code
        == 0
    )
    assert 'must carry every backbone parameter' in refusal(
        tmp_path, tmp_path / 'r18.pth', '--arch', 'resnet34'
    )
    assert "be of a SwinTransformer, got 0.00% of it from 'ResNet" in refusal(
        tmp_path, tmp_path / 'r18.pth', '--arch', 'swin_tiny'
    )
    assert "be one of ['resnet18'" in refusal(tmp_path, tmp_path / 'r18.pth', '--arch', 'swin_xl')


def test_swin_mae_gives_a_detector_its_stages_and_leaves_the_taps_new(tmp_path):
    foreign = next(foreign for foreign in FOREIGN if foreign.source == 'Swin-MAE')
    convert(foreign.save(randomised(foreign.theirs()), tmp_path), tmp_path / 'out.safetensors')
    ours = SwinTransformer(arch='nano', bands='all', out_indices=(0, 1, 2, 3))
    report = load_pretrained(ours, str(tmp_path / 'out.safetensors'))
    assert report.names('new by design') == [
        f'norm{stage}.{part}' for stage in range(4) for part in ('weight', 'bias')
    ]
    assert report.carried == 1


def test_a_file_of_no_known_source_lists_what_it_holds_and_what_is_known(tmp_path):
    torch.save({'state_dict': {'stranger.weight': torch.ones(1)}}, tmp_path / 'a.pth')
    said = refusal(tmp_path, tmp_path / 'a.pth')
    assert "keys such as ['stranger.weight']" in said
    assert all(keymap.name in said for keymap in keymaps.KEYMAPS)


def test_satmae_keeps_its_groups_of_bands(tmp_path):
    torch.save({'model': randomised(SatMae()).state_dict()}, tmp_path / 'a.pth')
    assert (
        '(SatMAE over groups of bands): 100.00% of'
        in convert(tmp_path / 'a.pth', tmp_path / 'out.safetensors').output
    )
    with safe_open(tmp_path / 'out.safetensors', 'pt') as file:
        assert json.loads(file.metadata()['mmlandslide'])['bands'] == list(BANDS)
    assert (
        load_pretrained(ours_satmae(bands='all'), str(tmp_path / 'out.safetensors')).share(
            'matched'
        )
        == 1
    )


def test_half_a_backbone_is_refused(tmp_path):
    state = {
        key: value for key, value in resnet().state_dict().items() if not key.startswith('layer4')
    }
    torch.save(state, tmp_path / 'a.pth')
    assert 'must hold a whole ResNet, EfficientNet, MobileNetV2, Swin or ViT' in refusal(
        tmp_path, tmp_path / 'a.pth'
    )


def test_a_truncated_file_is_refused(tmp_path):
    torch.save(resnet().state_dict(), tmp_path / 'a.pth')
    assert 'a.pth' in refusal(tmp_path, truncate(tmp_path / 'a.pth'))


def test_a_pickle_with_code_is_refused_and_does_not_run(tmp_path, capsys):
    (tmp_path / 'a.pth').write_bytes(pickle.dumps({'state_dict': Payload(print, ('executed',))}))
    torch.save({'state_dict': Payload(print, ('executed',))}, tmp_path / 'b.pth')
    said = [refusal(tmp_path, tmp_path / name) for name in ('a.pth', 'b.pth')]
    assert all('a.pth' in one or 'b.pth' in one for one in said)
    assert 'executed' not in capsys.readouterr().out + ''.join(said)


def test_bands_without_names_are_refused_with_the_option_that_names_them(tmp_path):
    torch.save(resnet(tuple('abcde')).state_dict(), tmp_path / 'a.pth')
    assert 'name the 5 channels of the stem' in refusal(tmp_path, tmp_path / 'a.pth')
    options = ('--source-bands', 'B8,B4,B3,B2,DEM')
    assert convert(tmp_path / 'a.pth', tmp_path / 'out.safetensors', *options).exit_code == 0


def test_another_kind_of_file_is_not_promised(tmp_path):
    result = convert(tmp_path / 'a.pth', tmp_path / 'out.pth')
    assert (result.exit_code, 'must end in .safetensors' in result.output) == (2, True)


def test_an_older_file_outlives_a_refusal(tmp_path):
    (tmp_path / 'out.safetensors').write_bytes(b'older')
    torch.save({'weight': torch.ones(1)}, tmp_path / 'a.pth')
    assert convert(tmp_path / 'a.pth', tmp_path / 'out.safetensors').exit_code == 1
    assert (tmp_path / 'out.safetensors').read_bytes() == b'older'


def test_a_vit_keeps_its_patches_and_its_grid(tmp_path):
    torch.save({'model': Mae(patch=14).state_dict()}, tmp_path / 'mae.pth')
    assert convert(tmp_path / 'mae.pth', tmp_path / 'out.safetensors').exit_code == 0
    ours = VisionTransformer(
        arch={'embed_dims': 16, 'num_layers': 2, 'num_heads': 2, 'feedforward_channels': 32},
        img_size=56,
        patch_size=14,
        bands='photograph',
    )
    assert load_pretrained(ours, str(tmp_path / 'out.safetensors')).share('matched') == 1


def test_a_required_architecture_leaves_windows_positions_and_taps_as_they_are(tmp_path):
    swin = SwinTransformer(arch='tiny', window_size=7, out_indices=(1, 3), bands='rgb')
    vit = VisionTransformer(arch='deit-tiny', img_size=256, out_type='avg_featmap', bands='rgb')
    for arch, model in (('swin_tiny', swin), ('vit_tiny', vit)):
        torch.save(model.state_dict(), tmp_path / 'a.pth')
        assert (
            convert(tmp_path / 'a.pth', tmp_path / 'out.safetensors', '--arch', arch).exit_code == 0
        )
        shapes = {
            name: value.shape for name, value in load_file(tmp_path / 'out.safetensors').items()
        }
        assert shapes == {
            f'backbone.{name}': value.shape
            for name, value in model.state_dict().items()
            if not name.endswith('_index')
        }


@pytest.mark.parametrize(
    ('bands', 'got'), [('', "['']"), ('B2,B3,B44', "['B44']"), ('B2,', "['']")]
)
def test_bands_that_nobody_knows_are_refused(tmp_path, bands, got):
    torch.save(resnet().state_dict(), tmp_path / 'a.pth')
    assert f'got {got} in --bands' in refusal(tmp_path, tmp_path / 'a.pth', '--bands', bands)


def test_bands_of_the_checkpoint_are_known_by_it(tmp_path):
    torch.save(resnet(('x', 'y')).state_dict(), tmp_path / 'a.pth')
    options = ('--source-bands', 'x,y', '--bands', 'y,x,B2')
    assert convert(tmp_path / 'a.pth', tmp_path / 'out.safetensors', *options).exit_code == 0


def test_a_stem_without_bands_is_refused(tmp_path):
    torch.save({**resnet().state_dict(), 'conv1.weight': torch.zeros(64)}, tmp_path / 'a.pth')
    assert 'checkpoint (64,), backbone (64, 14, 7, 7)' in refusal(tmp_path, tmp_path / 'a.pth')
