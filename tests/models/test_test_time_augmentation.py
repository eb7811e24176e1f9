import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmlandslide.errors import ConfigError
from mmlandslide.models.test_time_augmentation import fused, predict_views, viewed
from mmlandslide.symmetry import VIEWS, Symmetry, views_named


def detections(boxes, scores):
    return InstanceData(
        bboxes=torch.tensor(boxes).reshape(-1, 4).float(),
        scores=torch.tensor(scores),
        labels=torch.zeros(len(scores), dtype=torch.int64),
    )


class BrightSpot:
    """Detects the rectangle of a tile that is not zero, and knows the size that it was told."""

    def test_step(self, data):
        for image, sample in zip(data['inputs'], data['data_samples'], strict=True):
            assert sample.metainfo['img_shape'] == tuple(image.shape[-2:])
            assert sample.metainfo['scale_factor'] == (
                (2.0, 1.0) if image.shape[-1] > image.shape[-2] else (1.0, 2.0)
            )
            rows, columns = image[0].nonzero(as_tuple=True)
            box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            box = [
                float(side) / scale
                for side, scale in zip(box, sample.scale_factor * 2, strict=True)
            ]
            sample.pred_instances = detections([box], [0.8])
        return data['data_samples']


def test_a_quarter_turn_takes_the_lower_left_to_the_lower_right():
    image = torch.tensor([[0, 0, 0], [7, 0, 0]])  # 2 x 3, marked below left
    assert viewed(image, Symmetry(quarter_turns=1)).tolist() == [[0, 0], [0, 0], [0, 7]]
    # The mark fills (1, 2)-(2, 3) of the 3 x 2 view: x = 3 - y' and y = x' give (0, 1)-(1, 2).
    sides = Symmetry(quarter_turns=1).undone(torch.tensor([[1.0, 2, 2, 3]]), (3, 2))
    assert torch.stack(sides, dim=1).tolist() == [[0, 1, 1, 2]]


@pytest.mark.parametrize('name', VIEWS)
def test_every_view_of_an_oblong_tile_finds_the_same_box(name):
    image = torch.zeros(1, 6, 20)
    image[:, 1:4, 4:10] = 1  # 10 px wide in its own frame, seen at twice its width
    sample = DetDataSample(
        metainfo={'ori_shape': (6, 10), 'img_shape': (6, 20), 'scale_factor': (2.0, 1.0)}
    )
    (found,) = predict_views(
        BrightSpot(), {'inputs': [image], 'data_samples': [sample]}, views_named(name, '')
    )
    assert found is sample
    assert found.pred_instances.bboxes[0].tolist() == pytest.approx([2, 1, 5, 4], abs=1e-5)
    assert found.pred_instances.scores.tolist() == pytest.approx([0.8])


def test_a_box_of_one_view_in_two_keeps_half_its_score_and_boxes_are_weighted_by_score():
    both, one = [0.0, 0, 10, 10], [20.0, 20, 30, 30]
    found = fused([detections([both, one], [0.6, 0.4]), detections([[0.0, 0, 10, 8]], [0.2])], 0.55)
    # (0.6 x 10 + 0.2 x 8) / 0.8 = 9.5; (0.6 + 0.2) / 2 = 0.4; 0.4 / 2 = 0.2
    assert found.bboxes.numpy() == pytest.approx(torch.tensor([[0, 0, 10, 9.5], one]).numpy())
    assert found.scores.tolist() == pytest.approx([0.4, 0.2])


def test_a_tile_without_detections_stays_empty():
    found = fused([detections([], [])] * 4, 0.55)
    assert found.bboxes.shape == (0, 4)
    assert len(found.scores) == len(found.labels) == 0


def test_unknown_views_are_named_with_those_that_exist():
    with pytest.raises(
        ConfigError, match=r"tta must be one of \['none', 'flips', 'all'\], got 'x'"
    ):
        views_named('x', 'the test')
