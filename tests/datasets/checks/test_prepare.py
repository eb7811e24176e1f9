"""Preparing a data set: every planted fault is found, counted and named.

Nothing half done is left.
"""

import json
import logging
import os
import shutil

import factories
import numpy as np
import poisoned_readers
import pytest

from mmlandslide.datasets.boxes import RULES, BoxRule
from mmlandslide.datasets.checks.isolation import Readers
from mmlandslide.datasets.checks.prepare import prepare
from mmlandslide.datasets.storage.store import ensure_store
from mmlandslide.errors import DatasetError, MissingPathError, TileError


def truncated(root):
    factories.truncate(factories.image_path(root, 2))


def small_mask(root):
    factories.write_array(factories.mask_path(root, 2), factories.mask(size_px=8), 'mask')


def no_mask(root):
    factories.mask_path(root, 2).unlink()


def no_image(root):
    factories.image_path(root, 2).unlink()


FAULTS = [
    (truncated, 'truncated', 'readable HDF5'),
    (small_mask, 'mask-size', '(8, 8)'),
    (no_mask, 'image-without-mask', 'must have its mask'),
    (no_image, 'mask-without-image', 'must have its image'),
]


IN_CHILDREN = Readers.run


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch):
    """Read here, which spares each test the start of children.

    What they are for has a test of its own below.
    """
    monkeypatch.setattr(Readers, 'run', lambda self, work, items: map(work, items))


@pytest.fixture
def root(tmp_path):
    return factories.write_dataset(tmp_path, {'train': 3, 'validation': 1})


def written(root):
    return sorted(path.name for path in (root / '.mmlandslide').glob('*') if path.suffix != '.lock')


def times(root):
    return {name: (root / '.mmlandslide' / name).stat().st_mtime_ns for name in written(root)}


def test_a_rule_that_is_new_since_the_packing_is_counted_by(root, monkeypatch):
    prepare(root)
    monkeypatch.setitem(
        RULES, 'own', BoxRule(connectivity=8, min_pixels=13)
    )  # each landslide has 12
    report = prepare(root, rule_name='own')
    assert [(split.boxes('components'), split.boxes('own')) for split in report.splits] == [
        (2, 0),
        (1, 0),
    ]
    assert json.loads((root / '.mmlandslide/coco_train.json').read_text())['annotations'] == []


def test_a_sound_data_set_is_counted_and_packed(root):
    train, validation = prepare(root).splits
    assert (
        train.split,
        len(train.entries),
        train.positives,
        train.unlabelled,
        train.boxes('components'),
    ) == ('train', 3, 2, 0, 2)
    assert (validation.split, len(validation.entries), validation.packed) == ('validation', 1, True)
    assert train.count('source_dtype') == {'float64': 3}
    assert train.count('shape') == {'(14, 16, 16)': 3}
    assert written(root) == [
        'coco_train.json',
        'coco_validation.json',
        'preflight.json',
        'train.tiles',
        'validation.tiles',
    ]


@pytest.mark.parametrize(('plant', 'kind', 'said'), FAULTS)
def test_a_fault_is_named_and_nothing_is_packed(root, plant, kind, said):
    plant(root)
    report = prepare(root)
    assert [(finding.tile_id, finding.fault) for finding in report.errors] == [('train/2', kind)]
    assert said in report.errors[0].message
    assert report.errors[0].path.endswith('_2.h5')
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
    monkeypatch.setattr(
        Readers, 'run', lambda self, work, items: [work('nothing to read') for _ in items]
    )
    assert prepare(root, allow_quarantine=True) == first
    assert times(root) == before


def test_a_repaired_tile_comes_back_by_itself(root):
    truncated(root)
    prepare(root, allow_quarantine=True)
    factories.write_tile(root, 2, factories.image(7))
    assert ensure_store(root, 'train').ids == ['train/1', 'train/2', 'train/3']
    assert not prepare(root).errors
    assert 'quarantine.json' not in written(root)


def test_a_check_writes_nothing(root):
    report = prepare(root, check=True)
    assert (len(report.splits[0].entries), report.folder, report.splits[0].packed) == (
        3,
        None,
        False,
    )
    assert not (root / '.mmlandslide').exists()


