import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from PIL import Image

from mmlandslide.datasets.display import PREDICTION_RGB, TRUTH_RGB
from mmlandslide.engine.visual.visualizer import TileVisualizer, predictions, tile_panel
from mmlandslide.errors import ConfigError
from mmlandslide.registry import VISUALIZERS

IMAGE = np.zeros((3, 256, 256), np.float32)  # a 128 px tile at twice its size


def data_sample(boxes=((10, 60, 50, 100),), scores=(0.9,), **meta):
    sample = DetDataSample(
        metainfo={'bands': ('R', 'G', 'B'), 'ori_shape': (128, 128), 'img_id': 'test/7', **meta}
    )
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32), scores=torch.tensor(scores)
    )
    return sample


def spread(panel, rgb):
    """Return the half-open bounds of a colour in the lower 512 rows of a panel."""
    rows, columns = np.nonzero((panel[-512:] == np.array(rgb)).all(-1))
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] if len(rows) else None


def test_boxes_of_the_tiles_own_frame_are_drawn_at_the_scale_of_the_image():
    sample = data_sample([], [], native_boxes_xyxy=np.float32([[10, 60, 50, 100]]))
    sample.pred_instances.bboxes = sample.pred_instances.bboxes.reshape(0, 4)
    panel = tile_panel(IMAGE, sample)  # 128 -> 256 px, then zoom 2
    assert spread(panel, TRUTH_RGB) == [40, 240, 200, 400]
    assert spread(panel, PREDICTION_RGB) is None


@pytest.mark.parametrize(('score_thr', 'drawn'), [(0.3, True), (0.9, True), (0.91, False)])
def test_predictions_below_the_threshold_are_left_out(score_thr, drawn):
    panel = tile_panel(IMAGE, data_sample(scores=(np.float64(0.9),)), score_thr)
    assert (spread(panel, PREDICTION_RGB) is not None) is drawn


def test_truth_and_predictions_can_be_left_out(tmp_path):
    sample, path = (
        data_sample(native_boxes_xyxy=np.float32([[0, 0, 9, 9]])),
        tmp_path / 'new' / 'a.png',
    )
    TileVisualizer().add_datasample(
        'a', IMAGE, sample, draw_gt=False, draw_pred=False, out_file=path
    )
    picture = np.asarray(Image.open(path))
    assert spread(picture, TRUTH_RGB) is spread(picture, PREDICTION_RGB) is None


def test_without_a_file_the_panel_goes_to_the_back_ends(tmp_path):
    visualizer = TileVisualizer(vis_backends=[{'type': 'LocalVisBackend'}], save_dir=str(tmp_path))
    visualizer.add_datasample('tile', IMAGE, data_sample(), step=12)
    written = np.asarray(Image.open(tmp_path / 'vis_data' / 'vis_image' / 'tile_12.png'))
    assert (written == tile_panel(IMAGE, data_sample())).all()


def test_a_sample_without_predictions_has_none():
    sample = data_sample()
    del sample.pred_instances
    boxes, scores = predictions(sample)
    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)


def test_a_sample_that_does_not_name_its_bands_is_refused():
    with pytest.raises(
        ConfigError, match=r"must carry 'bands' and 'ori_shape', got no \['bands'\] in the pipeline"
    ):
        tile_panel(IMAGE, DetDataSample(metainfo={'ori_shape': (128, 128)}))


def test_the_visualizer_is_found_by_its_name():
    assert VISUALIZERS.get('mmlandslide.TileVisualizer') is TileVisualizer
