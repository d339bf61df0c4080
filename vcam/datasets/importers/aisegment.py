"""AISegment's matting set, 34,425 portraits of 600x800 (aisegmentcn/matting_human_datasets).

clip_img/1803151818/clip_00000000/1803151818-00000003.jpg       the picture
matting/1803151818/matting_00000000/1803151818-00000003.png     the same cut out: its alpha is the matte
"""

from __future__ import annotations

from pathlib import Path

from vcam.datasets.importers.base import Options, Plan, Sample, by_stem, file_pair, listing
from vcam.datasets.store import listed
from vcam.errors import InputError


class AISegment:
    """The two trees beside each other. Its clips are batches of stills, no films."""

    name = "aisegment"
    title = "AISegment's portraits: clip_img/GROUP/clip_N/X.jpg, matting/GROUP/matting_N/X.png"

    def recognises(self, source: Path) -> bool:
        """Whether both trees are there."""
        return (source / "clip_img").is_dir() and (source / "matting").is_dir()

    def plan(self, source: Path, options: Options) -> Plan:
        """Every picture of which both halves are there."""
        if not self.recognises(source):
            raise InputError(
                f"{source} is not AISegment's set: there are no folders clip_img and matting", "give the folder of both"
            )
        plan = Plan(())
        samples = []
        for group in sorted(each for each in (source / "clip_img").iterdir() if each.is_dir()):
            for batch in sorted(each for each in group.iterdir() if each.is_dir()):
                mattes = by_stem(source / "matting" / group.name / batch.name.replace("clip", "matting", 1))
                for picture in listed(batch):
                    if picture.stem in mattes:
                        name = picture.stem
                        if not name.startswith(group.name):
                            name = f"{group.name}-{batch.name.removeprefix('clip_')}-{name}"
                        samples.append(Sample(name, file_pair(picture, mattes[picture.stem]), picture))
                    else:
                        plan.leave("no matte", str(picture.relative_to(source)))
        if not samples:
            raise InputError(f"there are no pictures with mattes in {source}", "unpack the set again, both trees")
        return listing(plan, samples, options.every)
