"""How a training or test that fails ends: in one line where the error is mmlandslide's."""

import sys
from types import TracebackType

from mmlandslide.engine import distributed
from mmlandslide.errors import LandslideError


def one_line_excepthook(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Show our errors in one line and any other as Python does.

    Of several processes, the first that fails speaks.
    """
    if distributed.failed_before():
        return
    if isinstance(error, LandslideError):
        # An error of a data loader's worker arrives with that worker's traceback in its message.
        message = str(error).rsplit(f'{kind.__name__}: ', 1)[-1].strip()
        sys.stderr.write(f'error: {message}\n')
    else:
        sys.__excepthook__(kind, error, trace)
