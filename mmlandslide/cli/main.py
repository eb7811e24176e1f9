"""The command line.

One group whose verbs are imported when they run, so that `--help` costs no torch.
"""

import errno
import importlib
import sys
from typing import IO, Any

import click

from mmlandslide import __version__, limits, signals
from mmlandslide.errors import LandslideError

#: Verb -> what it does; verb `x` is `command` in `mmlandslide/cli/x.py`.
VERBS: dict[str, str] = {
    'doctor': 'Check the installation and say what to repair.',
    'synth': 'Write a simulated Landslide4Sense data set.',
    'prepare': 'Check, pack and report on a data set.',
    'stats': 'Measure bands, boxes and anchors of a data set.',
    'grid': 'Check, mosaic and split Landslide4Sense by the places of its tiles.',
    'inspect': 'Show what a checkpoint holds, without running anything in it.',
    'convert': 'Convert weights of any known source into an mmlandslide backbone.',
    'probe': 'Score frozen features by linear and nearest-neighbour probes.',
    'detect': 'Find landslides in a whole scene, as layers of the map.',
    'models': 'List the detectors that come with the package.',
    'calibrate': "Make a detector's scores probabilities.",
    'export': 'Export a whole detector as ONNX, to run without PyTorch.',
    'study': 'Compare backbones and pre-trainings in one resumable run.',
}


class _OneLine(click.ClickException):
    """An mmlandslide error, shown without traceback; exit code 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Write `error: ...` to stderr."""
        click.echo('error: ' + self.message.replace('\n', ' '), file=file, err=file is None)


class VerbGroup(click.Group):
    """A group that imports a verb when it runs, and shows a `LandslideError` as one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of their use."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb; `None` where there is none of that name."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f'mmlandslide.cli.{cmd_name}').command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a verb, or fail with the list of verbs."""
        if args[0] not in VERBS:
            ctx.fail(f'no verb {args[0]!r}; there are {", ".join(VERBS)}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs without importing them."""
        with formatter.section('Verbs'):
            formatter.write_dl(list(VERBS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb."""
        try:
            with signals.ending():
                return super().invoke(ctx)
        except LandslideError as error:
            raise _OneLine(str(error)) from error
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition('.')[0] == 'mmlandslide':
                raise
            raise _OneLine(str(_not_for_training(error.name))) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of our output has gone; click ends quietly
                raise
            raise _OneLine(str(limits.explained(error) or _unusable(error))) from error
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        # Libraries raise classes of their own where the disk is full, or files or memory too few.
        except Exception as error:
            lacking = limits.explained(error)
            if lacking is None:
                raise
            raise _OneLine(str(lacking)) from error


def _unusable(error: OSError) -> LandslideError:
    where, reason = error.filename or 'the file system', repr(error.strerror or str(error))
    remedy = 'Name another path, or change its rights'
    return LandslideError.mismatch('path', 'be usable', reason, where, remedy)


def _not_for_training(module: str) -> LandslideError:
    """Return the error of a light install that was given a verb of training."""
    from mmlandslide.hosts import INSTALL

    remedy = f'Run `{INSTALL["openmmlab"]}`; `mmlandslide doctor` says what is installed'
    return LandslideError.mismatch(
        'environment', 'have the packages for training', f'no {module}', sys.prefix, remedy
    )


@click.command(cls=VerbGroup)
@click.version_option(__version__, prog_name='mmlandslide')
def main() -> None:
    """Find landslides in multispectral satellite tiles.

    Example: mmlandslide doctor
    """
