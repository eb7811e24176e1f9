"""Draws multispectral tiles for MMEngine's visual back ends.

Local files, TensorBoard, Weights & Biases.
"""

from pathlib import Path
from typing import Any

import numpy as np
from mmengine.structures import BaseDataElement
from mmengine.visualization import Visualizer
from PIL import Image

from mmlandslide.datasets.display import detection_panel, zoom_to
from mmlandslide.errors import ConfigError
from mmlandslide.registry import VISUALIZERS


@VISUALIZERS.register_module()
class TileVisualizer(Visualizer):
    """Shows a tile of any bands with its truth and its predictions.

    MMDetection's own visualizer takes 8-bit RGB only. This one draws what
    `datasets.display.detection_panel` draws.
    """

    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        data_sample: BaseDataElement,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: float = 0.0,
        out_file: str | Path | None = None,
        pred_score_thr: float = 0.3,
        step: int = 0,
    ) -> None:
        """Draw one tile.

        Show it, write it to a file, or else hand it to the back ends (which write in the first
        process only).

        Args:
            name: of the picture.
            image: (C, H, W) in stored units, at any scale of the tile.
            data_sample: with `bands` and `ori_shape`; `native_boxes_xyxy` is the truth and
                `pred_instances` are the predictions, both in the tile's own frame.
            draw_gt: draw the truth.
            draw_pred: draw the predictions.
            show: open a window.
            wait_time: seconds until the window closes by itself; 0 waits for a key.
            out_file: picture to write.
            pred_score_thr: predictions below it are not drawn.
            step: of the training, for the back ends.

        Raises:
            ConfigError: the data sample does not name its bands.
        """
        panel = tile_panel(image, data_sample, pred_score_thr if draw_pred else np.inf, draw_gt)
        if show:
            self.show(panel, win_name=name, wait_time=wait_time)
        if out_file is not None:
            save_picture(panel, Path(out_file))
        if not show and out_file is None:
            self.add_image(name, panel, step)


def tile_panel(
    image: np.ndarray, data_sample: BaseDataElement, score_thr: float = 0.3, draw_gt: bool = True
) -> np.ndarray:
    """Return the panel of a tile with the truth and the predictions that its data sample holds.

    Args:
        image: (C, H, W), at any scale of the tile.
        data_sample: as in `TileVisualizer.add_datasample`.
        score_thr: predictions below it are left out.
        draw_gt: draw the truth.

    Returns:
        (H', W', 3) uint8, with the tile's longer side at 384 px or more.

    Raises:
        ConfigError: the data sample does not name its bands.
    """
    meta: dict[str, Any] = data_sample.metainfo
    missing = [key for key in ('bands', 'ori_shape') if key not in meta]
    if missing:
        raise ConfigError.mismatch(
            'data sample',
            "carry 'bands' and 'ori_shape'",
            f'no {missing}',
            'the pipeline',
            'Name them in meta_keys of its last transform',
        )
    (height, width), (own_height, own_width) = image.shape[-2:], meta['ori_shape'][:2]
    scale = np.tile((width / own_width, height / own_height), 2)
    truth = np.asarray(meta.get('native_boxes_xyxy', ()) if draw_gt else (), np.float64).reshape(
        -1, 4
    )
    boxes, scores = predictions(data_sample)
    kept = scores >= score_thr
    return detection_panel(
        image,
        meta['bands'],
        truth * scale,
        boxes[kept] * scale,
        scores[kept],
        zoom_to((height, width)),
    )


def predictions(data_sample: BaseDataElement) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes (N, 4) and scores (N,) of a sample's `pred_instances`, empty for none."""
    found = data_sample.get('pred_instances')
    if found is None:
        return np.zeros((0, 4)), np.zeros(0)
    return found.bboxes.detach().cpu().numpy().reshape(-1, 4), found.scores.detach().cpu().numpy()


def save_picture(picture: np.ndarray, path: Path) -> None:
    """Write (H, W, 3) uint8 to a file, whose folder is made where it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
