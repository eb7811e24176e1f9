"""A model of the zoo as a STAC item of the machine learning model extension (MLM)."""

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from mmlandslide.zoo.card import score_text

SCHEMA = 'https://stac-extensions.github.io/mlm/v1.4.0/schema.json'
#: South-west and north-east of Landslide4Sense's four regions: Gorkha, Kodagu, Taiwan and Iburi.
_BBOX = [75.0, 11.5, 142.5, 43.0]


def item(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return the item of a model, as JSON has it.

    Args:
        card: of the model.
    """
    created = datetime.fromisoformat(card['created']).replace(tzinfo=timezone.utc)
    west, south, east, north = _BBOX
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        'type': 'Feature',
        'stac_version': '1.1.0',
        'stac_extensions': [SCHEMA],
        'id': card['name'],
        'geometry': {'type': 'Polygon', 'coordinates': [ring]},
        'bbox': _BBOX,
        'properties': {
            'datetime': created.isoformat().replace('+00:00', 'Z'),
            'title': card['title'],
            'mlm:name': card['name'],
            'mlm:architecture': 'Faster R-CNN',
            'mlm:tasks': ['object-detection'],
            'mlm:framework': 'ONNX',
            'mlm:pretrained': True,
            'mlm:pretrained_source': card['training'].get('start', 'none'),
            'mlm:accelerator_constrained': False,
            'mlm:input': [_input(card)],
            'mlm:output': [_output(card)],
            'mmlandslide:protocol': card['protocol']['name'],
            'mmlandslide:AP50': score_text(card['scores']['AP50']),
        },
        'links': [],
        'assets': {
            'model': _asset('model.onnx', 'application/octet-stream; framework=onnx', 'inference'),
            'weights': _asset('model.safetensors', 'application/octet-stream', 'fine-tuning'),
            'card': {'href': './card.md', 'type': 'text/markdown', 'roles': ['metadata']},
        },
    }


def _input(card: Mapping[str, Any]) -> dict[str, Any]:
    side = card['window_px']
    return {
        'name': card['input'],
        'bands': list(card['bands']),
        'input': {
            'shape': [-1, len(card['bands']), side, side],
            'dim_order': ['batch', 'bands', 'height', 'width'],
            'data_type': 'float32',
        },
        'pre_processing_function': None,
    }


def _output(card: Mapping[str, Any]) -> dict[str, Any]:
    return {
        'name': 'boxes, xyxy in px of their tile, with scores',
        'tasks': ['object-detection'],
        'result': {'shape': [-1, 4], 'dim_order': ['detection', 'side'], 'data_type': 'float32'},
        'classification:classes': [{'value': 0, 'name': 'landslide'}],
        'post_processing_function': None,
    }


def _asset(name: str, kind: str, use: str) -> dict[str, Any]:
    return {
        'href': f'./{name}',
        'type': kind,
        'title': f'The detector for {use}',
        'roles': ['mlm:model'],
        'mlm:artifact_type': 'onnx' if name.endswith('.onnx') else 'safetensors',
    }
