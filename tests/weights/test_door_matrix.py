"""Every door through which a checkpoint comes in, and every fault that one may have.

Each cell is `refused` (an error of ours), `told` (one line names the difference and the reader goes
on), `kept` (nothing is read of it here, and it stays in the record for the doors behind), or `apart`
(what is faulty is no part of what this door reads).
"""

import copy
import math
import re
import shutil
import sys

import factories
import pytest
import tiny_classifiers
import tiny_detector
import tiny_study
import torch
from click.testing import CliRunner
from mmengine.config import Config
from mmengine.registry import DefaultScope
from payload import making

from mmlandslide.cli.main import main
from mmlandslide.engine.runner import LandslideRunner
from mmlandslide.errors import LandslideError
from mmlandslide.models.teacher import Teacher
from mmlandslide.study.zoo.publish import publish
from mmlandslide.weights import gate

pytestmark = pytest.mark.slow  # three minutes on two cores
REFUSED, TOLD, KEPT, APART = 'refused', 'told', 'kept', 'apart'
PX = 32
TEST_TILES = ['landslide4sense:test/1', 'landslide4sense:validation/1']


def first(state):
    """Return the first weight of a backbone; of another part, a seeded neck passes as well."""
    return next(value for name, value in state.items() if 'weight' in name)


def own(content):
    return content['meta']['mmlandslide']


def average(content):
    content['ema_state_dict'] = copy.deepcopy(content['state_dict'])
    first(content['ema_state_dict']).view(-1)[0] = math.nan


def moment(content):
    content['optimizer'] = {'state': {0: {'exp_avg': torch.tensor([math.inf])}}}


def larger(content):
    state = content['state_dict']
    name = next(name for name, value in state.items() if value.ndim == 4 and 'layer2' in name)
    state[name] = torch.zeros(*[side + 1 for side in state[name].shape])


def deeper(content):
    """Give another architecture: of a ResNet, else of a ViT."""
    state = content['state_dict']
    if any('layer2' in name for name in state):
        larger(content)
    else:
        name = next(name for name in state if name.endswith('ffn.layers.0.0.weight'))
        state[name] = torch.zeros(*[side + 1 for side in state[name].shape])


def others(content):
    known = own(content)['bands']
    own(content)['bands'] = [f'B{number}' for number in range(5, 5 + len(known))]


def statistics(content):
    bands = len(own(content)['bands'])
    own(content)['statistics'] = {'mean': [9.0] * bands, 'std': [3.0] * bands, 'clip_std': None}


FAULTS = {
    'NaN in weights': lambda c: first(c['state_dict']).view(-1)[:1].fill_(math.nan),
    'NaN in the average': average,
    'infinite moment': moment,
    'bands in another order': lambda c: own(c)['bands'].reverse(),
    'other bands': others,
    'other units': lambda c: own(c).update(units=['metres / 7'] * len(own(c)['bands'])),
    'other statistics': statistics,
    'other input zoom': lambda c: own(c).update(input_zoom=0.5),
    'other classes': lambda c: own(c).update(classes=['crater']),
    'tiles seen': lambda c: own(c)['tile_ids'].extend(TEST_TILES),
    'later version': lambda c: own(c).update(version='99.0'),
    'other architecture': deeper,
    'cut short': None,
    'pickle with code': lambda c: c,
}
#: What is said of a fault that is taken.
SAID = {
    'bands in another order': 'other bands',
    'other bands': 'other bands',
    'other units': 'other units',
    'other statistics': 'other normalisation',
    'other input zoom': 'other input zoom',
    'other classes': 'other classes',
    'tiles seen': 'seen|saw',
    'later version': 'mmlandslide 99.0',
}


def spoil(path, fault, to):
    """Write a checkpoint with a fault; return its path."""
    content = torch.load(path, weights_only=True)
    if fault == 'pickle with code':
        content['hook'] = making(to.parent / 'canary')
    elif FAULTS[fault] is not None:
        FAULTS[fault](content)
    torch.save(content, to)
    if FAULTS[fault] is None:
        factories.truncate(to)
    return to


class Place:
    """A data set, a detector, a classifier and a study, each trained or as a training leaves it."""

    def __init__(self, folder):
        self.data_root = factories.write_dataset(
            folder / 'l4s', {'train': 6, 'validation': 6, 'test': 2}, size_px=PX
        )
        self.config = tiny_detector.write_training(self.data_root, folder)
        self.detector = self.run('whole').train() and folder / 'whole/epoch_2.pth'
        self.folder = folder
        self.scene = factories.write_tiff(folder / 'scene.tif', tiny_detector.image())
        teacher = tiny_classifiers.write_teacher(folder / 'teacher')
        self.teacher_config, self.teacher = teacher['config'], folder / 'teacher/epoch_1.pth'
        content = torch.load(self.teacher, weights_only=True)
        built = Teacher.read(**teacher)
        terms = built.classifier
        stated = gate.terms_of(terms)
        content['meta']['mmlandslide'] = {
            **tiny_classifiers.SEEN,
            **stated,
            'version': '0.0.1',
            'classes': ['none', 'landslide'],
        }
        torch.save(content, self.teacher)

    def run(self, work_dir, pretrained=None, **changes):
        cfg = Config.fromfile(self.config)
        folder = self.config.parent / work_dir
        cfg.merge_from_dict({'work_dir': str(folder), 'experiment_name': str(folder), **changes})
        cfg.model.backbone.pretrained = pretrained
        return LandslideRunner.from_cfg(cfg)


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    with DefaultScope.overwrite_default_scope('mmengine'):
        return Place(tmp_path_factory.mktemp('doors'))


def scored(place, checkpoint, folder):
    runner = place.run(folder, load_from=str(checkpoint))
    runner.test()


