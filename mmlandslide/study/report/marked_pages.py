"""Tables between two comments of a page that is otherwise written by hand, renewed by command."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmlandslide.errors import ConfigError, MissingPathError
from mmlandslide.files import write_atomic
from mmlandslide.study.report.tables import markdown, score_tables

#: Part that a page may request -> what makes it of results.
PARTS = {'all': markdown, 'scores': score_tables}
_END = '<!-- /study -->'


def write_between(page: Path, name: str, results: Mapping[str, Any]) -> None:
    """Replace the text between `<!-- study: NAME, PART -->` and `<!-- /study -->`.

    Wherever a page has the two comments; other text stays.

    Args:
        page: Markdown.
        name: of the study, its file's without suffix.
        results: as `results.collect` returns them.

    Raises:
        MissingPathError: no such page.
        ConfigError: it has no place for this study, or an unknown part of it; or a table would end
            the place early.
    """
    if not page.is_file():
        raise MissingPathError.mismatch(
            'page',
            'be a file',
            'nothing',
            page,
            'Leave out --page, or make it with the two comments',
        )
    text = page.read_text(encoding='utf-8')
    place = re.compile(
        rf'(<!-- study: {re.escape(name)}, (\w+) -->\n)(?:(?!<!-- study:).)*?({_END})', re.DOTALL
    )
    requested = [part for _, part, _ in place.findall(text)]
    if not requested or not {*requested} <= {*PARTS}:
        marks = f'`<!-- study: {name}, PART -->` with a part of {list(PARTS)}, and `{_END}`'
        got, remedy = f'parts {requested}', 'Write both comments where the tables belong'
        raise ConfigError.mismatch('page', f'have {marks} after it', got, page, remedy)
    tables = {part: PARTS[part](results) for part in requested}
    if any('<!--' in made for made in tables.values()):
        got, remedy = 'a comment', 'Take `<!--` out of the options in study.yaml'
        raise ConfigError.mismatch('tables', 'hold no HTML comment', got, page, remedy)
    write_atomic(page, place.sub(lambda found: f'{found[1]}\n{tables[found[2]]}\n{found[3]}', text))
