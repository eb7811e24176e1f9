from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from mmlandslide.engine.visual.mae_hooks import (
    ReconstructionPanelsHook,
    VarianceHook,
    reconstruction_picture,
)

RGB = ('B4', 'B3', 'B2')


class Runner(SimpleNamespace):
    """What the hooks read of a runner, and what they told it."""

    def __init__(self, **values):
        self.warnings = []
        super().__init__(
            **{'epoch': 9, 'max_epochs': 100, 'iter': 0, 'seed': 0, 'rank': 0, **values}
        )
        self.logger = SimpleNamespace(warning=self.warnings.append)


def fed(hook, pairs, **values):
    """Return what a hook warns of after these (loss, variance) pairs."""
    runner = Runner(**values)
    for loss, variance in pairs:
        hook.after_train_iter(
            runner,
            0,
            outputs={'loss': torch.tensor(loss), 'target_variance': torch.tensor(variance)},
        )
    hook.after_train_epoch(runner)
    return runner.warnings


@pytest.mark.parametrize(
    ('pairs', 'warned'),
    [
        ([(1.0, 1.0)] * 2, True),
        ([(0.94, 1.0)] * 2, False),
        ([(0.96, 1.0)] * 2, True),
        ([(1.0, 1.0)], False),  # the window is not full
        ([(2.0, 1.0), (0.2, 1.5)], False),  # 2.2 / 2.5 = .88: means are compared, not single steps
        (
            [(5.0, 1.0), (5.0, 1.0), (0.5, 1.0), (0.5, 1.0)],
            False,
        ),  # a window of two has forgotten the start
        ([], False),
    ],
)
def test_a_loss_at_the_variance_of_its_target_is_warned_of(pairs, warned):
    assert bool(fed(VarianceHook(window=2), pairs)) is warned


def test_the_warning_states_both_numbers():
    (text,) = fed(VarianceHook(window=2), [(0.98, 1.0), (1.0, 1.0)])
    assert '(0.9900)' in text
    assert '(1.0000)' in text
    assert 'predicts the mean' in text


@pytest.mark.parametrize(('epoch', 'warned'), [(0, False), (3, False), (4, True)])
def test_the_first_epochs_are_waited_for(epoch, warned):
    assert bool(fed(VarianceHook(window=1, patience=5), [(1.0, 1.0)], epoch=epoch)) is warned


def test_other_models_are_let_be():
    hook, runner = VarianceHook(), Runner()
    hook.after_train_iter(runner, 0, outputs={'loss': torch.tensor(1.0)})
    hook.after_train_iter(runner, 0)
    hook.after_train_epoch(runner)
    assert not runner.warnings


class Reconstructing(torch.nn.Module):
    """Stands for a masked autoencoder.

    Returns the batch it is given and notes whether it was training.
    """

    def __init__(self):
        super().__init__()
        self.calls = []

    def data_preprocessor(self, data, training):
        return data

    def panels(self, inputs, data_samples):
        self.calls.append((len(inputs), self.training))
        return dict.fromkeys(('original', 'masked', 'reconstruction'), inputs)


class Tiles:
    """Six tiles, each of its position's value."""

    def __len__(self):
        return 6

    def __getitem__(self, position):
        return {
            'inputs': torch.full((3, 32, 32), float(position)),
            'data_samples': SimpleNamespace(bands=RGB),
        }


def draw_after(epochs, tmp_path, rank=0, **options):
    """Return hook, model and the pictures of a training over these epochs."""
    hook, model, shown = ReconstructionPanelsHook(**options), Reconstructing().train(), []
    visualizer = SimpleNamespace(
        add_image=lambda name, picture, step: shown.append((name, picture.shape, step))
    )
    parts = {
        'model': model,
        'visualizer': visualizer,
        'train_dataloader': DataLoader(Tiles(), 3, shuffle=True, collate_fn=collate),
    }
    for epoch in epochs:
        hook.after_train_epoch(
            Runner(epoch=epoch, max_epochs=7, work_dir=str(tmp_path), rank=rank, **parts)
        )
    return hook, model, shown


def collate(samples):
    return {
        'inputs': torch.stack([s['inputs'] for s in samples]),
        'data_samples': [s['data_samples'] for s in samples],
    }


def test_panels_are_drawn_every_interval_and_after_the_last_epoch(tmp_path):
    _, model, shown = draw_after(range(7), tmp_path, interval=3, num_tiles=2)
    assert [(name, step) for name, _, step in shown] == [
        ('reconstruction', 3),
        ('reconstruction', 6),
        ('reconstruction', 7),
    ]
    assert sorted(path.name for path in (tmp_path / 'reconstructions').iterdir()) == [
        'epoch_3.png',
        'epoch_6.png',
        'epoch_7.png',
    ]
    assert model.calls == [(2, False)] * 3
    assert model.training


def test_the_written_picture_is_the_one_that_is_shown(tmp_path):
    _, _, shown = draw_after([0], tmp_path, interval=1)
    with Image.open(tmp_path / 'reconstructions' / 'epoch_1.png') as picture:
        assert (picture.height, picture.width) == shown[0][1][:2]


@pytest.mark.parametrize(('num_tiles', 'drawn'), [(4, [0, 1, 2, 3]), (9, [0, 1, 2, 3, 4, 5])])
def test_the_tiles_are_the_first_of_the_dataset_whenever_training_begins(
    tmp_path, num_tiles, drawn
):
    hook, _, _ = draw_after([4, 6], tmp_path, num_tiles=num_tiles)
    assert hook.batch['inputs'][:, 0, 0, 0].tolist() == drawn


def test_other_processes_than_the_first_draw_nothing(tmp_path):
    _, model, shown = draw_after([6], tmp_path, rank=1)
    assert (model.calls, shown, list(tmp_path.iterdir())) == ([], [], [])


def test_a_picture_has_a_row_a_tile_and_a_column_a_panel():
    def width_height(tiles, panels, bands=RGB):
        images = {
            name: np.random.default_rng(0).random((tiles, len(bands), 32, 32)) for name in panels
        }
        return np.array(reconstruction_picture(images, bands).shape[1::-1])

    one = width_height(1, ['original'])
    assert width_height(1, ['original', 'masked', 'reconstruction'])[0] == 3 * one[0]
    grown = width_height(3, ['original'])[1] - one[1]
    assert grown == 2 * (width_height(2, ['original'])[1] - one[1])
    assert (
        width_height(1, ['original'], ('B8', *RGB))[0] >= 2 * one[0]
    )  # false colour beside true colour


def test_hidden_pixels_are_drawn_alike_and_shown_ones_are_not():
    image = np.random.default_rng(0).random((1, 3, 32, 32))
    hidden = image.copy()
    hidden[..., :16, :] = np.nan
    picture = reconstruction_picture({'original': image, 'masked': hidden}, RGB)
    left, right = np.split(
        picture[-192:], 2, axis=1
    )  # the tile is zoomed to 192 px; the header lies above
    assert len(np.unique(right[:96].reshape(-1, 3), axis=0)) == 1
    assert np.array_equal(left[96:], right[96:])
