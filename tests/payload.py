"""What a stranger's pickle holds."""

import os


class Payload:
    """Calls a function when it is unpickled."""

    def __init__(self, function, arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def making(folder):
    """Return what makes a folder where a pickle is run."""
    return Payload(os.mkdir, (str(folder),))


def touching(path):
    """Return what empties a file where a pickle is run."""
    return Payload(open, (str(path), 'w'))
