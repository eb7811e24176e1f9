"""Measure how much a split that leaks flatters a detector: the same one, trained on two splits of RGB tiles.

Trains on the original study's ids, on rows 0-49 of scene A (`block`) and on all of scene A, the
same number of tiles, epochs and seeds each; scores every one on tiles that it has not seen. Each
training and test is a `mim` command of its own in a folder of its own; what is there is not done
again, so the command may be stopped and started at will. Needs `data/l4s_rgb`.
Example: python tools/leak_size.py --seeds 0 --seeds 1 --epochs 6
"""

import json
import random
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from mmlandslide.datasets import l4s_grid
from mmlandslide.evaluation.bootstrap import RESAMPLES, draw, grouping_of, interval
from mmlandslide.evaluation.results import TileResult, tile_result
from mmlandslide.files import write_atomic, write_json
from mmlandslide.study.statistics import average_precisions, match

CONFIG = 'configs/det/faster_rcnn_mobilenet_v2_small_rgb.py'
SPLITS = Path('configs/splits')
#: Training -> the splits that it may be scored on; `study` is the original study's.
SCORED = {
    'study': ('study_valid',),
    'block': ('block_score',),
    'scene_a': ('scene_b', 'scene_c', 'scene_d'),
}
TRAINED = {'study': 'study_train', 'block': 'block_train', 'scene_a': 'scene_a'}


def tiles_of(split: str, data_root: Path) -> list[str]:
    """Return the ids of a split of which this copy holds the tile, in the split's order."""
    lines = (SPLITS / f'{split}.txt').read_text().splitlines()
    ids = [line.strip() for line in lines if line.strip() and not line.startswith('#')]
    held = {path.stem for path in data_root.glob('*/*.jpg')}
    return [name for name in ids if name.rpartition('/')[2] in held]


def run(words: list[str], log: Path) -> None:
    """Run a `mim` command with its output in a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open('w') as file:
        subprocess.run([sys.executable, '-m', 'mim', *words], check=True, stdout=file, stderr=file)


def train(out: Path, training: str, seed: int, epochs: int, count: int, root: Path) -> Path:
    """Train on `count` tiles of a split, drawn once for all seeds; return the last checkpoint."""
    folder = out / f'{training}-{seed}'
    last = folder / f'epoch_{epochs}.pth'
    if last.is_file():
        return last
    ids = sorted(random.Random(0).sample(tiles_of(TRAINED[training], root), count))
    split = write_atomic(folder / 'tiles.txt', '\n'.join(ids) + '\n')
    options = {
        **reading('train', split, root),
        **{f'param_scheduler.1.{key}': epochs - (key == 'T_max') for key in ('end', 'T_max')},
        **dict.fromkeys(('val_dataloader', 'val_cfg', 'val_evaluator'), None),
        'train_cfg.max_epochs': epochs,
        'default_hooks.checkpoint.save_best': None,
        'randomness.seed': seed,
    }
    words = ['train', 'mmdet', CONFIG, '--work-dir', str(folder), '--resume']
    run([*words, '--cfg-options', *spelled(options)], folder / 'train.log')
    return last


def test(checkpoint: Path, split: str, root: Path) -> list[TileResult]:
    """Return what a detector finds on a split."""
    folder = checkpoint.parent / split
    if not (folder / 'predictions.json').is_file():
        ids = write_atomic(folder / 'tiles.txt', '\n'.join(tiles_of(split, root)) + '\n')
        options = {**reading('test', ids, root), 'test_evaluator.out_dir': folder}
        words = ['test', 'mmdet', CONFIG, '--checkpoint', str(checkpoint), '--work-dir']
        run([*words, str(folder), '--cfg-options', *spelled(options)], folder / 'test.log')
    entries = json.loads((folder / 'predictions.json').read_text(encoding='utf-8'))
    return [tile_result(entry) for entry in entries]


def reading(stage: str, split: Path, root: Path) -> dict[str, object]:
    """Return the options by which a stage reads the tiles of a list, from both folders."""
    loader = f'{stage}_dataloader'
    return {
        f'{loader}.dataset.data_root': root,
        f'{loader}.dataset.folder': '["train","valid"]',
        f'{loader}.dataset.split_file': split,
        f'{loader}.num_workers': 0,
        f'{loader}.persistent_workers': False,
    }


def spelled(options: dict[str, object]) -> list[str]:
    """Return options as `--cfg-options` takes them."""
    return [f'{key}={value}' for key, value in options.items()]


def scores(by_seed: list[list[TileResult]], unit: str) -> dict[str, np.ndarray]:
    """Return AP50 of one scored set: its mean over seeds and its resamples.

    Args:
        by_seed: results of each seed, of the same tiles in the same order.
        unit: `blocks` of 4 x 4 tiles, or single `tiles`.
    """
    matches = [match(tiles) for tiles in by_seed]
    names = matches[0].tile_ids
    grouping = grouping_of(names, 'l4s_blocks', l4s_grid.BLOCK_TILES if unit == 'blocks' else 1)
    draws = draw(grouping, len(by_seed), RESAMPLES)
    once = np.ones((1, len(names)), np.int64)
    whole = [average_precisions(each, once)['AP50'][0] for each in matches]
    drawn = np.array([average_precisions(each, draws.counts)['AP50'] for each in matches])
    chosen = np.take_along_axis(drawn.T, draws.seeds, axis=1)  # (R, S)
    return {'AP50': np.mean(whole), 'resamples': chosen.mean(axis=1)}


def shared(leaky: list[TileResult], honest: list[TileResult]) -> list[list[TileResult]]:
    """Return the results of the tiles that neither training has seen, in one order."""
    both = {each.tile_id for each in leaky} & {each.tile_id for each in honest}
    return [
        sorted((each for each in side if each.tile_id in both), key=lambda each: each.tile_id)
        for side in (leaky, honest)
    ]


def rows_of(found: dict[str, dict[str, list[list[TileResult]]]]) -> list[dict[str, object]]:
    """Return one row per scored set, with intervals by blocks and by single tiles."""
    sets = {
        f'{training} -> {split}': by_seed
        for training, splits in found.items()
        for split, by_seed in splits.items()
    }
    pairs = zip(found['study']['study_valid'], found['block']['block_score'], strict=True)
    leaky, honest = (list(side) for side in zip(*(shared(*pair) for pair in pairs), strict=True))
    sets |= {'study -> shared tiles': leaky, 'block -> shared tiles': honest}
    drawn = {
        (name, unit): scores(by_seed, unit)
        for name, by_seed in sets.items()
        for unit in ('blocks', 'tiles')
    }
    rows = [row(name, {unit: drawn[name, unit] for unit in ('blocks', 'tiles')}) for name in sets]
    for one, other in (
        ('study -> study_valid', 'block -> block_score'),
        ('study -> shared tiles', 'block -> shared tiles'),
    ):
        gaps = {
            unit: {key: drawn[one, unit][key] - drawn[other, unit][key] for key in drawn[one, unit]}
            for unit in ('blocks', 'tiles')
        }
        rows.append(row(f'{one} minus {other}', gaps))
    for each in rows:
        each['tiles'] = len(sets[str(each['set'])][0]) if each['set'] in sets else None
    return rows


def row(name: str, drawn: dict[str, dict[str, np.ndarray]]) -> dict[str, object]:
    """Return a set's AP50 and its 95 % intervals."""
    intervals = {unit: interval(each['resamples']) for unit, each in drawn.items()}
    return {'set': name, 'AP50': float(drawn['blocks']['AP50']), **intervals}


