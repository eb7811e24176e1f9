"""Counts and faults by split."""

import json

from mmlandslide.datasets.checks.findings import Report, SplitReport, per_split
from mmlandslide.datasets.storage.faults import FAULTS, Finding
from mmlandslide.datasets.storage.store_index import Entry

NAN, ZERO = (
    Finding('nan', 'train/2', 'image_2.h5', 'said'),
    Finding('all-zero-band', 'train/2', 'image_2.h5', 'said'),
)
CONFIG = Finding('published-statistics', 'config', 'c.py', 'said')


def entry(tile_id, digest, positive_px=0):
    return Entry(
        tile_id,
        0,
        '<u2',
        'float64',
        (14, 16, 16),
        digest,
        None,
        positive_px,
        {'components': [[0, 0, 1, 1]]},
    )


def report():
    train = SplitReport(
        'train',
        True,
        [entry('train/1', 'a', 5), entry('train/3', 'b')],
        [NAN, ZERO],
        faulty_digests={'train/2': 'a'},
    )
    return Report(
        'A', None, [train, SplitReport('test', False, [entry('test/1', 'b')])], configs=[CONFIG]
    )


def test_errors_and_warnings_are_told_apart_and_a_tile_is_counted_once():
    train = report().splits[0]
    assert (train.errors, train.warnings) == ([NAN], [ZERO])
    assert report().faulty == 1


def test_sound_tiles_are_counted():
    train = report().splits[0]
    assert (train.positives, train.unlabelled, train.boxes('components')) == (1, 2, 2)
    assert train.count('dtype') == {'<u2': 2}


def test_faulty_tiles_count_among_the_duplicates():
    assert report().duplicates == [['train/1', 'train/2'], ['train/3', 'test/1']]


def test_faults_come_in_the_order_of_the_table():
    assert report().by_fault() == {
        'nan': [NAN],
        'all-zero-band': [ZERO],
        'published-statistics': [CONFIG],
    }
    assert per_split(report().findings) == {'train': 2, 'config': 1}


def test_json_has_every_code_and_the_files_of_those_found():
    found = json.loads(json.dumps(report().as_json('components')))
    assert list(found['faults']) == list(FAULTS)
    assert found['faults']['nan']['files'] == [
        {'tile': 'train/2', 'path': 'image_2.h5', 'message': 'said'}
    ]
    assert found['faults']['inf']['count'] == 0
    assert found['splits']['test'] == {
        'sound': 1,
        'faulty': 0,
        'with_landslide': 0,
        'unlabelled': 1,
        'boxes': 1,
        'packed': False,
    }
