"""Preparing a data set: every planted fault is found, counted and named; nothing half done is left."""

import json
import os

import factories
import numpy as np
import pytest

from mmlandslide.datasets import store as store_room
from mmlandslide.datasets.boxes import RULES, BoxRule
from mmlandslide.datasets.prepare import KINDS, prepare
from mmlandslide.datasets.store import ensure_store
from mmlandslide.errors import DatasetError, MissingPathError, TileError


def truncated(root):
    factories.truncate(factories.image_path(root, 2))


def misnamed_key(root):
    factories.write_array(factories.image_path(root, 2), factories.image(), 'image')


def twelve_bands(root):
    factories.write_tile(root, 2, factories.image(bands=12))


def half_precision(root):
    factories.write_tile(root, 2, factories.image().astype(np.float16))


def not_a_number(root):
    image = factories.image()
    image[0, 0, 0] = np.nan
    factories.write_tile(root, 2, image)


def small_mask(root):
    factories.write_array(factories.mask_path(root, 2), factories.mask(size_px=8), 'mask')


def strange_mask(root):
    factories.write_array(factories.mask_path(root, 2), factories.mask() + 2, 'mask')


def no_mask(root):
    factories.mask_path(root, 2).unlink()


def no_image(root):
    factories.image_path(root, 2).unlink()


FAULTS = [
    (truncated, 'unreadable', 'readable HDF5'),
    (misnamed_key, 'unreadable', "keys ['image']"),
    (twelve_bands, 'shape', '(16, 16, 12)'),
    (half_precision, 'dtype', 'float16'),
    (not_a_number, 'NaN/Inf', '1 NaN or infinite of 3584'),
    (small_mask, 'mask', '(8, 8)'),
    (strange_mask, 'mask', '[2]'),
    (no_mask, 'unpaired', 'must have its mask'),
    (no_image, 'unpaired', 'must have its image'),
]


@pytest.fixture
def root(tmp_path):
    return factories.write_dataset(tmp_path, {'train': 3, 'validation': 1})


def written(root):
    return sorted(path.name for path in (root / '.mmlandslide').glob('*') if path.suffix != '.lock')


def times(root):
    return {name: (root / '.mmlandslide' / name).stat().st_mtime_ns for name in written(root)}


def test_a_rule_that_is_new_since_the_packing_is_counted_by(root, monkeypatch):
    prepare(root)
    monkeypatch.setitem(RULES, 'own', BoxRule(connectivity=8, min_pixels=13))  # each landslide has 12
    report = prepare(root, rule_name='own')
    assert [(split.boxes('components'), split.boxes('own')) for split in report.splits] == [(2, 0), (1, 0)]
    assert json.loads((root / '.mmlandslide/coco_train.json').read_text())['annotations'] == []


def test_a_sound_data_set_is_counted_and_packed(root):
    train, validation = prepare(root).splits
    assert (train.split, len(train.entries), train.positives, train.unlabelled, train.boxes('components')) == ('train', 3, 2, 0, 2)
    assert (validation.split, len(validation.entries), validation.packed) == ('validation', 1, True)
    assert train.count('source_dtype') == {'float64': 3}
    assert train.count('shape') == {'(14, 16, 16)': 3}
    assert written(root) == ['coco_train.json', 'coco_validation.json', 'train.tiles', 'validation.tiles']


@pytest.mark.parametrize(('plant', 'kind', 'said'), FAULTS)
def test_a_fault_is_named_and_nothing_is_packed(root, plant, kind, said):
    plant(root)
    report = prepare(root)
    assert [(problem.tile_id, problem.kind) for problem in report.problems] == [('train/2', kind)]
    assert said in report.problems[0].error
    assert '_2.h5' in report.problems[0].error
    assert written(root) == []


@pytest.mark.parametrize(('plant', 'kind', 'said'), FAULTS)
def test_training_leaves_out_what_was_quarantined(root, plant, kind, said):
    plant(root)
    with pytest.raises((TileError, DatasetError)):
        ensure_store(root, 'train')
    assert prepare(root, allow_quarantine=True).quarantined
    assert ensure_store(root, 'train').ids == ['train/1', 'train/3']


