import os

import pytest

from mmlandslide.errors import ConfigError
from mmlandslide.study.process import LOG, exclusive, reason
from mmlandslide.study.trial import Stage


@pytest.fixture
def said(tmp_path):
    """Returns why a stage failed that has printed some text."""

    def told(text, code=1):
        (tmp_path / LOG).write_text(text)
        stage = Stage('a', 'detect', 'mmdet', 'a.py', {}, None, tmp_path, (), 1, ())
        return reason(stage, code)

    return told


def test_an_error_of_ours_is_the_reason(said):
    assert (
        said(
            'Epoch 1\nTraceback (most recent call last):\nValueError: 3\nerror: loss must be finite\nbye\n'
        )
        == 'loss must be finite'
    )


def test_the_first_traceback_s_last_line_is_the_reason_else(said):
    assert said(
        'Traceback (most recent call last):\n  x\ntorch.OutOfMemoryError: CUDA\nsubprocess.CalledProcessError: 1\n'
    ) == ('torch.OutOfMemoryError: CUDA')


def test_a_signal_is_the_reason_whatever_was_printed(said):
    assert said('ValueError: caught long ago\nEpoch(train) [1][10/100] loss: 0.5\n', -9) == (
        'killed by signal 9, as the system does where memory is short; its last words: Epoch(train) [1][10/100] loss: 0.5'
    )


def test_an_end_without_a_result_is_told(said):
    assert said('', 0) == 'ended with 0, but left no result; its last words: none'


def test_a_system_without_process_groups_is_named(tmp_path, monkeypatch):
    monkeypatch.delattr(os, 'killpg')
    with (
        pytest.raises(ConfigError, match='study must run on Linux or macOS, got'),
        exclusive(tmp_path),
    ):
        pass
