"""QGIS style of a layer of detections: outlines, coloured by score."""

from itertools import pairwise
from xml.etree import ElementTree

from mmlandslide.scenes.outputs import score_colors

_WIDTH_MM = 0.5


def qml(score_name: str) -> str:
    """Return a style of QGIS 3.

    A graduated renderer over the scores, outlines without filling, the best on top. QGIS applies
    `NAME.qml` when it opens `NAME.gpkg` or `NAME.geojson` beside it. (A `layer_styles`
    table within the GeoPackage would be found too, but to every other reader it is a second layer.)

    Args:
        score_name: that column, see `vector.score_name`.
    """
    root = ElementTree.Element('qgis', version='3.28.0', styleCategories='Symbology')
    renderer = ElementTree.SubElement(
        root,
        'renderer-v2',
        type='graduatedSymbol',
        attr=score_name,
        graduatedMethod='GraduatedColor',
        symbollevels='0',
        forceraster='0',
        enableorderby='1',
    )
    ranges, symbols = (ElementTree.SubElement(renderer, name) for name in ('ranges', 'symbols'))
    for index, ((low, high), label) in enumerate(
        zip(pairwise(score_colors.EDGES), score_colors.LABELS, strict=True)
    ):
        ElementTree.SubElement(
            ranges,
            'range',
            lower=f'{low:.6f}',
            upper=f'{high:.6f}',
            symbol=str(index),
            label=label,
            render='true',
        )
        symbols.append(_outline(str(index), score_colors.COLORS[index]))
    order = ElementTree.SubElement(
        ElementTree.SubElement(renderer, 'orderby'), 'orderByClause', asc='1', nullsFirst='0'
    )
    order.text = f'"{score_name}"'
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding='unicode', xml_declaration=True) + '\n'


def _outline(name: str, color: str) -> ElementTree.Element:
    symbol = ElementTree.Element(
        'symbol', type='fill', name=name, alpha='1', clip_to_extent='1', force_rhr='0'
    )
    layer = ElementTree.SubElement(
        symbol, 'layer', {'class': 'SimpleLine', 'enabled': '1', 'locked': '0', 'pass': '0'}
    )
    options = ElementTree.SubElement(layer, 'Option', type='Map')
    values = {
        'line_color': ','.join(map(str, (*score_colors.rgb(color), 255))),
        'line_style': 'solid',
        'line_width': str(_WIDTH_MM),
        'line_width_unit': 'MM',
        'joinstyle': 'miter',
    }
    for key, value in values.items():
        ElementTree.SubElement(options, 'Option', type='QString', name=key, value=value)
    return symbol
