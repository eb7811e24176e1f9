"""Small programs that try the libraries of this environment in a process of their own.

A library that was compiled for another torch may end the process that imports it. All programs run
one after the other in one process, so that each library is imported once; after one that fails, the
rest begin in a new process, where nothing is left of it.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

TIMEOUT_S = 300
#: Runs programs until one fails; says which begins, and with what it has ended.
_RUN = """
import contextlib, io, json, sys, traceback
for name, code in json.loads(sys.argv[1]):
    print('\\n' + json.dumps(['begins', name]), flush=True)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(code, {})
    except BaseException as error:
        last = traceback.format_exception_only(error)[-1].strip().splitlines()[-1]
        print('\\n' + json.dumps(['failed', name, last]), flush=True)
        break
    print('\\n' + json.dumps(['ended', name, printed.getvalue()]), flush=True)
"""


@dataclass(frozen=True)
class Probe:
    """What a small program printed, or the last line of its error.

    Attributes:
        output: the parsed JSON of its last line.
        error: empty where it ended well.
    """

    output: list[object] | None = None
    error: str = ''


def run_probes(programs: Mapping[str, str]) -> dict[str, Probe]:
    """Run small programs with this Python and return what each found.

    Args:
        programs: name -> code, of which the last printed line is JSON.
    """
    found: dict[str, Probe] = {}
    while left := {name: code for name, code in programs.items() if name not in found}:
        found |= _run(left)
    return found


def run_probe(code: str) -> Probe:
    """Run one small program, see `run_probes`."""
    return run_probes({'': code})['']


def _run(programs: Mapping[str, str]) -> dict[str, Probe]:
    """Run programs until one fails; return at least one result."""
    command = [sys.executable, '-W', 'ignore', '-c', _RUN, json.dumps(list(programs.items()))]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        try:
            printed, errors = child.communicate(timeout=TIMEOUT_S)
            reason = _ended(child.returncode, errors)
        except subprocess.TimeoutExpired:
            child.kill()
            printed, reason = child.communicate()[0], f'no answer in {TIMEOUT_S} s'
    found, begun = {}, next(iter(programs))
    for kind, name, *more in _reports(printed):
        begun = name
        if kind != 'begins':
            found[name] = _parsed(more[0]) if kind == 'ended' else Probe(error=more[0])
    return found if begun in found else {**found, begun: Probe(error=reason)}


def _reports(printed: str) -> list[list[str]]:
    """Return the lines of `_RUN` among what libraries have printed."""
    ours = ('["begins"', '["failed"', '["ended"')
    return [json.loads(line) for line in printed.splitlines() if line.startswith(ours)]


def _parsed(printed: str) -> Probe:
    try:
        return Probe(output=json.loads(printed.strip().splitlines()[-1]))
    except (IndexError, json.JSONDecodeError):
        return Probe(error=f'an answer that is no JSON: {printed[-80:]!r}')


def _ended(code: int, errors: str) -> str:
    if code < 0:
        return f'ended by signal {-code}'
    return (errors.strip().splitlines() or ['no message'])[-1]
