"""Write a folder of the zoo out of a trained detector, calibrated on tuning tiles.

What no file holds (title, protocol, training, licence, limits, commands) is taken from a card.json,
which is edited before where the training has changed. Nothing is stated of how well it detects: that
is measured on the scored tiles.

Example: python tools/ship_detector.py mmlandslide/zoo/mobilenet_v2_rgb --config WORK_DIR/C.py
--checkpoint WORK_DIR --weights FOLDER/w.safetensors --card mmlandslide/zoo/mobilenet_v2_rgb/card.json
--score studies/splits/block_rgb_score.txt --tune studies/splits/block_rgb_tune.txt
"""

import tempfile
from pathlib import Path

import click

from mmlandslide.configs import read_config
from mmlandslide.publishing.folder import write_model
from mmlandslide.publishing.statement import of_card
from mmlandslide.weights.references import resolve
from mmlandslide.zoo.card import page, read_card

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument('folder', type=click.Path(path_type=Path))
@click.option('--config', 'config_path', type=_FILE, required=True, help='As it was trained.')
@click.option('--checkpoint', required=True, help='A file, a work dir or zoo://NAME.')
@click.option('--weights', type=_FILE, required=True, help='Its .safetensors.')
@click.option('--card', 'card_path', type=_FILE, required=True)
@click.option('--score', 'scored_ids', type=_FILE, required=True, help='Ids of the scored tiles.')
@click.option('--tune', 'tuning_ids', type=_FILE, help='Ids that probabilities are fitted on.')
def main(
    folder: Path,
    config_path: Path,
    checkpoint: str,
    weights: Path,
    card_path: Path,
    scored_ids: Path,
    tuning_ids: Path | None,
) -> None:
    """Write FOLDER, whose name is the detector's, and print its card."""
    scored = read_config(config_path)
    scored.test_dataloader.dataset.split_file = str(scored_ids)
    with tempfile.TemporaryDirectory() as made:
        scored.dump(Path(made, config_path.name))
        model = write_model(
            folder,
            config_path,
            resolve(checkpoint),
            weights,
            of_card(read_card(card_path)),
            Path(made, config_path.name),
            tuning_ids,
        )
    click.echo(page(model.card))


if __name__ == '__main__':
    main()
