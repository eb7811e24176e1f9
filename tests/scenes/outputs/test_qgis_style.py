from defusedxml import ElementTree

from mmlandslide.scenes.outputs.qgis_style import qml


def renderer(column='score'):
    return ElementTree.fromstring(qml(column)).find('renderer-v2')


def test_five_classes_of_the_score_have_a_symbol_each():
    ranges = [
        (each.get('lower'), each.get('upper'), each.get('symbol'))
        for each in renderer().find('ranges')
    ]
    borders = ['0.000000', '0.200000', '0.400000', '0.600000', '0.800000', '1.000000']
    assert ranges == [(borders[k], borders[k + 1], str(k)) for k in range(5)]
    assert [symbol.get('name') for symbol in renderer().find('symbols')] == [
        '0',
        '1',
        '2',
        '3',
        '4',
    ]
    assert (renderer().get('type'), renderer().get('attr')) == ('graduatedSymbol', 'score')


def test_symbols_are_outlines_in_the_colours_of_the_classes():
    layers = renderer().findall('symbols/symbol/layer')
    assert {layer.get('class') for layer in layers} == {'SimpleLine'}
    colors = [layer.find("Option/Option[@name='line_color']").get('value') for layer in layers]
    # #4aa3ff and #f7ff5c in decimal.
    assert (colors[0], colors[-1]) == ('74,163,255,255', '247,255,92,255')


def test_the_best_are_drawn_last():
    order = renderer().find('orderby/orderByClause')
    assert (renderer().get('enableorderby'), order.text, order.get('asc')) == ('1', '"score"', '1')


def test_probabilities_are_coloured_where_the_layer_has_them():
    found = renderer('probability')
    order = found.find('orderby/orderByClause')
    assert (found.get('attr'), order.text) == ('probability', '"probability"')
