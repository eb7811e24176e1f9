import inspect

import pytest

from mmlandslide import errors

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if kind is not errors.LandslideError
]


@pytest.mark.parametrize('kind', KINDS)
def test_each_error_reads_as_the_house_form_and_is_a_builtin_too(kind):
    error = kind.mismatch(
        "dataset 'img'", 'have 14 bands', 'shape (128, 128, 12)', 'image_7.h5', 'Pass bands='
    )
    assert type(error) is kind
    assert (
        str(error)
        == "dataset 'img' must have 14 bands, got shape (128, 128, 12) in image_7.h5. Pass bands=."
    )
    assert isinstance(error, errors.LandslideError)
    assert isinstance(error, ValueError | KeyError | OSError | ArithmeticError)


def test_a_band_error_is_not_quoted_as_key_errors_are():
    assert str(errors.BandError('no such band')) == 'no such band'
    assert str(errors.BandError()) == ''


def test_errors_are_what_a_caller_who_knows_nothing_of_us_would_catch():
    assert issubclass(errors.BandError, KeyError)
    assert issubclass(errors.MissingPathError, FileNotFoundError)
    assert issubclass(errors.CheckpointMismatchError, errors.CheckpointError)
    assert issubclass(errors.TrainingDivergedError, ArithmeticError)
    assert len(KINDS) == 11


def test_a_missing_path_keeps_its_message():
    text = str(
        errors.MissingPathError.mismatch(
            'checkpoint', 'be a file', 'nothing', 'a.pth', 'Check the path'
        )
    )
    assert text == 'checkpoint must be a file, got nothing in a.pth. Check the path.'


def test_what_a_file_says_is_shown_in_short_and_without_commands_to_the_terminal():
    text = str(errors.TileError.mismatch('tile \x1b[31m', 'be one', 'x' * 10**6, 'a\nb.h5', 'Look'))
    assert text.startswith(r'tile \x1b[31m must be one, got xxx')
    assert text.endswith(r'xxx in a\nb.h5. Look.')
    assert len(text) < 1100


def test_what_fits_is_shown_as_it_is():
    assert errors.shown('Größe 12 µm') == 'Größe 12 µm'
    assert errors.shown(['a']) == "['a']"
