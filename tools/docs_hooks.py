"""What `mkdocs build` does beyond docs/.

Executed notebooks, pages that live elsewhere, and no other host. Named in mkdocs.yml. Notebooks are
kept without outputs; each build executes them, so the site shows what the code of today prints.
`DOCS_NOTEBOOKS=off` leaves their outputs out, for a quick look at the text.
"""

import os
import re
from pathlib import Path

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from nbclient import NotebookClient
from nbconvert import MarkdownExporter
from nbconvert.filters import strip_ansi
from nbconvert.preprocessors import CoalesceStreamsPreprocessor

ROOT = Path(__file__).parents[1]
#: Page of the site -> file of the repository that it shows.
BORROWED = {
    'data.md': 'data/README.md',
    'contributing.md': 'CONTRIBUTING.md',
    'changelog.md': 'CHANGELOG.md',
    'security.md': 'SECURITY.md',
}
#: Links of the repository -> those of the site; both forms work where they stand.
_LINKS = (
    ('](../data/README.md', '](data.md'),
    ('](../CONTRIBUTING.md', '](contributing.md'),
    ('](../studies/results/', '](studies/results/'),
    ('](data/README.md', '](data.md'),
    ('](docs/', ']('),
)
_NO_MODEL = '# Models\n\nNo detector is shipped yet. `mmlandslide study ... --publish FOLDER` makes weights.\n'
_LOADED = re.compile(
    r'<(?:script|img|iframe|source)\b[^>]*?\bsrc="?(?:https?:)?//[^">]*|<link\b[^>]*?href="?(?:https?:)?//[^">]*'
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not files of docs/."""
    for uri, source in BORROWED.items():
        files.append(File.generated(config, uri, content=(ROOT / source).read_text('utf-8')))
    files.append(File.generated(config, 'zoo.md', content=zoo_page(ROOT / 'mmlandslide' / 'zoo')))
    for report in sorted((ROOT / 'studies' / 'results').glob('*/report.html')):
        uri = report.relative_to(ROOT).as_posix()
        files.append(File.generated(config, uri, abs_src_path=str(report)))
    for path in sorted((ROOT / 'docs' / 'notebooks').glob('*.ipynb')):
        text, pictures = rendered(path)
        files.append(File.generated(config, f'notebooks/{path.stem}.md', content=text))
        for name, content in pictures.items():
            files.append(File.generated(config, f'notebooks/{name}', content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to files of the repository lead to their pages."""
    for old, new in _LINKS:
        markdown = markdown.replace(old, new)
    return markdown


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Refuse a page whose reader's browser would ask another host for anything.

    Raises:
        PluginError: it loads a script, a style or a picture from elsewhere.
    """
    if found := _LOADED.search(output):
        raise PluginError(
            f'{page.file.src_uri} must load nothing from another host, got {found[0]}'
        )
    return output


def zoo_page(zoo: Path) -> str:
    """Return the page of the shipped detectors: their cards, or that there are none.

    Args:
        zoo: folder with a folder for each detector, whose `card.md` starts with a heading.
    """
    cards = [card.read_text('utf-8').strip() for card in sorted(zoo.glob('*/card.md'))]
    lower = [re.sub(r'^#', '##', card, flags=re.MULTILINE) for card in cards]
    return '\n\n'.join(['# Models', *lower]) + '\n' if cards else _NO_MODEL


def rendered(path: Path) -> tuple[str, dict[str, bytes]]:
    """Return a notebook as Markdown, executed, and its pictures by name.

    Raises:
        CellExecutionError: a cell has failed, which ends the build.
    """
    notebook = nbformat.read(path, as_version=4)
    if os.environ.get('DOCS_NOTEBOOKS') != 'off':
        NotebookClient(notebook, timeout=1200, kernel_name='python3').execute(cwd=str(path.parent))
    exporter = MarkdownExporter(preprocessors=[CoalesceStreamsPreprocessor])
    text, resources = exporter.from_notebook_node(notebook)
    pictures = {f'{path.stem}_{name}': content for name, content in resources['outputs'].items()}
    for name in resources['outputs']:
        text = text.replace(f'({name})', f'({path.stem}_{name})')
    source = f'\n\n*The notebook: [{path.name}]({path.name}).*\n'
    return strip_ansi(text) + source, pictures
