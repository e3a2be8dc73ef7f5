"""The picks of the demo study, as if a person had gone through its slices: by *demo*, on one day, blind."""

from __future__ import annotations

from pathlib import Path

__all__ = ["confirm"]

_BY, _AT = "demo", "2026-03-30T09:00:00+00:00"
# The person moves the window of these slices a little, and leaves one slice out.
_MOVED_MS = {"M09-2": 0.1, "M15-3": -0.1}
_EXCLUDED = {"M01-2": "baseline drifts by more than the 10 % that the lab allows"}


def confirm(folder: Path) -> None:
    """Store a window for every pathway of the study in `folder`: the proposal, or that moved by a little.

    Recordings that have picks already keep them.
    """
    from labkit import ltp, picks
    from labkit.study import open_study

    slices = open_study(folder).recordings
    slices = slices[[picks.load(files) is None for files in slices["files"]]]
    recordings = ltp.read_slices(slices)
    when = ltp.inductions(recordings, slices)["induction_s"]
    rows = slices.set_index("code")
    for (code, pathway), trace in ltp.mean_traces(recordings, when).items():
        row = rows.loc[code]
        shift = _MOVED_MS.get(row["recording"], 0.0)
        picks.save(
            row["files"],
            f"window_ms {pathway}",
            [round(float(edge) + shift, 2) for edge in trace.proposal_ms],
            kind="window",
            unit="ms",
            origin="changed" if shift else "confirmed",
            by=_BY,
            at=_AT,
        )
    for row in slices.itertuples():
        if row.recording in _EXCLUDED:
            reason = _EXCLUDED[row.recording]
            picks.save(row.files, "exclude", reason, kind="exclusion", origin="changed", by=_BY, at=_AT)
