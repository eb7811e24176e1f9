"""Sending tiles through the checks; what becomes of the answers is in test_prepare.py."""

import factories

from mmlandslide.datasets.checks.examiner import Examiner, in_order, unpaired
from mmlandslide.datasets.checks.isolation import Readers
from mmlandslide.datasets.storage.faults import Finding
from mmlandslide.datasets.storage.index import pair
from mmlandslide.datasets.storage.tile_formats import read_array


def test_lone_files_are_named_by_what_they_lack(tmp_path):
    factories.write_dataset(tmp_path, {'train': 3})
    factories.mask_path(tmp_path, 1).unlink()
    factories.image_path(tmp_path, 3).unlink()
    found = unpaired(pair(tmp_path, 'train'))
    assert {tile_id: finding.fault for tile_id, finding in found.items()} == {
        'train/3': 'mask-without-image',
        'train/1': 'image-without-mask',
    }


def test_findings_stand_in_the_order_of_the_tiles_errors_first(tmp_path):
    factories.write_dataset(tmp_path, {'train': 10})
    made = [
        Finding(fault, tile, '', '')
        for fault, tile in (('nan', 'train/10'), ('all-zero-band', 'train/2'), ('inf', 'train/2'))
    ]
    assert in_order(made, pair(tmp_path, 'train')) == [made[2], made[1], made[0]]


def test_tiles_are_examined_and_progress_is_told(tmp_path):
    factories.write_dataset(tmp_path, {'train': 2, 'test': 1})
    pairings, told = {split: pair(tmp_path, split) for split in ('train', 'test')}, []
    with Readers(num_workers=1) as readers:
        examiner = Examiner(
            readers, read_array, [*factories.LANDSLIDE4SENSE], lambda *state: told.append(state)
        )
        reports = examiner.examine(pairings, dict.fromkeys(pairings))
    assert [len(report.entries) for report in reports] == [2, 1]
    assert told == [('train', 1, 2), ('train', 2, 2), ('test', 1, 1)]
