"""Lines of progress."""

from gaia_offsets.core import log
from gaia_offsets.core.log import progress


def test_a_long_job_tells_how_far_it_is_and_a_short_one_nothing(monkeypatch, capsys):
    assert list(progress("abc", 25, "stars", each=10)) == list("abc") and capsys.readouterr().err == ""
    ticks = iter([0.0, 6.0, 8.0, 20.0])  # start, and after each part
    monkeypatch.setattr(log.time, "monotonic", lambda: next(ticks))
    assert list(progress("abc", 25, "stars", each=10)) == list("abc")
    told = ["10 of 25 stars, 2 a second, 9 s left", "25 of 25 stars, 1 a second, 0 s left"]
    assert capsys.readouterr().err.splitlines() == told
