import pytest
import torch
from factories import evaluated, randomised
from foreign import FOREIGN, FULL_SIZE

from mmlandslide.weights.bridge import load_pretrained
from mmlandslide.weights.sources import keymaps

CASES = [*FOREIGN, *(pytest.param(foreign, marks=pytest.mark.slow) for foreign in FULL_SIZE)]


@torch.no_grad()
@pytest.mark.parametrize('foreign', CASES, ids=str)
def test_a_foreign_model_and_ours_give_equal_features(foreign, tmp_path, proven):
    torch.manual_seed(0)
    theirs, ours = randomised(foreign.theirs()), evaluated(foreign.ours())
    report = load_pretrained(ours, str(foreign.save(theirs, tmp_path)))
    x = torch.rand(2, foreign.channels, foreign.side_px, foreign.side_px)
    torch.testing.assert_close(
        foreign.taken(ours(x)), foreign.features(theirs, x), rtol=1e-4, atol=1e-4
    )
    assert (report.source, report.names('missing'), report.unexpected) == (foreign.source, [], [])
    assert set(foreign.new) == set(report.names('new by design'))
    assert report.carried == report.share('matched') == 1
    proven(report, foreign.architecture)


def test_every_source_is_proven():
    assert {foreign.source for foreign in FOREIGN} == {keymap.name for keymap in keymaps.KEYMAPS}
