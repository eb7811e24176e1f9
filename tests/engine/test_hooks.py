from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from PIL import Image
from torch.utils.data import Dataset

from mmlandslide.engine.hooks import DetectionPanelsHook, StepSeedHook
from mmlandslide.engine.visual.visualizer import tile_panel
from mmlandslide.registry import HOOKS


class Tiles(Dataset):
    """Five tiles of 64 px, handed over at 128 px."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        inputs = torch.rand(5, 128, 128, generator=torch.Generator().manual_seed(index))
        meta = {
            'bands': tuple('abcde'),
            'ori_shape': (64, 64),
            'img_id': f'test/{index}',
            'native_boxes_xyxy': np.zeros((0, 4)),
        }
        return {'inputs': inputs, 'data_samples': DetDataSample(metainfo=meta)}


class OneBox(BaseModel):
    """Predicts the same box on each tile."""

    def forward(self, inputs, data_samples, mode='tensor'):
        for sample in data_samples:
            sample.pred_instances = InstanceData(
                bboxes=torch.tensor([[8.0, 8, 40, 30]]), scores=torch.tensor([0.8])
            )
        return data_samples


class Count(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.extend(data_samples)

    def compute_metrics(self, results):
        return {'tiles': len(results)}


def run(tmp_path, loop, **options):
    """Run mmengine's own validation or test loop with the hook; return the runner."""
    loader = {
        'batch_size': 2,
        'dataset': Tiles(),
        'sampler': {'type': 'DefaultSampler', 'shuffle': False},
    }
    parts = {
        'dataloader': {**loader, 'collate_fn': {'type': 'pseudo_collate'}},
        'cfg': {},
        'evaluator': [Count()],
    }
    runner = Runner(
        model=OneBox(),
        work_dir=str(tmp_path),
        default_scope='mmlandslide',
        default_hooks={'visualization': {'type': 'mmlandslide.DetectionPanelsHook', **options}},
        visualizer={
            'type': 'mmlandslide.TileVisualizer',
            'vis_backends': [{'type': 'LocalVisBackend'}],
        },
        experiment_name=tmp_path.name + loop,
        **{f'{loop}_{part}': value for part, value in parts.items()},
    )
    getattr(runner, loop)()
    return runner


def pictures(tmp_path):
    return sorted(path.name for path in tmp_path.rglob('*.png'))


def test_show_dir_gets_one_panel_for_each_test_tile(tmp_path):
    runner = run(tmp_path, 'test', draw=True, test_out_dir='shown')
    folder = tmp_path / runner.timestamp / 'shown'
    assert sorted(path.name for path in folder.iterdir()) == [
        f'test_{index}.png' for index in range(5)
    ]


def test_a_panel_shows_the_tile_and_its_prediction(tmp_path):
    run(tmp_path, 'test', test_out_dir='shown')
    tile = Tiles()[3]
    OneBox()(None, [tile['data_samples']])
    written = np.asarray(Image.open(next(tmp_path.rglob('test_3.png'))))
    assert (written == tile_panel(tile['inputs'].numpy(), tile['data_samples'])).all()


def test_a_plain_test_draws_nothing(tmp_path):
    run(tmp_path, 'test')
    assert pictures(tmp_path) == []


@pytest.mark.parametrize(('interval', 'drawn'), [(1, [0, 2, 4]), (2, [0, 4]), (50, [0])])
def test_validation_hands_the_first_tile_of_every_nth_batch_to_the_back_ends(
    tmp_path, interval, drawn
):
    run(tmp_path, 'val', interval=interval)
    assert pictures(tmp_path) == [f'val_test_{index}_0.png' for index in drawn]


def test_nothing_is_drawn_where_drawing_is_off(tmp_path):
    run(tmp_path, 'val', draw=False, interval=1)
    run(tmp_path, 'test', draw=False, test_out_dir='shown')
    assert pictures(tmp_path) == []


def test_the_score_threshold_reaches_the_panel(tmp_path):
    run(tmp_path, 'test', score_thr=0.9, test_out_dir='shown')
    tile = Tiles()[0]
    written = np.asarray(Image.open(next(tmp_path.rglob('test_0.png'))))
    assert (
        written == tile_panel(tile['inputs'].numpy(), tile['data_samples'])
    ).all()  # no prediction at all


def test_show_opens_a_window_for_each_test_tile(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(
        'mmengine.visualization.Visualizer.show', lambda _, panel, **options: shown.append(options)
    )
    run(tmp_path, 'test', show=True, wait_time=0.5)
    assert shown[4] == {'win_name': 'test_4', 'wait_time': 0.5}
    assert len(shown) == 5


def test_the_hook_is_found_by_its_name():
    assert HOOKS.get('mmlandslide.DetectionPanelsHook') is DetectionPanelsHook


def test_a_steps_randomness_is_that_of_its_seed_iteration_and_rank():
    def draw(**values):
        StepSeedHook().before_train_iter(
            SimpleNamespace(**{'iter': 0, 'seed': 0, 'rank': 0, **values}), 0
        )
        return torch.rand(1).item()

    first = draw(seed=1, iter=5)
    torch.rand(7)
    assert draw(seed=1, iter=5, epoch=50) == first
    assert (
        len({first, draw(seed=1, iter=6), draw(seed=2, iter=5), draw(seed=1, iter=5, rank=1)}) == 4
    )
