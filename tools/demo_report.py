"""Put what `tools/demo.sh` made on one page, demo/report.html (and README's picture).

Exit 1 where the detector has not learnt. Example: python tools/demo_report.py --seconds 800
"""

import base64
import json
import os
import platform
import sys
from datetime import datetime, timezone
from pathlib import Path

import click
import jinja2
import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from mmlandslide.datasets.boxes import RULES
from mmlandslide.datasets.storage.store import ensure_store
from mmlandslide.files import write_atomic

ROOT, WORK, PRETRAIN = (
    Path('demo'),
    Path('work_dirs/faster_rcnn_demo'),
    Path('work_dirs/swin_mae_demo'),
)
LEAST_AP50 = 0.30
PAGE = Path(__file__).with_name('demo_report.html.j2')


def embed(*paths: Path) -> list[str]:
    """Return pictures as base64 text."""
    return [base64.b64encode(path.read_bytes()).decode() for path in paths]


def panels() -> list[Path]:
    """Return the detection panels of four tiles with landslides and two without."""
    store = ensure_store(ROOT / 'landslide4sense', 'test')
    counts = sorted(
        (-len(store.boxes(tile_id, RULES['components'])), tile_id) for tile_id in store.ids
    )
    newest = max(WORK.glob('*/panels'))
    return [
        newest / f'{tile_id.replace("/", "_")}.png' for _, tile_id in (*counts[:4], *counts[-2:])
    ]


@click.command(epilog='Example: python tools/demo_report.py --seconds 800')
@click.option('--seconds', default=0, help='What the demo took, for the page.')
def main(seconds: int) -> None:
    """Write the page, print its table."""
    trained, untrained = (
        json.loads((folder / 'metrics.json').read_text()) for folder in (WORK, ROOT / 'untrained')
    )
    baseline = json.loads((ROOT / 'baseline.json').read_text())
    shown = [
        {name: f'{value:.3f}' if value is not None else 'none' for name, value in run.items()}
        for run in (trained, untrained)
    ]
    rows = [
        (name, *(run[name] for run in shown), f'{baseline[name]:.3f}' if name in baseline else '')
        for name in trained
    ]
    reconstruction = max(
        PRETRAIN.glob('reconstructions/*.png'), key=lambda path: int(path.stem.split('_')[1])
    )
    sections = [
        ('Precision and recall', embed(WORK / 'pr_curve.png', WORK / 'f1_confidence.png')),
        ('Reconstruction of masked tiles', embed(reconstruction)),
        ('Detections (truth cyan, predictions yellow)', embed(*panels())),
    ]
    machine = f'{os.cpu_count()} cores {platform.machine()}'
    page = jinja2.Template(PAGE.read_text(), autoescape=True).render(
        rows=rows,
        baseline=baseline,
        sections=sections,
        machine=machine,
        date=datetime.now(timezone.utc).date(),
        minutes=seconds // 60,
    )
    Image.fromarray(np.concatenate([np.asarray(Image.open(path)) for path in panels()[1:3]])).save(
        ROOT / 'detections.png'
    )
    table = Table('metric', 'detector', 'untrained', 'best threshold')
    for row in rows:
        table.add_row(*row)
    Console().print(table, f'{write_atomic(ROOT / "report.html", page)} ({seconds} s in all)')
    if trained['AP50'] < LEAST_AP50 or trained['AP50'] <= max(untrained['AP50'], baseline['AP50']):
        sys.exit(
            f'error: AP50 must reach {LEAST_AP50} and beat both others, got {trained["AP50"]:.3f} in {WORK}/metrics.json.'
        )


if __name__ == '__main__':
    main()
