"""Makes the pictures of docs/gallery.md from the demo scene, and the page itself: `make gallery`."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from vcam.assets import asset
from vcam.camera.demo import DemoScene
from vcam.compose.composer import PlateComposer
from vcam.images import frame_to_bgr
from vcam.output.null import MemoryOutput
from vcam.pipeline import open_pipeline, tune_process
from vcam.settings import Settings
from vcam.types import U8

SIZE = (1280, 720)
SHOWN = (560, 315)
FRAMES = 8
QUALITY = 84
FOLDER = Path(__file__).resolve().parent / "images" / "gallery"

FILTERS = [
    ("alpha", "alpha:sigma=12", "A softer edge."),
    ("smoothstep", "smoothstep:low=0.3,high=0.7", "A steeper edge."),
    ("color-transfer", "color-transfer", "The background's colours for the person, half of them."),
    ("color-transfer-all", "color-transfer:strength=1", "All of them, as in the paper."),
    ("harmonise", "harmonise", "The light of the background for the person, as far as a network can tell."),
    ("seamless-clone", "seamless-clone", "Poisson blending: the background's light runs on into the person."),
    ("light-wrap", "light-wrap:strength=1,width=48", "The background's light spills round the edge."),
    ("opacity", "opacity:value=0.6", "The person seen through."),
    ("hologram", "hologram", "A hologram."),
    ("low-light", "low-light:strength=1", "More light in the dark parts of the person."),
    ("sharpen", "sharpen:amount=1.5", "Crisper detail."),
    ("brightness", "brightness:value=12", "Lighter."),
    ("contrast", "contrast:gain=1.3", "More contrast."),
    ("gamma", "gamma:value=1.5", "Lighter in the middle."),
    ("saturation", "saturation:gain=1.6", "Stronger colours."),
    ("temperature", "temperature:value=50", "Warmer."),
    ("temperature-cool", "temperature:value=-50", "Cooler."),
    ("vignette", "vignette:amount=0.8", "Darker corners."),
    ("grey", "grey:on=background", "No colours, here on the background alone."),
    ("sepia", "sepia", "Brown, as an old photograph."),
    ("color-map", "color-map:name=inferno", "Colours by brightness."),
    ("dim", "dim:amount=0.6", "Less light on the background."),
    ("lut", "lut:file=evening.cube", "A look-up table, as programs for films export them; this one is of an evening."),
]
OVERLAYS: list[tuple[str, dict[str, object], str]] = [
    ("text", {"overlay__text": "Eileen Collins", "overlay__clock": True}, "--text 'Eileen Collins' --clock"),
    ("front", {"overlay__front": "logo.png"}, "--front logo.png"),
    ("back", {"overlay__back": "logo.png", "overlay__back_scale": 0.7}, "--back logo.png --set overlay.back_scale=0.7"),
    ("framed", {"framing__auto": True, "framing__speed": 2.0}, "--auto-frame"),
]


def picture(**changes: object) -> U8:
    """The demo scene after a few frames, composited with other settings; BGR."""
    settings = Settings().replace(background__spec=str(asset("dusk.jpg")), **changes)
    camera = DemoScene(SIZE)
    camera.open()
    frames = 90 if changes.get("framing__auto") else FRAMES
    with open_pipeline(settings, camera, SIZE, [MemoryOutput()]) as pipeline:
        pipeline.open_outputs(SIZE, 30)
        pipeline.run(frames)
        assert isinstance(pipeline.composer, PlateComposer)
        frame = camera.frame(frames)
        return frame_to_bgr(pipeline.composite(frame, frames / 30))


def save(name: str, shown: U8) -> None:
    """A JPEG of the gallery, small enough for a page of many."""
    small = cv2.resize(shown, SHOWN, interpolation=cv2.INTER_AREA) if shown.shape[1] > SHOWN[0] else shown
    cv2.imwrite(str(FOLDER / f"{name}.jpg"), small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def closer(shown: U8) -> U8:
    """The edge of hair and shoulder, twice as large."""
    part = shown[180:500, 500:780]
    return np.asarray(cv2.resize(part, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), np.uint8)


def beside(left: U8, right: U8) -> U8:
    """Two pictures, each closer."""
    both = np.hstack([closer(left), closer(right)])
    return np.asarray(cv2.resize(both, SHOWN, interpolation=cv2.INTER_AREA), np.uint8)


def page() -> str:
    """The page, in Markdown."""
    lines = [
        "# Gallery",
        "",
        "What each filter does to the demo scene, made by vcam itself; `make gallery` renews it.",
        "What they are and what they cost: [filters.md](filters.md).",
        "",
        "| | |",
        "|---|---|",
    ]
    cells = [cell("none", "No filter at all.", "")]
    cells += [cell(name, what, f"--filter {spec}") for name, spec, what in FILTERS]
    cells.append(cell("decontaminate", "The room's colour taken out of the edge: without, with (the default), closer.",
                      "--decontaminate 1"))  # fmt: skip
    cells += [cell(name, "", option) for name, _, option in OVERLAYS]
    for left, right in zip(cells[::2], [*cells[1::2], ""], strict=False):
        lines.append(f"| {left} | {right} |")
    return "\n".join(lines) + "\n"


def cell(name: str, what: str, option: str) -> str:
    """One picture with the option that made it."""
    words = " ".join(word for word in (f"`{option}`" if option else "", what) if word)
    return f"![{name}](images/gallery/{name}.jpg)<br>{words}"


def write_cube(path: Path) -> None:
    """A look-up table: shadows towards teal, lights towards orange."""
    steps = np.linspace(0, 1, 17)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    light = 0.299 * red + 0.587 * green + 0.114 * blue
    warm = 0.22 * (light - 0.45)
    rows = np.clip(np.stack([red + warm, green + 0.2 * warm, blue - warm], axis=-1), 0, 1).reshape(-1, 3)
    path.write_text("LUT_3D_SIZE 17\n" + "".join(f"{r:.5f} {g:.5f} {b:.5f}\n" for r, g, b in rows))


def write_logo(path: Path) -> None:
    """A picture with transparency: a ring with the program's name."""
    logo = np.zeros((240, 240, 4), np.uint8)
    cv2.circle(logo, (120, 120), 100, (255, 255, 255, 230), 14, cv2.LINE_AA)
    cv2.putText(logo, "vcam", (42, 136), cv2.FONT_HERSHEY_DUPLEX, 1.9, (255, 255, 255, 230), 3, cv2.LINE_AA)
    cv2.imwrite(str(path), logo)


def main() -> None:
    """Make all of it; the files that some pictures need are made in passing."""
    with TemporaryDirectory() as scratch, contextlib.chdir(scratch):
        write_cube(Path("evening.cube"))
        write_logo(Path("logo.png"))
        make_pictures()
    (FOLDER.parents[1] / "gallery.md").write_text(page(), encoding="utf-8")


def make_pictures() -> None:
    """Those of the page, into its folder."""
    tune_process()
    FOLDER.mkdir(parents=True, exist_ok=True)
    plain = picture()
    save("none", plain)
    for name, spec, _ in FILTERS:
        save(name, picture(filters__chain=(spec,)))
    save("decontaminate", beside(picture(filters__decontaminate=0.0), plain))
    for name, changes, _ in OVERLAYS:
        save(name, picture(**changes))


if __name__ == "__main__":
    sys.exit(main())
