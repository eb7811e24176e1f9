"""How far scenes and tiles lie from the training range of a shipped detector, one row each.

Scenes are files, searched as `mmlandslide detect --check` would; tiles are folders of Landslide4Sense
RGB tiles (`N.jpg`), by the four scenes of its grid, of Mars tiles (`*.tif`, their first three bands)
and of 14-band tiles (`*.h5`, B4 B3 B2). One row is a simulated scene (`synth`'s ground, 512 px).

Example: python tools/training_distances.py data --scene SCENE.tif --dn-offset 0
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmlandslide import zoo
from mmlandslide.bands import LANDSLIDE4SENSE, positions
from mmlandslide.datasets import l4s_grid
from mmlandslide.scenes.detector import LandslideDetector
from mmlandslide.scenes.inference.domain import training_range
from mmlandslide.scenes.inference.domain.rgb8 import Rgb8Predictor
from mmlandslide.scenes.inputs.options import InputOptions


def l4s_tiles(root: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield the group of each RGB tile of Landslide4Sense, and the tile as the detector sees it."""
    fitted = Path('studies/splits/block_rgb_fit.txt').read_text().split()
    for path in sorted(root.glob('*/*.jpg')):
        place = l4s_grid.position_of(int(path.stem))
        rows = 'trained on' if f'train/{path.stem}' in fitted else 'not trained on'
        group = f'Landslide4Sense, scene {place.scene}, {rows}'
        yield group, np.asarray(Image.open(path), np.float32).transpose(2, 0, 1)


def reflectance_tiles(root: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield tiles of reflectance: 14-band files, Mars, and a simulated scene in tiles."""
    import h5py
    import rasterio

    from mmlandslide.datasets.simulation.synthetic import simulate_tile

    bands = positions(('B4', 'B3', 'B2'), LANDSLIDE4SENSE)
    for path in sorted((root / 'l4s_h5').rglob('*.h5')):
        with h5py.File(path) as file:
            yield 'Landslide4Sense, 14-band tiles', file['img'][...].transpose(2, 0, 1)[bands]
    for path in sorted((root / 'mars_mmls').glob('*/images/*.tif')):
        with rasterio.open(path) as file:
            yield 'Mars', file.read([1, 2, 3])
    for seed in range(16):
        yield 'simulated ground', simulate_tile(seed, 'distance', 128)[0].transpose(2, 0, 1)[bands]


@click.command()
@click.argument('data', type=click.Path(path_type=Path, exists=True))
@click.option('--scene', 'scenes', multiple=True)
@click.option('--dn-offset', type=float)
@click.option('--model', default=zoo.DEFAULT, show_default=True)
def main(data: Path, scenes: tuple[str, ...], dn_offset: float | None, model: str) -> None:
    """Print the distances of tiles under DATA and of scenes."""
    detector = LandslideDetector(model)
    own = detector.predictor
    stretched, found = Rgb8Predictor(own, own.pixel_scale), own.training_range
    distances: dict[str, list[float]] = defaultdict(list)
    shown = (*l4s_tiles(data / 'l4s_rgb'), *(
        (group, stretched.shown(np.asarray(tile, np.float32)[None])[0])
        for group, tile in reflectance_tiles(data)
    ))  # fmt: skip
    for group, tile in shown:
        known = np.ones((1, *tile.shape[1:]), bool)
        described = training_range.describe(tile[None], known, found.scale)
        distances[group].append(float(found.distances(described)[0]))
    click.echo('| what | windows | median distance | least | beyond the edge | warned of |')
    click.echo('|---|---|---|---|---|---|')
    for group, each in sorted(distances.items()):
        _row(group, np.array(each))
    for path in scenes:
        scene = detector.open(path, InputOptions(dn_offset=dn_offset))
        job = detector.job(scene, detector.defaults)
        off = training_range.measure(job)
        warned = 'no' if training_range.warning(job, off) is None else 'yes'
        share = f'{off["beyond"]:.0%}'
        click.echo(
            f'| {scene.name} | {off["windows"]} | {off["distance"]:.2f} | | {share} | {warned} |'
        )


def _row(group: str, distances: NDArray[np.float64]) -> None:
    median, beyond = np.median(distances), (distances > 1).mean()
    warned = 'yes' if median > 1 else 'no'
    click.echo(
        f'| {group} | {len(distances)} | {median:.2f} | {distances.min():.2f} | {beyond:.0%} | {warned} |'
    )


if __name__ == '__main__':
    main()
