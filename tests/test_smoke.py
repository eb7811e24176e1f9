"""Every config takes a training step, and a detector a validation, on a few tiny tiles."""

import json
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from one_step import CONFIGS, small, write_data

from mmlandslide.engine.runner import LandslideRunner
from mmlandslide.weights.checkpoint_file import read_checkpoint

DEMO = ('swin_mae_demo', 'faster_rcnn_demo')
pytestmark = pytest.mark.filterwarnings('ignore')


def leaves(stage):
    return [
        pytest.param(path, id=path.stem)
        for path in sorted((CONFIGS / stage).glob('*.py'))
        if path.stem not in DEMO
    ]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Stand in a folder where every data root that the configs name holds 64 px tiles.

    Keep what a runner sets for a process.
    """
    write_data(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'excepthook', sys.excepthook)
    with DefaultScope.overwrite_default_scope('mmengine'):
        yield tmp_path


def unsaved(cfg):
    """Leave out pre-trained weights and checkpoints, which the demo pair stands for."""
    cfg.model.backbone.pretrained = None
    cfg.default_hooks.checkpoint.update(interval=-1, save_best=None)
    return cfg


def with_teacher(cfg):
    """Give a student's teacher random weights where its training would leave them."""
    if 'teacher' in cfg.model:
        teacher = CONFIGS.parent / cfg.model.teacher.config
        source = Config.fromfile(teacher)
        with DefaultScope.overwrite_default_scope(source.default_scope):
            state = MODELS.build(source.model).state_dict()
        Path(cfg.model.teacher.checkpoint).mkdir(parents=True)
        torch.save({'state_dict': state}, Path(cfg.model.teacher.checkpoint, 'epoch_1.pth'))
        cfg.model.teacher.config = str(teacher)
    return cfg


def trained(cfg):
    """Train; return the runner and the stem's weights from before."""
    runner = LandslideRunner.from_cfg(cfg)
    runner.model.init_weights()
    runner.model.init_weights = lambda: None
    before = stem(runner.model).detach().clone()
    runner.train()
    return runner, before


def stem(model):
    return model.backbone.get_parameter(
        model.backbone.stem_name or 'cls_token'
    )  # groups of bands have a stem each


def all_finite(model):
    return all(
        value.isfinite().all() for value in model.state_dict().values() if value.is_floating_point()
    )


def test_the_demo_pair_goes_from_pretraining_to_metrics(place):
    before, _ = trained(small(CONFIGS / 'pretrain' / 'swin_mae_demo.py'))
    runner = LandslideRunner.from_cfg(small(CONFIGS / 'det' / 'faster_rcnn_demo.py'))
    runner._init_model_weights()
    torch.testing.assert_close(stem(runner.model), stem(before.model), rtol=0, atol=0)
    runner.train()
    record = read_checkpoint(place / 'work_dirs' / 'faster_rcnn_demo' / 'epoch_1.pth')['meta'][
        'mmlandslide'
    ]
    assert (
        record['tile_ids']
        == record['lineage']['tile_ids']
        == ['landslide4sense:train/1', 'landslide4sense:train/2']
    )


def test_the_demo_detector_is_tested_from_its_checkpoint(place):
    cfg = small(CONFIGS / 'det' / 'faster_rcnn_demo.py')
    cfg.model.backbone.pretrained = None
    trained(cfg)
    cfg.update(load_from='work_dirs/faster_rcnn_demo/epoch_1.pth', experiment_name=f'{place}_test')
    found = LandslideRunner.from_cfg(cfg).test()
    kept = json.loads((place / 'work_dirs' / 'faster_rcnn_demo' / 'metrics.json').read_text())
    assert kept['AP50'] == found['AP50']
    assert 0 <= kept['AP50'] <= 1


def test_tta_of_the_host_s_script_sees_every_tile_in_eight_views(place, monkeypatch):
    cfg = small(CONFIGS / 'det' / 'faster_rcnn_demo.py')
    cfg.model.backbone.pretrained = None
    trained(cfg)
    cfg.update(load_from='work_dirs/faster_rcnn_demo/epoch_1.pth', experiment_name=f'{place}_test')
    # What MMDetection's tools/test.py makes of a config with --tta.
    nms = {'type': 'nms', 'iou_threshold': 0.5}
    cfg.model = {'type': 'DetTTAModel', 'tta_cfg': {'nms': nms}, 'module': cfg.model}
    cfg.test_dataloader.dataset.pipeline[-1] = {'type': 'TestTimeAug', 'transforms': []}
    runner = LandslideRunner.from_cfg(cfg)
    seen, step = [], runner.model.test_step
    monkeypatch.setattr(runner.model, 'test_step', lambda data: seen.append(data) or step(data))
    assert 0 <= runner.test()['AP50'] <= 1
    assert len(seen) == 8


@pytest.mark.slow
@pytest.mark.parametrize('path', leaves('pretrain'))
@pytest.mark.usefixtures('place')
def test_a_pretraining_takes_a_step(path):
    runner, before = trained(with_teacher(unsaved(small(path))))
    assert runner.iter == 1
    assert not torch.equal(stem(runner.model), before)
    assert all_finite(runner.model)


@pytest.mark.slow
@pytest.mark.parametrize('path', leaves('det'))
@pytest.mark.usefixtures('place')
def test_a_detector_takes_a_step_and_is_validated(path):
    runner, before = trained(unsaved(small(path)))
    assert runner.iter == 1
    assert not torch.equal(stem(runner.model), before)
    assert all_finite(runner.model)
    assert 0 <= runner.message_hub.get_scalar('val/AP50').current() <= 1
