import numpy as np
import pytest

from mmlandslide.errors import DatasetError
from mmlandslide.evaluation.bootstrap import Draws, draw, single_tiles
from mmlandslide.evaluation.results import TileResult
from mmlandslide.evaluation.scoring import evaluate
from mmlandslide.study.statistics import (
    average_precisions,
    match,
    require_same_tiles,
    resampled_means,
    restricted,
    verdict,
)

BOX, FAR = [0, 0, 20, 20], [60, 60, 80, 80]


def ones(tiles):
    return np.ones((1, len(tiles)), np.int64)


@pytest.mark.parametrize('seed', range(5))
def test_the_set_itself_scores_as_the_metric_does(random_tiles, seed):
    tiles = random_tiles(seed)
    found = average_precisions(match(tiles), ones(tiles))
    metrics = evaluate(tiles).metrics
    assert [found['AP'][0], found['AP50'][0]] == pytest.approx(
        [metrics['AP'], metrics['AP50']], abs=1e-12
    )


def test_a_resample_scores_as_the_metric_does_on_copies_of_the_tiles(random_tiles):
    tiles = random_tiles(7)
    draws = draw(single_tiles(len(tiles)), resamples=60)  # more than one block of rows
    found = average_precisions(match(tiles), draws.counts)
    for row in (0, 17, 59):
        copies = [
            TileResult(
                f'{each.tile_id}_{copy}', *(vars(each)[name] for name in list(vars(each))[1:6])
            )
            for each, count in zip(tiles, draws.counts[row], strict=True)
            for copy in range(count)
        ]
        metrics = evaluate(copies).metrics
        assert [found['AP'][row], found['AP50'][row]] == pytest.approx(
            [metrics['AP'], metrics['AP50']], abs=1e-12
        )


def test_a_set_by_hand(tile):
    # a: hit .9; b: false alarm .8, hit .7. Set: precision 1 at recalls up to 1/2 (51 points), 2/3
    # beyond (50 points).
    tiles = [tile('a', [BOX], [0.9], [BOX]), tile('b', [FAR, BOX], [0.8, 0.7], [BOX])]
    found = average_precisions(match(tiles), np.array([[1, 1], [2, 0], [0, 2], [0, 0]]))
    assert found['AP50'] == pytest.approx([(51 + 50 * 2 / 3) / 101, 1, 1 / 2, np.nan], nan_ok=True)
    assert found['AP'] == pytest.approx(found['AP50'], nan_ok=True)


def test_only_the_hundred_highest_scores_of_a_tile_count(tile):
    # 100 false alarms are surer than the hit, which is then not looked at.
    tiles = [tile('a', [FAR] * 100 + [BOX], [0.9] * 100 + [0.5], [BOX])]
    assert average_precisions(match(tiles), ones(tiles))['AP50'] == pytest.approx([0.0])


def test_a_model_without_detections_scores_zero(tile):
    tiles = [tile('a', true=[BOX]), tile('b')]
    assert average_precisions(match(tiles), np.array([[1, 1], [0, 2]]))['AP50'] == pytest.approx(
        [0.0, np.nan], nan_ok=True
    )


def test_a_resample_averages_over_the_seeds_that_it_drew():
    draws = Draws(np.ones((3, 1), np.int64), np.array([[0, 0], [0, 1], [1, 1]]))
    values = np.array([[0.1, 0.2, 0.3], [0.5, 0.6, 0.7]])  # (seeds, resamples)
    assert resampled_means(values, draws) == pytest.approx([0.1, (0.2 + 0.6) / 2, 0.7])


def compared(ones_tiles, others_tiles):
    matched = [match(ones_tiles), match(others_tiles)]
    draws = draw(single_tiles(len(ones_tiles)), resamples=200)
    first, second = (average_precisions(each, draws.counts)['AP'] for each in matched)
    return verdict(first - second)


def test_a_model_is_not_distinguishable_from_itself(random_tiles):
    assert compared(random_tiles(1), random_tiles(1)) == 'not distinguishable'


def test_two_draws_of_one_noise_are_not_distinguishable(random_tiles):
    assert compared(random_tiles(1), random_tiles(2)) == 'not distinguishable'


def test_a_closer_model_is_better_and_the_other_worse(random_tiles):
    assert compared(random_tiles(1, jitter_px=2), random_tiles(1, jitter_px=12)) == 'better'
    assert compared(random_tiles(1, jitter_px=12), random_tiles(1, jitter_px=2)) == 'worse'


def test_models_of_other_tiles_or_truth_are_not_compared(tile):
    first = match([tile('a', true=[BOX])])
    message = r"be scored on the same tiles and boxes, got \['1 tiles with 1 boxes', '1 tiles with [12] boxes'\] in study.yaml"
    for other in ([tile('b', true=[BOX])], [tile('a', true=[BOX, FAR])], [tile('a', true=[FAR])]):
        with pytest.raises(DatasetError, match=message):
            require_same_tiles([first, match(other)], 'study.yaml')


def test_some_tiles_of_a_set_score_as_a_set_of_their_own(random_tiles):
    tiles = random_tiles(3)
    kept = np.arange(len(tiles)) % 3 == 0
    part = restricted(match(tiles), kept)
    alone = match([each for each, keep in zip(tiles, kept, strict=True) if keep])
    assert part.tile_ids == alone.tile_ids
    assert average_precisions(part, ones(part.tile_ids)) == average_precisions(
        alone, ones(part.tile_ids)
    )
