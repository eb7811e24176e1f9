import numpy as np
import pytest
from mmdet.datasets import MultiImageMixDataset
from mmengine.dataset import (
    ClassBalancedDataset,
    ConcatDataset,
    DefaultSampler,
    InfiniteSampler,
    RepeatDataset,
)
from torch.utils.data import DataLoader

from mmlandslide import rng
from mmlandslide.datasets.views.view import TileView
from mmlandslide.engine.sampler import TileSampler
from mmlandslide.errors import ConfigError, DatasetError
from mmlandslide.registry import TRANSFORMS
from mmlandslide.rng import SampleIndex


class Tiles(TileView):
    """Five tiles of 2 x 3 px whose every value is their number."""

    def load_data_list(self):
        return [
            {'img_id': f'train/{number}', 'number': number, 'boxes_xyxy': [[0, 0, 1, number]]}
            for number in range(5)
        ]

    def load_image(self, info):
        return np.full((len(self.bands), 2, 3), info['number'], np.float32)


def drawn(sample):
    """A transform: a sample's id, key, three draws and another tile."""
    values = sample['rng'].random(3).tolist()
    return (
        sample['img_id'],
        sample['sample_key'],
        values,
        sample['draw_other']()['img_id'] if 'draw_other' in sample else None,
    )


def tiles(*pipeline, **options):
    return Tiles(
        **{
            'bands': ('B4', 'x'),
            'pipeline': pipeline or (drawn,),
            'name': 'landslide4sense',
            **options,
        }
    )


def test_a_loop_over_a_view_ends_after_its_last_tile():
    assert [sample[0] for sample in tiles(test_mode=True)] == [f'train/{n}' for n in range(5)]
    with pytest.raises(IndexError, match='view of 5 tiles, got 5'):
        tiles()[5]


def test_a_sample_is_a_function_of_seed_epoch_and_tile():
    view = tiles()
    indices = [SampleIndex(3, 1, position) for position in range(5)]
    forward, backward = (
        [view[index] for index in indices],
        [view[index] for index in reversed(indices)],
    )
    assert forward == backward[::-1]
    assert tiles()[indices[4]] == forward[4]
    assert forward[2][1] == rng.key(3, 1, 'train/2')


@pytest.mark.parametrize(
    'other', [SampleIndex(3, 2, 0), SampleIndex(4, 1, 0), SampleIndex(3, 1, 1)]
)
def test_another_seed_epoch_or_tile_is_another_draw(other):
    one, two = tiles()[SampleIndex(3, 1, 0)], tiles()[other]
    assert one[1] != two[1]
    assert one[2] != two[2]


def test_a_tile_keeps_its_draw_when_others_leave_the_view():
    whole, part = tiles(), tiles(indices=[3, 4])
    assert part[SampleIndex(0, 0, 1)][:3] == whole[SampleIndex(0, 0, 4)][:3]


def test_a_test_has_the_same_draw_in_every_epoch():
    view = tiles(test_mode=True)
    assert view[SampleIndex(3, 7, 2)] == view[SampleIndex(3, 0, 2)]
    assert view[SampleIndex(4, 0, 2)] != view[SampleIndex(3, 0, 2)]


def test_a_test_mixes_no_other_tile_in():
    assert 'draw_other' in tiles(dict)[SampleIndex(0, 0, 2)]
    assert 'draw_other' not in tiles(dict, test_mode=True)[2]


@pytest.mark.parametrize('ignored', ['ann_file', 'filter_cfg', 'data_prefix', 'max_refetch'])
def test_what_a_view_would_ignore_is_refused(ignored):
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{ignored}'"):
        tiles(**{ignored: {}})


def test_mmengines_own_options_do_what_they_say():
    view = tiles(
        dict, indices=[1], metainfo={'classes': ('slump',)}, serialize_data=False, data_root='here'
    )
    assert (view.tile_ids, view.metainfo['classes'], view.data_root) == (
        ['landslide4sense:train/1'],
        ('slump',),
        'here',
    )
    assert view.data_list[0]['number'] == 1


def test_a_plain_position_in_a_test_is_seed_0():
    view = tiles(test_mode=True)
    assert view[np.int64(2)] == view[2] == view[SampleIndex(0, 3, 2)]


@pytest.mark.parametrize('kind', [DefaultSampler, InfiniteSampler])
def test_a_worker_that_is_handed_positions_without_draws_refuses(kind):
    view = tiles()
    loader = DataLoader(
        view,
        sampler=kind(view, shuffle=True, seed=0),
        num_workers=1,
        multiprocessing_context='fork',
    )
    remedy = r"Write sampler=dict\(type='mmlandslide.TileSampler', shuffle=True\)"
    with pytest.raises(ConfigError, match=rf"got plain positions.* 'landslide4sense'\. {remedy}"):
        next(iter(loader))


def test_a_sample_that_is_looked_at_again_is_drawn_anew():
    view = tiles()
    looks = [view[3][1] for _ in range(3)]
    assert looks == [rng.key(0, epoch, 'train/3') for epoch in range(3)]


