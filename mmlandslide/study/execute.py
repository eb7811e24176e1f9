"""Runs a plan: skips what is finished, resumes what was stopped, passes failures, ends in time."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmlandslide.files import write_atomic, write_json
from mmlandslide.study.environment import machine, revision
from mmlandslide.study.inputs import archive
from mmlandslide.study.inputs.state_file import LEAKAGE, Record, read_state
from mmlandslide.study.plan import Plan
from mmlandslide.study.process import (
    child_process,
    children_cpu_s,
    end_orphans,
    exclusive,
    output_end,
    reason,
)
from mmlandslide.study.trial import Stage, Trial
from mmlandslide.weights.checkpoint_file import latest_checkpoint

#: How the runner's SplitOverlapError begins: the model has seen what it would be tested on, so that
#: the trial has no score.
SEEN = 'test tiles must be unseen by training and pre-training'
_POLL_S = 0.1


@dataclass
class Execution:
    """One run of a plan, over as many starts as it takes.

    Whether a stage is finished is read off the files that it leaves, never off `state.json`, which
    keeps seconds and errors.

    Attributes:
        plan: that is run.
        budget_s: seconds after which to stop, at a checkpoint where one comes in time; `None` for
            no end.
        mim: what starts a command in the place of the word `mim`; `None` for the host's script.
        archive: folder that keeps what finished trials leave, without weights: what it holds needs
            no training here.
        watch: called several times a second with the stage that runs, and when one ends.
        records: stage name -> what became of it.
        progressed: whether this run has ended a stage or reached a checkpoint.
    """

    plan: Plan
    budget_s: float | None = None
    mim: Sequence[str] | None = None
    archive: Path | None = None
    watch: Callable[[Stage, Record], None] = lambda stage, record: None
    records: dict[str, Record] = field(default_factory=dict)
    progressed: bool = False

    def __post_init__(self) -> None:
        """Take up what earlier starts have noted."""
        self._deadline = float('inf') if self.budget_s is None else time.monotonic() + self.budget_s
        self._settled: dict[str, str] = {}
        self._revision, self._machine = revision(), machine()
        if self._state.is_file():
            self.records |= read_state(self._state)

    @property
    def _state(self) -> Path:
        return self.plan.specification.root / 'state.json'

    def run(self) -> bool:
        """Run the plan; return whether every trial ended, failed ones too, within the budget.

        Raises:
            ConfigError: another process runs this study.
        """
        with exclusive(self.plan.specification.root):
            end_orphans(self.plan.specification.root)
            for path, text in self.plan.split_files.items():
                write_atomic(path, text)
            if self.archive is not None:
                self.records |= archive.restore(self.plan, self.archive)
                self._save()
            return all(self._run_and_keep(trial) for trial in self.plan.trials)

    def _run_and_keep(self, trial: Trial) -> bool:
        """Run a trial, and archive what it has left; return whether the budget lasted."""
        lasted = self._run_trial(trial)
        if self.archive is not None and trial.test.finished:
            archive.keep(trial, self.records, self.archive)
        return lasted

    def _run_trial(self, trial: Trial) -> bool:
        """Run a trial's stages until one fails; return whether the budget lasted.

        A trial with a score needs no earlier stage.
        """
        for stage in (trial.test,) if trial.test.finished else trial.stages:
            status = self._settled.get(stage.name) or self._settle(stage)
            if status == 'stopped':
                return False
            self._settled[stage.name] = status
            if status != 'finished':
                return True
        return True

    def _settle(self, stage: Stage) -> str:
        """Bring a stage to an end, and return which."""
        record = self.records.setdefault(stage.name, Record())
        if stage.finished:
            record.status, record.error = 'finished', ''
        elif time.monotonic() >= self._deadline:
            record.status = 'stopped'
        else:
            self._attempt(stage, record)
        self._save()
        self.watch(stage, record)
        return record.status

    def _attempt(self, stage: Stage, record: Record) -> None:
        start, before, output = time.monotonic(), record.seconds, output_end(stage)
        cpu_start, cpu_before = children_cpu_s(), record.cpu_seconds
        record.status, record.attempts, record.error = 'stopped', record.attempts + 1, ''
        record.revision = _joined(record.revision, self._revision, ', ')
        record.machine = _joined(record.machine, self._machine, '; ')
        self._save()
        clock = _Checkpoints(stage)
        try:
            with child_process(stage, _command(stage), self.mim) as child:
                while child.poll() is None and not clock.must_stop(self._deadline):
                    record.seconds = before + time.monotonic() - start
                    self.watch(stage, record)
                    time.sleep(_POLL_S)
                code = child.poll()
        finally:  # also where the study is asked to end
            record.seconds = before + time.monotonic() - start
            record.cpu_seconds = cpu_before + children_cpu_s() - cpu_start
            self.progressed |= stage.finished or latest_checkpoint(stage.work_dir) != clock.first
            self._save()
        if stage.finished:
            record.status = 'finished'
        elif code is not None:
            record.error = reason(stage, code, output)
            record.status = LEAKAGE if record.error.startswith(SEEN) else 'failed'

    def _save(self) -> None:
        write_json(self._state, {name: vars(record) for name, record in self.records.items()})


def _joined(known: str, new: str, between: str) -> str:
    """Return texts with a new one at their end, each once."""
    return between.join(dict.fromkeys(filter(None, (*known.split(between), new))))


class _Checkpoints:
    """Watches a training's checkpoints, to stop behind the last one that the budget allows."""

    def __init__(self, stage: Stage) -> None:
        self._work_dir, self._interval = stage.work_dir, 0.0
        self.first = self._last = latest_checkpoint(stage.work_dir)
        self._since = time.monotonic()

    def must_stop(self, deadline: float) -> bool:
        """Return whether the budget is spent, or would be before the checkpoint after a new one."""
        now, newest = time.monotonic(), latest_checkpoint(self._work_dir)
        if newest == self._last:
            return now >= deadline
        self._last, self._interval, self._since = newest, now - self._since, now
        return now + self._interval > deadline


def _command(stage: Stage) -> tuple[str, ...]:
    """Return the command, which resumes a training that has a checkpoint."""
    fresh = stage.kind == 'test' or latest_checkpoint(stage.work_dir) is None
    return stage.command if fresh else stage.resuming_command
