"""Stands in for `mim`.

Leaves the files that a training or a test leaves, in a moment, from a chain of digests.
"""

import hashlib
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from mmlandslide.evaluation.results import TileResult
from mmlandslide.evaluation.scoring import evaluate
from mmlandslide.files import write_atomic, write_json


def train(words, work_dir, options):
    busy_until = time.process_time() + float(os.environ.get('STUB_BUSY_S', '0'))
    while time.process_time() < busy_until:
        pass
    with (work_dir / 'starts.txt').open('a') as file:
        file.write(' '.join(words) + '\n')
    if 'broken' in words[2]:
        sys.exit('error: loss must be finite, got nan in broken.py. Lower the rate.')
    done = len(list(work_dir.glob('epoch_*.pth'))) if '--resume' in words else 0
    vis_data = (
        work_dir / f'2030{len(list(work_dir.glob("2030*"))):04}' / 'vis_data'
    )  # a folder a start, as mmengine has them
    vis_data.mkdir(parents=True)
    said = (
        (work_dir / f'epoch_{done}.pth').read_text()
        if done
        else 'start' + ' '.join(sorted(options))
    )
    for epoch in range(
        1, int(dict(option.split('=', 1) for option in options)['train_cfg.max_epochs']) + 1
    ):
        if epoch > done:
            time.sleep(float(os.environ.get('STUB_EPOCH_S', '0')))
            said = hashlib.sha256(said.encode()).hexdigest()
            with (vis_data / 'scalars.json').open('a') as file:
                file.write(
                    json.dumps(
                        {
                            'loss': (1 + int(said[:2], 16) / 1000) / epoch,
                            'epoch': epoch,
                            'step': epoch * 10,
                        }
                    )
                    + '\n'
                )
            write_atomic(work_dir / f'epoch_{epoch}.pth', said)
            write_atomic(work_dir / 'last_checkpoint', str(work_dir / f'epoch_{epoch}.pth'))
    if 'mae' in words[2]:
        (work_dir / 'reconstructions').mkdir(exist_ok=True)
        Image.new('RGB', (30, 10), (200, 30, 30)).save(
            work_dir / 'reconstructions' / f'epoch_{epoch}.png'
        )


def test(words, work_dir):
    if 'seen' in words[2]:
        sys.exit(
            'error: test tiles must be unseen by training and pre-training, got 1 seen in x.pth. Test on another split.'
        )
    checkpoint = Path(words[words.index('--checkpoint') + 1]).read_text()
    noise = np.random.default_rng(int(checkpoint[:8], 16))
    tiles = []
    scored = dict(word.split('=', 1) for word in words if '=' in word)
    names = Path(scored['test_dataloader.dataset.split_file']).read_text().split()
    for number, name in enumerate(names):
        true = np.array([[10, 10, 30 + number, 40], [50, 50, 90, 80]], np.float32)
        boxes = (true + noise.integers(0, 12, true.shape)).astype(np.float32)
        labels = np.zeros(2, np.int64)
        tiles.append(
            TileResult(
                name,
                boxes,
                noise.random(2).astype(np.float32),
                labels,
                true,
                labels,
                (128, 128),
            )
        )
    write_json(work_dir / 'metrics.json', evaluate(tiles).metrics)
    write_json(work_dir / 'evaluation.json', {'rules': {'native_scale': 1.0}})
    names = ('boxes_xyxy', 'scores', 'labels', 'true_boxes_xyxy', 'true_labels')
    write_json(
        work_dir / 'predictions.json',
        [{'img_id': tile.tile_id, **{key: vars(tile)[key] for key in names}} for tile in tiles],
    )


def run(words):
    work_dir = Path(words[words.index('--work-dir') + 1])
    work_dir.mkdir(parents=True, exist_ok=True)
    if words[0] == 'train':
        train(words, work_dir, words[words.index('--cfg-options') + 1 :])
    else:
        print(json.dumps(words))  # noqa: T201
        test(words, work_dir)


if __name__ == '__main__':
    run(sys.argv[1:])