def test_a_check_reads_the_files_even_where_a_store_is_ready(root):
    prepare(root)
    path = factories.image_path(root, 1)
    status = path.stat()
    path.write_bytes(b'x' * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert [finding.tile_id for finding in prepare(root, check=True).errors] == ['train/1']


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
    assert (report.splits[0].unlabelled, report.splits[0].labelled, report.findings) == (
        2,
        False,
        [],
    )


def test_boxes_are_written_as_coco_with_areas_and_every_tile(root):
    prepare(root, rule_name='components')
    found = json.loads((root / '.mmlandslide/coco_train.json').read_text())
    assert [(image['id'], image['file_name']) for image in found['images']] == [
        (1, 'train/1'),
        (2, 'train/2'),
        (3, 'train/3'),
    ]
    box = {'category_id': 1, 'bbox': [2, 5, 4, 3], 'area': 12, 'iscrowd': 0}  # (2, 5) to (6, 8)
    assert found['annotations'] == [
        {'id': 1, 'image_id': 1, **box},
        {'id': 2, 'image_id': 3, **box},
    ]
    assert found['categories'] == [{'id': 1, 'name': 'landslide'}]


def test_coco_files_load_in_pycocotools(root):
    prepare(root)
    coco = pytest.importorskip('pycocotools.coco').COCO(str(root / '.mmlandslide/coco_train.json'))
    assert (coco.getImgIds(), len(coco.getAnnIds())) == ([1, 2, 3], 2)


def test_another_rule_rewrites_the_boxes_only(root, monkeypatch):
    prepare(root)
    monkeypatch.setattr(
        Readers, 'run', lambda self, work, items: [work('nothing to read') for _ in items]
    )
    prepare(root, rule_name='study')  # 12 px^2 are under 32.65
    assert json.loads((root / '.mmlandslide/coco_train.json').read_text())['annotations'] == []


def test_a_broken_quarantine_list_is_named(root):
    prepare(root)
    (root / '.mmlandslide/quarantine.json').write_text('{"train/1": 3}')
    with pytest.raises(
        DatasetError, match=r'quarantine list must .* in .*quarantine\.json\. Delete it'
    ):
        ensure_store(root, 'train')


def test_an_empty_data_root_is_refused(tmp_path):
    with pytest.raises(MissingPathError, match='data root must hold'):
        prepare(tmp_path)
    (tmp_path / 'TrainData/img').mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"hold tiles image_N\.h5 in \['TrainData/img'"):
        prepare(tmp_path)


@pytest.mark.parametrize(
    ('read', 'name', 'reason'),
    [
        (poisoned_readers.crashing, 'image_2.h5', 'a crash of its reader (signal 11, SIGSEGV)'),
        (
            poisoned_readers.crashing_on_a_mask,
            'mask_2.h5',
            'a crash of its reader (signal 6, SIGABRT)',
        ),
        (poisoned_readers.hanging, 'image_2.h5', 'a reader that takes more than 5 s'),
        (poisoned_readers.greedy, 'image_2.h5', 'more memory asked for than a reader may have'),
    ],
)
def test_a_file_that_kills_its_reader_is_named_and_quarantined_and_the_rest_goes_on(
    root, monkeypatch, read, name, reason
):
    monkeypatch.setattr(Readers, 'run', IN_CHILDREN)
    report = prepare(root, allow_quarantine=True, read=read, readers=Readers(timeout_s=5))
    (finding,) = [finding for finding in report.findings if finding.split == 'train']
    assert (finding.fault, finding.tile_id) == ('reader-died', 'train/2')
    assert f'got {reason} in ' in finding.message
    assert finding.path.endswith(name)
    assert [entry.tile_id for entry in report.splits[0].entries] == ['train/1', 'train/3']
    assert ensure_store(root, 'train').ids == ['train/1', 'train/3']


def test_warnings_do_not_keep_a_tile_out_and_are_remembered(root):
    image = factories.image()
    image[2] = 0
    factories.write_tile(root, 2, image)
    first = prepare(root)
    assert [(finding.fault, finding.tile_id) for finding in first.findings] == [
        ('all-zero-band', 'train/2')
    ]
    assert ensure_store(root, 'train').ids == ['train/1', 'train/2', 'train/3']
    assert prepare(root) == first


def test_a_store_that_training_built_is_checked_all_the_same(root):
    factories.write_tile(root, 2, np.full((14, 16, 16), 0.5))
    assert 'train/2' in ensure_store(root, 'train')
    assert [finding.fault for finding in prepare(root).errors] == ['constant-tile']


def test_a_tile_of_another_size_than_most_is_named(root):
    factories.write_tile(root, 2, factories.image(size_px=8), factories.mask(size_px=8))
    (finding,) = prepare(root, check=True).errors
    assert (finding.fault, finding.tile_id) == ('wrong-shape', 'train/2')
    assert 'size (16, 16) of most tiles' in finding.message


def test_the_same_bands_in_two_splits_are_named_in_both(root):
    factories.write_tile(root, 1, factories.image(1), factories.mask(), split='validation')
    report = prepare(root)
    assert [(finding.fault, finding.tile_id) for finding in report.across] == [
        ('duplicate-across-splits', 'train/1'),
        ('duplicate-across-splits', 'validation/1'),
    ]
    assert not report.errors


def test_files_that_nothing_reads_are_warned_of_before_and_after_packing(tmp_path, caplog):
    root = factories.write_dataset(tmp_path, {'train': 2})
    tile = factories.image_path(root, 1)
    for name in ('image_1_rot90.h5', 'image_99.hdf5', 'Image_98.h5', '._image_1.h5'):
        shutil.copy(tile, tile.with_name(name))
    for _ in range(2):
        report = prepare(root)
        [warning] = report.findings
        assert (warning.fault, report.errors) == ('ignored-file', [])
        assert 'got 3 others: Image_98.h5, image_1_rot90.h5, image_99.hdf5' in warning.message
    with caplog.at_level(logging.WARNING, 'mmlandslide'):
        ensure_store(root, 'train')
    assert 'no tile is read from 3 others' in caplog.text
    tile.with_name('image_99.hdf5').unlink()
    assert 'got 2 others' in prepare(root).findings[0].message