def resumed(place, checkpoint, folder):
    folder.mkdir(exist_ok=True)
    shutil.copy(checkpoint, folder / 'epoch_1.pth')
    (folder / 'last_checkpoint').write_text('epoch_1.pth')
    place.run(folder, resume=True, train_cfg={'max_epochs': 2}).train()


def started(place, checkpoint, folder):
    place.run(folder, load_from=str(checkpoint)).train()


def verb(name, *options):
    result = CliRunner().invoke(main, [name, *map(str, options)])
    sys.stderr.write(result.output)
    if result.exit_code and isinstance(result.exception, SystemExit):
        raise LandslideError(result.output)
    assert result.exit_code == 0, result.exception


def detected(place, checkpoint, folder):
    options = ['--window', 32, '--overlap', 8, '--scale', 'landslide4sense', '--no-check']
    order = ['--band-order', ','.join(tiny_detector.BANDS), '--out', folder / 'out.gpkg']
    model = ['--config', place.config, '--checkpoint', checkpoint, '--device', 'cpu']
    verb('detect', place.scene, *model, *options, *order)


def exported(place, checkpoint, folder):
    verb('export', checkpoint, '--config', place.config, '--window', 32, '--out', folder / 'a.onnx')


def probed(place, checkpoint, folder):
    splits = ['--fit-split', 'train', '--score-split', 'validation', '--data-root', place.data_root]
    verb('probe', checkpoint, '--config', place.config, *splits, '--neighbours', 1)


def pretrained(place, checkpoint, folder):
    place.run(folder, {'checkpoint': str(checkpoint)}).train()


def taught(place, checkpoint, folder):
    named = {'config': place.teacher_config, 'checkpoint': str(checkpoint)}
    teacher = Teacher.read(**named)
    teacher.require_fit(tiny_classifiers.student(named))
    teacher.require_classes(['none', 'landslide'])


def published(place, checkpoint, folder):
    folder.mkdir()
    planned = tiny_study.write(folder)
    for stage in planned.stages.values():
        if stage.kind == 'detect':
            shutil.copy(checkpoint, stage.work_dir / stage.leaves[0])
    publish(planned, {'cells': [], 'backbones': [], 'name': 'x', 'protocols': {}}, folder / 'zoo')


DOORS = {
    'mim test': scored,
    '--resume': resumed,
    'load_from': started,
    'detect': detected,
    'export': exported,
    'probe': probed,
    'pretrained': pretrained,
    'teacher': taught,
}
#: Rows: faults, in the order of `FAULTS`; columns: doors, in the order of `DOORS`.
R, T, K, A = REFUSED, TOLD, KEPT, APART
MATRIX = {
    'NaN in weights': (R, R, R, R, R, R, R, R),
    'NaN in the average': (R, R, R, R, R, A, A, R),
    'infinite moment': (R, R, R, R, R, A, A, R),
    'bands in another order': (R, R, R, R, R, T, T, R),
    'other bands': (R, R, R, R, R, T, T, R),
    'other units': (R, R, R, R, R, T, T, R),
    'other statistics': (R, R, T, R, R, T, T, R),
    'other input zoom': (R, T, T, R, R, A, T, A),
    'other classes': (R, R, T, R, R, A, A, R),
    'tiles seen': (R, T, K, A, K, T, K, K),
    'later version': (T, T, T, T, T, T, T, T),
    'other architecture': (R, R, R, R, R, R, R, R),
    'cut short': (R, R, R, R, R, R, R, R),
    'pickle with code': (R, R, R, R, R, R, R, R),
}
CELLS = [
    (fault, door, expected)
    for fault, row in MATRIX.items()
    for door, expected in zip(DOORS, row, strict=True)
]


@pytest.fixture(autouse=True)
def restored(monkeypatch):
    monkeypatch.setattr(sys, 'excepthook', sys.excepthook)
    with DefaultScope.overwrite_default_scope('mmengine'):
        yield


def outcome(place, door, checkpoint, folder, said, capfd, caplog):
    try:
        DOORS[door](place, checkpoint, folder)
    except LandslideError as error:
        sys.stderr.write(f'{error}\n')
        return REFUSED
    text = ''.join(capfd.readouterr()) + caplog.text
    return TOLD if said and re.search(said, text) else 'silent'


@pytest.mark.parametrize('door', DOORS)
def test_a_sound_checkpoint_is_taken_without_a_word(place, tmp_path, capfd, caplog, door):
    source = place.teacher if door == 'teacher' else place.detector
    said = 'not compared|states other|had other|later version'
    assert outcome(place, door, source, tmp_path, said, capfd, caplog) == 'silent'


@pytest.mark.parametrize(('fault', 'door', 'expected'), CELLS)
def test_a_fault_is_refused_or_told_at_each_door(
    place, tmp_path, capfd, caplog, fault, door, expected
):
    source = place.teacher if door == 'teacher' else place.detector
    path = spoil(source, fault, tmp_path / 'epoch_1.pth')
    found = outcome(place, door, path, tmp_path / 'run', SAID.get(fault), capfd, caplog)
    assert found == (expected if expected in (REFUSED, TOLD) else 'silent')
    assert not (tmp_path / 'canary').exists()


@pytest.mark.parametrize('fault', ['NaN in weights', 'cut short', 'pickle with code'])
def test_a_study_does_not_publish_what_no_reader_would_take(place, tmp_path, fault):
    with pytest.raises(LandslideError):
        published(place, spoil(place.detector, fault, tmp_path / 'a.pth'), tmp_path / 'study')
    assert not [*tmp_path.glob('study/zoo/*')]
    assert not (tmp_path / 'canary').exists()
