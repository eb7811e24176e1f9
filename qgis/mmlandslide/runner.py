"""Runs the `mmlandslide` command in its own environment; knows nothing of QGIS."""

import os
import re
import shutil
import subprocess
import threading

#: Variables of QGIS's own Python, PROJ and GDAL, which are not the command's.
FOREIGN = ('PYTHONHOME', 'PYTHONPATH', 'PROJ_LIB', 'PROJ_DATA', 'GDAL_DATA', 'GDAL_DRIVER_PATH')
_DONE = re.compile(r'(\d+)/(\d+)')
_GRACE_S = 30


class Failed(Exception):  # noqa: N818 (not an error of ours: what the command said)
    """The command failed; the message is its own."""


def command_in(environment):
    """Return the path of the command in an environment that the user names.

    Args:
        environment: the command itself, or a folder that holds it, `bin/` or `Scripts/` of a
            virtual environment included; empty: as the PATH has it.
    """
    if not environment:
        found = shutil.which('mmlandslide')
    else:
        places = ('', 'bin', 'Scripts')
        names = ('mmlandslide', 'mmlandslide.exe')
        candidates = [environment] + [
            os.path.join(environment, place, name) for place in places for name in names
        ]
        found = next((path for path in candidates if os.path.isfile(path)), None)
    if found is None:
        raise Failed(
            f'no mmlandslide command in {environment or "the PATH"}. Make an environment '
            'with `python3 -m venv landslides` and `landslides/bin/pip install mmlandslide`, '
            'and name its folder'
        )
    return found


def run(command, arguments, say, is_cancelled):
    """Run the command, passing on what it says; ends it where the user cancels.

    Args:
        command: path of it.
        arguments: of it.
        say: called with each line, and the share that is done where the line tells one.
        is_cancelled: asked several times a second.

    Returns:
        Whether it ended well; False where it was cancelled.

    Raises:
        Failed: with the last line that it said.
    """
    own = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    process = subprocess.Popen(
        [command, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=own,
        encoding='utf-8',
        errors='replace',
    )
    lines = []
    reader = threading.Thread(target=_read, args=(process.stdout, lines, say), daemon=True)
    reader.start()
    cancelled = False
    while process.poll() is None:
        if is_cancelled() and not cancelled:
            cancelled = True
            process.terminate()  # it leaves no half-written layer, and resumes when run again
            killer = threading.Timer(_GRACE_S, process.kill)
            killer.daemon = True
            killer.start()
        reader.join(0.2)
    reader.join()
    if cancelled:
        return False
    if process.returncode:
        raise Failed(lines[-1] if lines else f'exit code {process.returncode}')
    return True


def _read(stream, lines, say):
    for line in stream:
        text = line.strip()
        if text:
            lines.append(text)
            found = _DONE.search(text)
            say(text, int(found[1]) / max(int(found[2]), 1) if found else None)
