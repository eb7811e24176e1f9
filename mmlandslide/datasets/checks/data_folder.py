"""Which data sets lie in a data folder, and how many files each split of them has."""

from pathlib import Path

from mmlandslide.datasets.storage import index
from mmlandslide.errors import MissingPathError
from mmlandslide.installation import Finding

#: Folder of another data set -> its splits, and what is counted in each.
_OTHER_DATA = {
    'l4s_rgb': (('train', 'valid'), {'images': '*.jpg', 'XML files': '*.xml'}),
    'mars_mmls': (('train', 'validation'), {'images': 'images/*.tif', 'masks': 'masks/*.tif'}),
}


def dataset_findings(data: Path) -> list[Finding]:
    """Report each data set below `data`, Landslide4Sense in either layout first, by split."""
    found = []
    for folder in sorted(path for path in data.glob('*') if path.is_dir()):
        try:
            layout = index.layout(folder)
        except MissingPathError:
            continue
        pairings = {split: index.pair(folder, split) for split in index.SPLITS}
        counts = (
            f'{split} {len(p.refs)} / {sum(ref.mask_path is not None for ref in p.refs)}'
            for split, p in pairings.items()
        )
        found.append(Finding(str(folder), f'layout {layout}, images / masks: {", ".join(counts)}'))
    remedy = f'See data/README.md, or run `mmlandslide synth --out {data / "landslide4sense"}`'
    return (found or [Finding(str(data), 'no Landslide4Sense folder', remedy)]) + _other_findings(
        data
    )


def _other_findings(data: Path) -> list[Finding]:
    """Report the other data sets of data/README.md that are there, with the files of each split."""
    found = []
    for name, (splits, kinds) in _OTHER_DATA.items():
        folder = data / name
        counts = {
            split: [len(list((folder / split).glob(pattern))) for pattern in kinds.values()]
            for split in splits
        }
        if folder.is_dir():
            text = ', '.join(
                f'{split} {" / ".join(map(str, numbers))}' for split, numbers in counts.items()
            )
            found.append(Finding(str(folder), f'{" / ".join(kinds)}: {text}'))
    return found
