import json

import pytest
import tiny_detector
import tiny_study
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from mmlandslide.errors import CheckpointError, CheckpointMismatchError
from mmlandslide.models.backbones.band_backbone import ResNet
from mmlandslide.scenes.inference.model_predictor import ModelPredictor
from mmlandslide.study.inputs.state_file import Record
from mmlandslide.study.results import collect
from mmlandslide.study.zoo.publish import publish
from mmlandslide.weights.bridge import load_pretrained
from mmlandslide.weights.inspection import inspect, sha256
from mmlandslide.weights.lineage import stated, tiles_seen


def published(planned, folder, records=()):
    return publish(planned, collect(planned, dict(records)), folder)


def only(folder, pattern):
    (path,) = folder.glob(f'{pattern}.safetensors')
    return path


@pytest.fixture(scope='module')
def planned(tmp_path_factory):
    return tiny_study.write(tmp_path_factory.mktemp('study'))


@pytest.fixture(scope='module')
def folder(planned, tmp_path_factory):
    """The zoo of a finished study."""
    made = tmp_path_factory.mktemp('zoo')
    assert published(planned, made).left_out == ()
    return made


@pytest.fixture(scope='module')
def detector(folder):
    return only(folder, 'R18_MAE_*')


@pytest.fixture(scope='module')
def encoder(folder):
    return only(folder, 'swin_mae_tiny_*')


def test_of_each_cell_the_first_seed_is_published_and_each_pretraining_once(folder):
    starts = sorted(path.name.rpartition('_')[0] for path in folder.glob('*.safetensors'))
    assert starts == [
        'R18_MAE_study_100pct_seed0',
        'R18_scratch_study_100pct_seed0',
        'swin_mae_tiny',
    ]


def test_a_file_is_named_by_its_digest(folder):
    for path in folder.glob('*.safetensors'):
        assert path.stem.endswith(f'-{sha256(path)[:8]}')


def test_a_detector_is_published_whole_and_an_encoder_without_its_head(detector, encoder):
    whole, found = tiny_study.detector_state(), load_file(detector)
    assert found.keys() == whole.keys()
    assert all(torch.equal(found[name], value) for name, value in whole.items())
    assert load_file(encoder).keys() == {name for name in whole if name.startswith('backbone.')}


def test_the_tiles_that_were_seen_survive_and_the_folders_of_the_machine_do_not(detector):
    own = stated({}, detector)
    assert tiles_seen(own) == {tiny_study.TRAINED, tiny_study.PRETRAINED}
    assert (own['bands'], own['classes']) == (list(tiny_detector.BANDS), ['landslide'])
    assert own['lineage']['checkpoint'] == 'mae_1/epoch_2.pth'
    assert 'progress' not in own


def test_the_metadata_have_one_key_for_the_order_of_several_is_random(detector):
    with safe_open(detector, 'pt') as file:
        assert list(file.metadata()) == ['mmlandslide']
        assert json.loads(file.metadata()['mmlandslide'])['config'] == 'detect.py'


def test_an_encoder_loads_as_the_checkpoint_that_it_was(planned, encoder):
    pretraining = next(
        stage.work_dir for stage in planned.stages.values() if stage.kind == 'pretrain'
    )
    ours, theirs = (ResNet(depth=18, base_channels=8, bands=tiny_detector.BANDS) for _ in range(2))
    load_pretrained(ours, str(pretraining / 'epoch_2.pth'))
    report = load_pretrained(theirs, str(encoder))
    assert all(
        torch.equal(value, theirs.state_dict()[name]) for name, value in ours.state_dict().items()
    )
    assert report.lineage['tile_ids'] == [tiny_study.PRETRAINED]


def test_a_detector_finds_what_its_checkpoint_finds(detector, tmp_path):
    config, checkpoint = tiny_detector.write(tmp_path)
    images = tiny_detector.image()[None]
    found = [
        ModelPredictor(config, path, torch.device('cpu')).predict(images)[0]
        for path in (checkpoint, detector)
    ]
    assert len(found[0][1]) > 0
    assert all((ours == theirs).all() for ours, theirs in zip(*found, strict=True))


def test_a_published_file_can_be_inspected(detector):
    found = inspect(detector)
    assert (
        found['container'],
        found['record']['tile_ids'],
        found['record']['lineage']['tile_ids'],
    ) == ('safetensors', 1, 1)
    assert found['not_finite'] == {}


def test_to_publish_twice_changes_no_file(planned, folder):
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}
    published(planned, folder)
    assert {
        path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()
    } == before


def test_a_file_that_was_damaged_is_written_again(planned, folder, encoder):
    whole = encoder.read_bytes()
    encoder.write_bytes(whole[:-1])
    published(planned, folder)
    assert encoder.read_bytes() == whole


def test_what_a_killed_publication_has_left_is_removed_and_nothing_else(planned, tmp_path):
    for name in ('.a-12345678.safetensors.0011aabbccdd.tmp', '.notes.txt.1.tmp'):
        (tmp_path / name).touch()
    published(planned, tmp_path)
    assert [path.name for path in tmp_path.glob('.*')] == ['.notes.txt.1.tmp']


@pytest.mark.parametrize('kinds', [('pretrain',), ('pretrain', 'detect')])
def test_a_cell_without_a_score_is_left_out_and_its_pretraining_is_not(tmp_path, kinds):
    planned = tiny_study.write(tmp_path, kinds)
    records = {
        stage.name: Record('failed', error='loss must be finite')
        for stage in planned.stages.values()
    }
    zoo = published(planned, tmp_path / 'zoo', records)
    assert [weights.file[:14] for weights in zoo.weights.values()] == ['swin_mae_tiny_']
    assert (
        zoo.left_out[1] == 'R18, MAE, study, 100 % of labels, seed 0: failed: loss must be finite'
    )
    assert len(zoo.left_out) == 2


@pytest.fixture
def own(tmp_path):
    """A study to spoil, and the detector of its first cell."""
    planned = tiny_study.write(tmp_path)
    return planned, planned.trials[0].stages[0]


def test_weights_that_are_not_finite_are_refused(own, tmp_path):
    planned, stage = own
    tiny_study.leave_checkpoint(
        stage, {**tiny_study.detector_state(), 'rpn_head.bias': torch.tensor([float('nan')])}
    )
    with pytest.raises(
        CheckpointError,
        match=r'weights must be finite to be published, got .* in 1 of .*rpn_head.bias.*epoch_3',
    ):
        published(planned, tmp_path / 'zoo')
    assert not (tmp_path / 'zoo/model-index.yml').exists()


def test_a_checkpoint_without_a_backbone_of_ours_is_refused(own, tmp_path):
    planned, stage = own
    tiny_study.leave_checkpoint(stage, {'a.weight': torch.ones(1)})
    with pytest.raises(
        CheckpointMismatchError,
        match=r"checkpoint must have the keys of one of .*'a.weight'.*epoch_3.pth",
    ):
        published(planned, tmp_path / 'zoo')
