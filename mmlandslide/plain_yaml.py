"""YAML of strangers and of users: plain values, in text that a file can hold."""

import re
from collections.abc import Hashable
from typing import Any

import yaml

#: Values of a document, those behind an alias (`*name`) counted wherever it stands.
_MOST_VALUES = 100_000
_LONGEST = 2**19
#: Control characters, halves of surrogate pairs, and marks that turn the direction of a line.
_NO_TEXT = re.compile(r'[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]')


def load(text: str | bytes) -> Any:
    """Return the content of a YAML document.

    Raises:
        yaml.YAMLError: it is none; or absurdly long; or holds a key twice, a character that is no
            text, or absurdly many values, as aliases of aliases make them.
        RecursionError: it holds lists within lists without end.
        ValueError, AttributeError: as PyYAML has them for dates that are none.
    """
    if len(text) > _LONGEST:
        raise yaml.YAMLError(f'more than {_LONGEST} characters')
    loader = _PlainLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _count(node, {}) > _MOST_VALUES:
            raise _fault(f'more than {_MOST_VALUES} values', node)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _count(node: yaml.Node, known: dict[int, int | None]) -> int:
    """Return how many values a node holds, written out.

    Args:
        node: of the document.
        known: id of a node -> that number, `None` while it is being counted.

    Raises:
        RecursionError: it holds itself.
    """
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) in known:
        counted = known[id(node)]
        if counted is None:
            raise RecursionError
        return counted
    known[id(node)] = None
    parts = [part for pair in node.value for part in (pair if isinstance(pair, tuple) else (pair,))]
    known[id(node)] = found = 1 + sum(_count(part, known) for part in parts)
    return found


def _fault(problem: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


class _PlainLoader(yaml.SafeLoader):
    """Refuses a doubled key, of which YAML's loaders keep the last in silence, and what is no text.

    Such characters reach no file, or steer the terminal that shows them.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping.

        Raises:
            yaml.YAMLError: a key stands in it twice.
        """
        own: set[Any] = set()
        for key, _ in node.value:
            if key.tag == 'tag:yaml.org,2002:merge':
                continue
            name = self.construct_object(key, deep=True)
            if not isinstance(name, Hashable):
                continue  # refused below
            if name in own:
                raise _fault(f'key {name!r} stands twice', node)
            own.add(name)
        return super().construct_mapping(node, deep)

    def construct_scalar(self, node: yaml.ScalarNode) -> Any:
        """Return the text of a value.

        Raises:
            yaml.YAMLError: it holds a character that is no text.
        """
        text = super().construct_scalar(node)
        odd = _NO_TEXT.search(text) if isinstance(text, str) else None
        if odd is not None:
            raise _fault(f'character {odd[0]!r} in a text', node)
        return text
