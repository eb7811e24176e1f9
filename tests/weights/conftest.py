"""The table at the end of the run.

Every source that was proven, and how much of a backbone it carried.
"""

import pytest

_PROVEN = pytest.StashKey[list]()


@pytest.fixture
def proven(request):
    """Return a function that notes a proven source's report and architecture."""
    return lambda report, architecture: request.config.stash.setdefault(_PROVEN, []).append(
        (report, architecture)
    )


def pytest_terminal_summary(terminalreporter, config):
    rows = sorted(
        (report.source, architecture, report)
        for report, architecture in config.stash.get(_PROVEN, [])
    )
    if rows:
        terminalreporter.section('sources of weights: equal features')
        terminalreporter.line(
            f'{"source":<46} {"architecture":<34} {"parameters":>10} {"values":>12} {"carried":>8}'
        )
    for source, architecture, report in rows:
        counts = f'{len(report.numel):>10} {report.total:>12,} {report.carried:>8.2%}'
        terminalreporter.line(f'{source:<46} {architecture:<34} {counts}')
