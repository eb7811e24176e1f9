"""What int8 would make of a shipped detector: AP50 on the scored tiles, and seconds a tile, in turn.

Static quantisation of onnxruntime (QDQ, weights by channel), its ranges from tiles of the training.
Worth offering where it loses at most .01 AP50 and gains 1.5 times.

Example: OMP_NUM_THREADS=1 python tools/benchmark/int8_detector.py --tiles 529
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from mmlandslide import zoo
from mmlandslide.publishing.scores import detect, scores_of
from mmlandslide.registry import DATASETS
from mmlandslide.scenes.inference.onnx.onnx_predictor import INPUT, OnnxPredictor

SPLITS = Path('studies/splits')
BATCH = 4


def tiles(ids: Path, count: int) -> dict[str, Any]:
    """Return the config of a data set of the first tiles of a list."""
    data = {'type': 'mmlandslide.VOCTileDataset', 'data_root': 'data/l4s_rgb'}
    own = {'folder': ['train', 'valid'], 'name': 'landslide4sense', 'split_file': str(ids)}
    return {**data, **own, 'test_mode': True, 'indices': count}


def images(ids: Path, count: int) -> Iterator[np.ndarray]:
    """Yield tiles (1, 3, H, W)."""
    data = DATASETS.build({**tiles(ids, count), 'pipeline': []})
    for index in range(len(data)):
        yield np.asarray(data.load_image(data.get_data_info(index)), np.float32)[None]


class Ranges(CalibrationDataReader):
    """Hands tiles to onnxruntime, which notes the ranges of activations."""

    def __init__(self, count: int) -> None:
        self._tiles = images(SPLITS / 'block_rgb_fit.txt', count)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next tile, `None` after the last."""
        tile = next(self._tiles, None)
        return None if tile is None else {INPUT: tile}


@click.command()
@click.option('--model', default=zoo.DEFAULT, show_default=True)
@click.option('--tiles', 'count', default=529, show_default=True, help='Scored tiles.')
@click.option('--backbone-only', is_flag=True, help='Convolutions alone, no layer of the heads.')
def main(model: str, count: int, backbone_only: bool) -> None:
    """Print AP50, size and CPU seconds a tile of both."""
    source = zoo.find(model).onnx
    with tempfile.TemporaryDirectory() as made:
        prepared, out = Path(made, 'prepared.onnx'), Path(made, 'int8.onnx')
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            out,
            Ranges(64),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=['Conv'] if backbone_only else ['Conv', 'Gemm', 'MatMul'],
        )
        quantised = onnx.load(out)
        if not quantised.metadata_props:
            quantised.metadata_props.extend(onnx.load(source).metadata_props)
        out.write_bytes(quantised.SerializeToString())
        both = {'float32': OnnxPredictor(source, 'cpu'), 'int8': OnnxPredictor(out, 'cpu')}
        batch = np.concatenate([*images(SPLITS / 'block_rgb_score.txt', BATCH)])
        times: dict[str, list[float]] = {name: [] for name in both}
        for _ in range(8):
            for name, predictor in both.items():
                start = time.process_time()
                predictor.predict(batch)
                times[name].append((time.process_time() - start) / BATCH)
        click.echo('| | MB | CPU s a tile | AP50 |\n|---|---|---|---|')
        for name, predictor in both.items():
            found = detect(predictor, tiles(SPLITS / 'block_rgb_score.txt', count), 'scored')
            score, seconds = scores_of(found)[0]['AP50'], statistics.median(times[name][1:])
            size = predictor.path.stat().st_size / 1e6
            click.echo(f'| {name} | {size:.1f} | {seconds:.3f} | {score["value"]:.4f} |')


if __name__ == '__main__':
    main()