def draws(wrapper):
    """Return (tile, key) of two epochs of a wrapper under our sampler."""
    sampler, found = TileSampler(wrapper, shuffle=True, seed=1), []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        found.append([wrapper[index][:2] for index in sampler])
    return found


def test_two_data_sets_are_trained_on_together_with_draws_of_each_epoch():
    both = ConcatDataset([tiles(), tiles(indices=[0, 1, 2], name='b')])
    first, second = draws(both)
    assert sorted(tile for tile, _ in first) == sorted(
        f'train/{number}' for number in (0, 1, 2, 3, 4, 0, 1, 2)
    )
    assert {key for _, key in first}.isdisjoint({key for _, key in second})


def test_a_repeated_tile_is_drawn_anew_each_time():
    first, _ = draws(RepeatDataset(tiles(), 3))
    assert len(first) == len(set(first)) == 15


def test_a_tile_that_is_repeated_for_balance_is_drawn_anew_each_time():
    view = Labelled(bands=('x',), name='x', pipeline=(drawn,))
    # class 1 is on 1 of 5 tiles: repeated sqrt(0.8 / 0.2) = 2 times; class 0, on 4, once
    first, _ = draws(ClassBalancedDataset(view, oversample_thr=0.8))
    assert sorted(tile for tile, _ in first) == [f'train/{n}' for n in (0, 0, 1, 2, 3, 4)]
    assert len(set(first)) == 6


class Labelled(Tiles):
    """Tiles of which the first alone is of class 1."""

    def load_data_list(self):
        return [{**tile, 'labels': [int(tile['number'] == 0)]} for tile in super().load_data_list()]


def test_partners_that_a_host_picks_by_number_are_of_the_same_draw():
    mixed = MultiImageMixDataset(tiles(dict), [{'type': 'mmlandslide.PickTwo'}])
    first, again = ([mixed[SampleIndex(3, epoch, 1)] for epoch in (0, 0)] for _ in range(2))
    assert first == again
    assert mixed[SampleIndex(3, 1, 1)] != first[0]


@TRANSFORMS.register_module()
class PickTwo:
    """A mixing transform as the hosts write them: it names partners by plain numbers."""

    def get_indexes(self, dataset):
        return [4, 2]

    def __call__(self, results):
        return [results['sample_key'], *(other['sample_key'] for other in results['mix_results'])]


def test_a_view_says_which_classes_are_on_a_tile():
    assert Labelled(bands=('x',), name='x').get_cat_ids(0) == [1]
    assert tiles().get_cat_ids(3) == [0]


def epochs_of(num_workers):
    """Return two epochs as a loader with this many workers yields them, in order of the tiles."""
    view = tiles()
    sampler = TileSampler(view, seed=5)
    options = {'persistent_workers': True, 'multiprocessing_context': 'fork'} if num_workers else {}
    loader = DataLoader(
        view, batch_size=2, sampler=sampler, num_workers=num_workers, collate_fn=list, **options
    )
    found = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        found.append(sorted(sample for batch in loader for sample in batch))
    return found


def test_persistent_workers_draw_what_one_process_draws_and_anew_each_epoch():
    first, second = epochs_of(0)
    assert epochs_of(2) == [first, second]
    assert all(
        one[0] == two[0] and one[2] != two[2] for one, two in zip(first, second, strict=True)
    )


def test_a_transform_that_returns_nothing_is_an_error_and_no_other_sample():
    with pytest.raises(
        DatasetError, match=r'a sample must survive its pipeline, got None in tile train/3 of mars'
    ):
        tiles(lambda sample: None, name='mars')[SampleIndex(0, 0, 3)]


def test_a_sample_enters_the_pipeline_complete():
    sample = tiles(dict)[SampleIndex(0, 0, 2)]
    assert sample['img'].tolist() == np.full((2, 2, 3), 2).tolist()
    assert (sample['bands'], sample['ori_shape'], sample['img_shape']) == (
        ('B4', 'x'),
        (2, 3),
        (2, 3),
    )
    assert sample['gt_bboxes'].tolist() == sample['native_boxes_xyxy'].tolist() == [[0, 0, 1, 2]]
    assert sample['gt_bboxes_labels'].tolist() == sample['native_labels'].tolist() == [0]


def test_moving_the_boxes_leaves_the_native_ones_and_the_next_sample_alone():
    def move(sample):
        sample['gt_bboxes'] += 100
        return sample

    view = tiles(move, test_mode=True)
    assert view[1]['native_boxes_xyxy'].tolist() == [[0, 0, 1, 1]]
    assert view[1]['gt_bboxes'].tolist() == [[100, 100, 101, 101]]


def test_the_other_tile_is_any_of_the_view():
    view = tiles(drawn)
    others = [view[SampleIndex(seed, 0, 0)][3] for seed in range(200)]
    assert {others.count(f'train/{number}') > 20 for number in range(5)} == {
        True
    }  # 40 expected each


def test_tile_ids_carry_the_name_of_the_data():
    assert tiles(name='mars', indices=[1, 3]).tile_ids == ['mars:train/1', 'mars:train/3']
    assert tiles(lazy_init=True).tile_ids[0] == 'landslide4sense:train/0'