@click.command(epilog='Example: python tools/leak_size.py --seeds 0 --seeds 1 --epochs 6')
@click.option('--seeds', multiple=True, type=int, default=(0, 1), show_default=True)
@click.option('--epochs', type=click.IntRange(2), default=6, show_default=True)
@click.option('--tiles', type=int, help='To train on; default: as many as the smallest split has.')
@click.option('--data-root', type=click.Path(path_type=Path), default=Path('data/l4s_rgb'))
@click.option('--out', type=click.Path(path_type=Path), default=Path('work_dirs/leak_size'))
@click.option('--only', type=click.Choice([*SCORED]), help='Train this alone and print nothing.')
def main(
    seeds: tuple[int, ...], epochs: int, tiles: int | None, data_root: Path, out: Path, only: str
) -> None:
    """Print AP50 on each scored set and the differences, with 95 % intervals; write them as JSON."""
    data_root = data_root.resolve()
    count = tiles or min(len(tiles_of(split, data_root)) for split in TRAINED.values())
    found = {
        training: {
            split: [
                test(train(out, training, seed, epochs, count, data_root), split, data_root)
                for seed in seeds
            ]
            for split in splits
        }
        for training, splits in SCORED.items()
        if only in (None, training)
    }
    if only:
        return
    rows = rows_of(found)
    write_json(
        out / 'leak_size.json',
        {'config': CONFIG, 'epochs': epochs, 'training_tiles': count, 'seeds': seeds, 'rows': rows},
    )
    table = Table('set', 'tiles', 'AP50', 'by blocks', 'by tiles')
    for each in rows:
        ends = (f'[{each[unit][0]:.3f}, {each[unit][1]:.3f}]' for unit in ('blocks', 'tiles'))
        table.add_row(str(each['set']), str(each['tiles'] or ''), f'{each["AP50"]:.3f}', *ends)
    title = f'{count} training tiles, {epochs} epochs, seeds {", ".join(map(str, seeds))}'
    Console(width=130).print(title, table)


if __name__ == '__main__':
    main()
