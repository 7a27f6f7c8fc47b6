"""Verdicts on two outputs. Pure.

same bytes ─▶ identical      same frames ─▶ same_frames      every frame over both thresholds ─▶ visually_equal
anything else ─▶ different, once a second run differs as well
"""

from collections.abc import Mapping, Sequence

from genlock.digest import Digest
from genlock.engines.comparison import Likeness
from genlock.regeneration.reproduction.model import Comparison, Thresholds, Verdict

FRAMES = "frames"


def by_digest(before: Mapping[str, Digest], after: Mapping[str, Digest], part: str) -> Comparison | None:
    """Return the verdict if digests decide it, of the bytes of ``part`` or of the decoded frames; else ``None``."""
    if before.get(part) is not None and before.get(part) == after.get(part):
        return Comparison(verdict=Verdict.IDENTICAL, why=f"The {part} has the same bytes.")
    if before.get(FRAMES) is not None and before.get(FRAMES) == after.get(FRAMES):
        return Comparison(verdict=Verdict.SAME_FRAMES, why="Every frame is the same; the files around them differ.")
    return None


def by_frames(likeness: Likeness, least: Thresholds) -> Comparison:
    """Return the verdict of a comparison of frames."""
    psnr, ssim = likeness.worst_psnr_db, likeness.worst_ssim
    if likeness.first_different is None:
        verdict, why = Verdict.SAME_FRAMES, "Every frame is the same; the files around them differ."
    elif not likeness.same_size:
        verdict, why = Verdict.DIFFERENT, "The frames have another size."
    elif not likeness.comparable:
        verdict, why = Verdict.DIFFERENT, f"There are {likeness.other_frames} frames, not {likeness.frames}."
    elif psnr is not None and ssim is not None and psnr >= least.psnr_db and ssim >= least.ssim:
        verdict = Verdict.VISUALLY_EQUAL
        why = f"The least similar frame has {psnr:.1f} dB and an SSIM of {ssim:.4f}: {_requirement(least)}."
    else:
        verdict = Verdict.DIFFERENT
        why = f"The least similar frame has {psnr or 0:.1f} dB and an SSIM of {ssim or 0:.4f}; {_requirement(least)}."
    return Comparison(
        verdict=verdict,
        why=why,
        frames=likeness.frames,
        other_frames=likeness.other_frames,
        first_different_frame=likeness.first_different,
        worst_psnr_db=psnr,
        worst_ssim=ssim,
        psnr_db=likeness.psnr_db,
        ssim=likeness.ssim,
    )


def unseen(part: str) -> Comparison:
    """Return the verdict if the digests differ and the bytes of the original are gone."""
    return Comparison(
        verdict=Verdict.DIFFERENT,
        why=f"The digests differ; by how much is unknown, because the bytes of the original {part} are gone.",
    )


def needs_confirmation(comparison: Comparison) -> bool:
    """Return whether a second run may have another verdict: frames differ, and neither their size nor their number."""
    measured = len(comparison.psnr_db)
    same_shape = measured == comparison.frames == comparison.other_frames
    return comparison.verdict is Verdict.DIFFERENT and (same_shape or comparison.frames is None)


def of_runs(comparisons: Sequence[Comparison]) -> Comparison:
    """Return the verdict of several runs of one receipt: the best, because an encoder may differ once in a while."""
    best = min(comparisons, key=lambda comparison: _rank(comparison.verdict))
    if len(comparisons) == 1:
        return best
    if best.verdict is Verdict.DIFFERENT:
        return best.model_copy(update={"why": f"{best.why} {len(comparisons)} runs agree."})
    if any(each.verdict is Verdict.DIFFERENT for each in comparisons):
        return best.model_copy(update={"why": f"{best.why} Another of the {len(comparisons)} runs differed."})
    return comparisons[0]


def within_noise(comparison: Comparison, noise: Comparison) -> bool:
    """Return whether the original differs from a run at most as much as two runs differ from each other."""
    if _rank(comparison.verdict) < _rank(Verdict.VISUALLY_EQUAL):
        return True
    if comparison.worst_psnr_db is None or noise.worst_psnr_db is None:
        return False  # there is no noise, or the original cannot be measured against it
    return comparison.worst_psnr_db >= noise.worst_psnr_db and (comparison.worst_ssim or 0) >= (noise.worst_ssim or 0)


def _rank(verdict: Verdict) -> int:
    return list(Verdict).index(verdict)


def _requirement(least: Thresholds) -> str:
    return f"every frame needs {least.psnr_db:g} dB and {least.ssim:g}"
