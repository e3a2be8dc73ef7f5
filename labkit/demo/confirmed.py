"""The picks of the demo study, as if a person had gone through it: by *demo*, on one day, blind."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.demo.spines import Spines
    from labkit.study import Study

__all__ = ["confirm"]

_BY, _AT = "demo", "2026-03-30T09:00:00+00:00"
# The person moves the window of these slices a little, and leaves one slice out.
_MOVED_MS = {"M09-2": 0.1, "M15-3": -0.1}
_EXCLUDED = {"M01-2": "baseline drifts by more than the 10 % that the lab allows"}


# The person moves the window of this blot a little, and leaves a lane of another out.
_MOVED_PX = {"A3 synaptophysin": 1.0}
_LANES_EXCLUDED = {"B3 p-CREB": (14, "an air bubble lay over the band during transfer")}


def confirm(folder: Path, dendrites: Spines) -> None:
    """Store picks for every recording, blot and dendrite of the study in `folder`.

    Windows and lanes are those proposed, some moved by a little; dendrites are traced and corrected as a
    person would. Raw files that have picks already keep them.
    """
    from labkit.study import open_study

    study = open_study(folder)
    _confirm_recordings(study)
    _confirm_blots(study)
    _confirm_dendrites(study, dendrites)


def _confirm_dendrites(study: Study, dendrites: Spines) -> None:
    from labkit import picks, spines
    from labkit.demo.spine_marks import picks_of
    from labkit.pickers.dendrite_items import dendrite_items, with_repeats

    stacks = spines.read_stacks(study.images)
    items = dendrite_items(stacks, study.images)
    shown = with_repeats(items, share=study.settings.spines.repeat, seed=study.settings.blinding.seed)
    twice = {item.repeat_of for item in shown if item.repeat_of}
    open_ones = study.images[[picks.load(file) is None for file in study.images["file"]]]
    for row in open_ones.itertuples():
        who = {"animal": row.animal, "neuron": row.neuron, "dendrite": row.dendrite}
        for again in (False, True) if row.code in twice else (False,):
            for pick in picks_of(dendrites, stacks[row.code], again=again, **who):
                picks.save(row.file, pick.pop("name"), pick.pop("value"), by=_BY, at=_AT, **pick)


def _confirm_blots(study: Study) -> None:
    from labkit import blots, picks

    open_ones = study.blots[[picks.load(file) is None for file in study.blots["file"]]]
    images = blots.read_blots(open_ones)
    settings = study.settings.blots
    proposals = blots.propose(images, open_ones, study.lanes, **settings.bands)
    made = {"by": _BY, "at": _AT}
    for row in open_ones.itertuples():
        lanes, band = (found.as_pick() for found in proposals[row.code])
        shift = _MOVED_PX.get(row.blot, 0.0)
        band["centres"] = [round(centre + shift, 2) for centre in band["centres"]]
        moved = "changed" if shift else "confirmed"
        save = partial(picks.save, row.file, **made)
        save("lanes", lanes, kind="lanes", unit="px", origin="confirmed")
        save("polarity", images[row.code].polarity, kind="polarity", origin="confirmed")
        save(f"band {row.target}", band, kind="band", unit="px", origin=moved)
        if row.blot in _LANES_EXCLUDED:
            lane, reason = _LANES_EXCLUDED[row.blot]
            save(f"exclude lane {lane}", reason, kind="exclusion", origin="changed")


def _confirm_recordings(study: Study) -> None:
    from labkit import ltp, picks

    slices = study.recordings
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
