"""The index of a study's model zoo, as `mim search` and the `model-index` package read it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

INDEX = 'model-index.yml'
_FASTER_RCNN = 'Faster R-CNN'
Paper = tuple[str, str]
_EFFICIENTNET: Paper = (
    'EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks',
    '1905.11946',
)
#: Architecture -> title and number on arXiv of its paper.
_PAPERS: dict[str, Paper] = {
    _FASTER_RCNN: (
        'Faster R-CNN: Towards Real-Time Object Detection with Region Proposal Networks',
        '1506.01497',
    ),
    'ResNet': ('Deep Residual Learning for Image Recognition', '1512.03385'),
    'EfficientNet': _EFFICIENTNET,
    'EfficientNetLite': _EFFICIENTNET,
    'MobileNetV2': ('MobileNetV2: Inverted Residuals and Linear Bottlenecks', '1801.04381'),
    'VisionTransformer': (
        'An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale',
        '2010.11929',
    ),
    'SwinTransformer': (
        'Swin Transformer: Hierarchical Vision Transformer using Shifted Windows',
        '2103.14030',
    ),
    'SatMAEViT': (
        'SatMAE: Pre-training Transformers for Temporal and Multi-Spectral Satellite Imagery',
        '2207.08051',
    ),
}
#: How the name of a pre-training config begins -> paper of the method.
_METHODS: dict[str, Paper] = {
    'swin_mae': ('Swin MAE: Masked Autoencoders for Small Datasets', '2212.13805'),
    'mae': ('Masked Autoencoders Are Scalable Vision Learners', '2111.06377'),
    'kd': ('Distilling the Knowledge in a Neural Network', '1503.02531'),
}


@dataclass(frozen=True)
class Weights:
    """One published file.

    Attributes:
        file: its name.
        sha256: of the file.
        backbone: mmlandslide class of its backbone.
        datasets: that its weights have seen.
    """

    file: str
    sha256: str
    backbone: str
    datasets: tuple[str, ...]


def files(results: Mapping[str, Any], weights: Mapping[str, Weights]) -> dict[str, str]:
    """Return the files of the index, name -> YAML.

    A metafile for each backbone, and last the one that imports them. Scores are those of the
    published seed, in [0, 1] as in every table of a study.

    Args:
        results: as `results.collect` or `results_file.read_results` return them.
        weights: work dir of a training -> its published file; the others are left out.
    """
    metafiles: dict[str, dict[str, list[Any]]] = {}
    # A pre-training that several backbones share stands in the first one's file.
    taken: set[str] = set()
    for backbone in dict.fromkeys(cell['backbone'] for cell in results['cells']):
        cells = [cell for cell in results['cells'] if cell['backbone'] == backbone]
        models = {
            model['Name']: model
            for cell in cells
            for model in _models(cell, weights)
            if model['Name'] not in taken
        }
        if models:
            taken |= {*models}
            name = f'metafile_{re.sub("[^a-z0-9]+", "_", backbone.lower()).strip("_")}.yml'
            metafile = metafiles.setdefault(name, {'Collections': [], 'Models': []})
            metafile['Collections'].append(_collection(backbone, cells, weights))
            metafile['Models'].extend(models.values())
    return {
        **{name: _yaml(metafile) for name, metafile in metafiles.items()},
        INDEX: _yaml({'Import': [*metafiles]}),
    }


def _collection(
    backbone: str, cells: Sequence[Mapping[str, Any]], weights: Mapping[str, Weights]
) -> dict[str, Any]:
    # The last two trainings are of the condition's own backbone; earlier ones may be a teacher's.
    own = [
        weights[each['work_dir']]
        for cell in cells
        for each in _trainings(cell)[-2:]
        if each['work_dir'] in weights
    ]
    kind = own[-1].backbone if own else ''
    metadata = {
        'Training Data': _listed(name for each in own for name in each.datasets),
        'Training Techniques': _listed(
            cell['strategy'] for cell in cells if any(_models(cell, weights))
        ),
        'Architecture': kind,
    }
    paper = {'Paper': _paper(_PAPERS[kind])} if kind in _PAPERS else {}
    return {'Name': backbone, 'Metadata': _stated(metadata), **paper}


def _models(cell: Mapping[str, Any], weights: Mapping[str, Weights]) -> Iterator[dict[str, Any]]:
    """Yield the published models of a condition: encoders, then the detector."""
    for training in _trainings(cell):
        if training['work_dir'] in weights:
            model = _detector if training['kind'] == 'detect' else _encoder
            yield model(cell, training, weights[training['work_dir']])


def _detector(
    cell: Mapping[str, Any], training: Mapping[str, Any], weights: Weights
) -> dict[str, Any]:
    run = cell['runs'][0]
    names = {'box AP': 'AP', 'AP50': 'AP50'}
    metrics = {
        name: round(run['metrics'][key], 4)
        for name, key in names.items()
        if run['metrics'][key] is not None
    }
    # Each mmlandslide config is named after its detector; of another nothing is claimed.
    detector = _FASTER_RCNN if Path(training['config']).stem.startswith('faster_rcnn') else ''
    more = {
        'Training Techniques': cell['strategy'],
        'Architecture': _listed((detector, weights.backbone)),
        'Iterations': run['steps'],
        'Label Fraction': cell['label_fraction'],
        'Seed': run['seed'],
    }
    results = {'Task': 'Object Detection', 'Dataset': cell['protocol'], 'Metrics': metrics}
    paper = {'Paper': _paper(_PAPERS[detector])} if detector else {}
    return {**_model(cell, training, weights, more), 'Results': [results], **paper}


def _encoder(
    cell: Mapping[str, Any], training: Mapping[str, Any], weights: Weights
) -> dict[str, Any]:
    stem = Path(training['config']).stem
    method = next((_METHODS[start] for start in _METHODS if stem.startswith(f'{start}_')), None)
    paper = method or _PAPERS.get(weights.backbone)
    more = {'Training Techniques': stem, 'Architecture': weights.backbone}
    return {**_model(cell, training, weights, more), **({'Paper': _paper(paper)} if paper else {})}


def _model(
    cell: Mapping[str, Any],
    training: Mapping[str, Any],
    weights: Weights,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    metadata = {
        'Training Data': _listed(weights.datasets),
        **more,
        'Epochs': int(training['options']['train_cfg.max_epochs']),
        'Batch Size': int(training['options']['train_dataloader.batch_size']),
        'SHA256': weights.sha256,
    }
    return {
        'Name': Path(training['work_dir']).name,
        'In Collection': cell['backbone'],
        'Config': training['config'],
        'Metadata': _stated(metadata),
        'Weights': weights.file,
    }


def _trainings(cell: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the trainings of a condition's published seed, in their order."""
    return [stage for stage in cell['runs'][0]['stages'] if stage['kind'] != 'test']


def _paper(paper: Paper) -> dict[str, str]:
    return {'Title': paper[0], 'URL': f'https://arxiv.org/abs/{paper[1]}'}


def _listed(names: Any) -> str:
    """Return names as one text, each once.

    `model-index` would add a model's list to its collection's.
    """
    return ', '.join(dict.fromkeys(name for name in names if name))


def _stated(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known."""
    return {key: value for key, value in metadata.items() if value != ''}


def _yaml(content: Any) -> str:
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120))
