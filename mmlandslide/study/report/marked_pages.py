"""Tables within a page that is otherwise written by hand.

Between two comments, and replaced by command.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmlandslide.errors import ConfigError, MissingPathError
from mmlandslide.files import write_atomic
from mmlandslide.study.report.tables import markdown, score_tables

#: What a page may ask for -> how it is made of results.
PARTS = {'all': markdown, 'scores': score_tables}
_END = '<!-- /study -->'


def write_between(page: Path, name: str, results: Mapping[str, Any]) -> None:
    """Replace the text between `<!-- study: NAME, PART -->` and `<!-- /study -->`, wherever a page has it; other text stays.

    Args:
        page: Markdown.
        name: of the study, its file's without suffix.
        results: as `results.collect` returns them.

    Raises:
        MissingPathError: no such page.
        ConfigError: it has no place for this study, or an unknown part of it.
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
    asked = [part for _, part, _ in place.findall(text)]
    if not asked or not {*asked} <= {*PARTS}:
        expected = f'have `<!-- study: {name}, PART -->` with a part of {list(PARTS)}, and `{_END}` after it'
        raise ConfigError.mismatch(
            'page', expected, f'parts {asked}', page, 'Write both comments where the tables belong'
        )
    write_atomic(
        page, place.sub(lambda found: f'{found[1]}\n{PARTS[found[2]](results)}\n{found[3]}', text)
    )
