import csv

import torch
from mmengine.visualization import Visualizer

from mmlandslide.engine.visual.csv_backend import CSVVisBackend


def rows(folder, name='scalars.csv'):
    with (folder / name).open(newline='') as file:
        return list(csv.reader(file))


def test_every_scalar_is_a_row_below_one_header(tmp_path):
    backend = CSVVisBackend(str(tmp_path / 'new'))
    backend.add_scalar('loss', torch.tensor(0.5), 3)
    backend.add_scalars({'lr': 1e-3, 'loss': 2}, 4)
    assert rows(tmp_path / 'new') == [
        ['step', 'name', 'value'],
        ['3', 'loss', '0.5'],
        ['4', 'lr', '0.001'],
        ['4', 'loss', '2.0'],
    ]


def test_a_step_among_the_scalars_takes_precedence_and_is_no_row(tmp_path):
    scalars = {'step': 9, 'loss': 1.5}
    CSVVisBackend(str(tmp_path)).add_scalars(scalars, 4)
    assert rows(tmp_path)[1:] == [['9', 'loss', '1.5']]
    assert scalars == {'step': 9, 'loss': 1.5}


def test_a_second_back_end_goes_on_in_the_same_table(tmp_path):
    for step in (1, 2):
        CSVVisBackend(str(tmp_path), 'a.csv').add_scalar('loss', 0.25, step)
    assert rows(tmp_path, 'a.csv') == [
        ['step', 'name', 'value'],
        ['1', 'loss', '0.25'],
        ['2', 'loss', '0.25'],
    ]


def test_mmengines_visualizer_writes_through_it(tmp_path):
    backends = [{'type': 'mmlandslide.CSVVisBackend'}]
    Visualizer(vis_backends=backends, save_dir=str(tmp_path)).add_scalars({'mAP, 50': 0.1}, step=2)
    assert rows(tmp_path / 'vis_data')[1:] == [['2', 'mAP, 50', '0.1']]
