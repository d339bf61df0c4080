"""The settings of how the person is found, a section of the tree in `vcam.settings.tree`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Struct

from vcam.settings.field import Paths, setting


class SegmentSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How the person is found."""

    backend: Annotated[
        Literal["auto", "openvino", "onnxruntime", "subtraction", "chroma"],
        setting("Inference runtime; auto takes what is installed and works. subtraction needs no network, but has to "
              "see the room empty for two seconds; chroma needs a green or blue screen behind you.",
              live=True, option="--backend"),
    ] = "auto"  # fmt: skip
    device: Annotated[
        Literal["AUTO", "CPU", "GPU", "NPU", "VPU"],
        setting("Where the network runs; VPU is the old name of NPU.", live=True, option="--device"),
    ] = "AUTO"
    model: Annotated[
        str,
        setting("auto (by the shape of the picture), a model's name, or the path of a network with its card, or of "
              "the folder of a training.",
              live=True, option="--model", metavar="NAME|PATH", words=("auto",), names="models", paths=Paths.LOOKS,
                suffixes=(".onnx", ".tflite", ".pb", ".xml", ".pdmodel", ".toml"), min_length=1),
    ] = "auto"  # fmt: skip
    threads: Annotated[int, setting("Threads of the network on the CPU.", live=True, unit="threads", ge=1, le=64)] = 1
    subtraction: Annotated[
        Literal["static", "adaptive", "mog2"],
        setting("How subtraction knows the empty room: static, as it was learnt, or adaptive, learning how it changes; "
                "mog2 is the old name of adaptive.", live=True),
    ] = "static"  # fmt: skip
    threshold: Annotated[
        float,
        setting("Difference from the empty room that counts as a person, for subtraction.",
              live=True, unit="levels of 255", ge=4, le=128),
    ] = 24.0  # fmt: skip
    room_frames: Annotated[
        int,
        setting("Frames of the empty room to learn it from, for subtraction.", live=True, unit="frames", ge=2, le=3000),
    ] = 60
    relearn: Annotated[
        bool, setting("Learn the empty room anew instead of loading it, for subtraction.", live=True)
    ] = False
    key: Annotated[
        str,
        setting("The colour of the screen, for chroma: auto finds it, else #RRGGBB.", live=True, words=("auto",),
                pattern=r"^(auto|#[0-9a-fA-F]{6})$"),
    ] = "auto"  # fmt: skip
    room: Annotated[
        Literal["off", "told", "auto"],
        setting("What the matte knows of the empty room behind you: nothing, what vcam room learn was shown, or also "
                "what vcam learns by itself. A small picture of the empty room is stored in vcam's state folder, "
                "~/.local/state/vcam/rooms, for you alone; vcam room forget removes it.",
                live=True, option="--room"),
    ] = "told"  # fmt: skip
    private: Annotated[
        bool,
        setting("Write nothing of the room to disk: what is learnt of it is forgotten when vcam ends.",
                live=True, option="--private"),
    ] = False  # fmt: skip
    people: Annotated[
        Literal["all", "main"],
        setting("Who is shown: all, or main: whoever is largest, so that passers-by go. Nothing that is known of the "
                "room is used then.", live=True, option="--people"),
    ] = "all"  # fmt: skip
    region: Annotated[
        bool,
        setting("Where people do not fill the frame, let the network see their surroundings instead of all of it.",
                live=True, option="--region"),
    ] = True  # fmt: skip
    skip_still: Annotated[
        bool,
        setting("While nothing moves, use the last matte again instead of asking the network.",
                live=True, option="--skip-still"),
    ] = False  # fmt: skip

    @property
    def has_network(self) -> bool:
        """Whether a network finds the person: background subtraction and a screen need none."""
        return self.backend not in ("subtraction", "chroma")