@pytest.mark.parametrize(('plant', 'kind', 'said'), FAULTS)
def test_a_second_run_reports_the_same_without_reading_a_tile(root, monkeypatch, plant, kind, said):
    plant(root)
    first = prepare(root, allow_quarantine=True)
    before = times(root)
    monkeypatch.setattr(store_room, 'pack', None)
    assert prepare(root, allow_quarantine=True) == first
    assert times(root) == before


def test_a_repaired_tile_comes_back_by_itself(root):
    truncated(root)
    prepare(root, allow_quarantine=True)
    factories.write_tile(root, 2, factories.image(7))
    assert ensure_store(root, 'train').ids == ['train/1', 'train/2', 'train/3']
    assert not prepare(root).problems
    assert 'quarantine.json' not in written(root)


def test_every_kind_of_fault_is_planted_here():
    assert {kind for _, kind, _ in FAULTS} == set(KINDS)


def test_a_check_writes_nothing(root):
    report = prepare(root, check=True)
    assert (len(report.splits[0].entries), report.folder, report.splits[0].packed) == (3, None, False)
    assert not (root / '.mmlandslide').exists()


def test_a_check_reads_the_files_even_where_a_store_is_ready(root):
    prepare(root)
    path = factories.image_path(root, 1)
    status = path.stat()
    path.write_bytes(b'x' * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert [problem.tile_id for problem in prepare(root, check=True).problems] == ['train/1']


def test_a_spoiled_store_is_noticed_and_packed_anew(root):
    prepare(root)
    path = root / '.mmlandslide/train.tiles'
    content = path.read_bytes()
    path.write_bytes(b'\xff' + content[1:])
    prepare(root)
    assert path.read_bytes() == content


def test_equal_content_is_found_within_and_across_splits(root):
    factories.write_tile(root, 3, factories.image(1), factories.mask())
    factories.write_tile(root, 1, factories.image(1), factories.mask(), split='validation')
    assert prepare(root).duplicates == [['train/1', 'train/3', 'validation/1']]


def test_a_split_without_masks_is_no_fault(tmp_path):
    report = prepare(factories.write_dataset(tmp_path, {'test': 2}, labelled=False))
    assert (report.splits[0].unlabelled, report.splits[0].labelled, report.problems) == (2, False, [])


def test_boxes_are_written_as_coco_with_areas_and_every_tile(root):
    prepare(root, rule_name='components')
    found = json.loads((root / '.mmlandslide/coco_train.json').read_text())
    assert [(image['id'], image['file_name']) for image in found['images']] == [(1, 'train/1'), (2, 'train/2'), (3, 'train/3')]
    box = {'category_id': 1, 'bbox': [2, 5, 4, 3], 'area': 12, 'iscrowd': 0}  # (2, 5) to (6, 8)
    assert found['annotations'] == [{'id': 1, 'image_id': 1, **box}, {'id': 2, 'image_id': 3, **box}]
    assert found['categories'] == [{'id': 1, 'name': 'landslide'}]


def test_coco_files_load_in_pycocotools(root):
    prepare(root)
    coco = pytest.importorskip('pycocotools.coco').COCO(str(root / '.mmlandslide/coco_train.json'))
    assert (coco.getImgIds(), len(coco.getAnnIds())) == ([1, 2, 3], 2)


def test_another_rule_rewrites_the_boxes_only(root, monkeypatch):
    prepare(root)
    monkeypatch.setattr(store_room, 'pack', None)
    prepare(root, rule_name='study')  # 12 px^2 are under 32.65
    assert json.loads((root / '.mmlandslide/coco_train.json').read_text())['annotations'] == []


def test_a_broken_quarantine_list_is_named(root):
    prepare(root)
    (root / '.mmlandslide/quarantine.json').write_text('{"train/1": 3}')
    with pytest.raises(DatasetError, match=r'quarantine list must .* in .*quarantine\.json\. Delete it'):
        ensure_store(root, 'train')


def test_an_empty_data_root_is_refused(tmp_path):
    with pytest.raises(MissingPathError, match='data root must hold'):
        prepare(tmp_path)
    (tmp_path / 'TrainData/img').mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"hold tiles image_N\.h5 in \['TrainData/img'"):
        prepare(tmp_path)
