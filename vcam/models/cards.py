"""Model cards: what must be known of a network to use it, in a TOML file beside it.

A card says what the network is for, which picture it wants and how its output becomes one probability; docs/models.md
describes every key for people. Engines get what they need of it by `ModelCard.network`.
"""

from __future__ import annotations

import math
import re
import shlex
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from vcam.errors import ModelError
from vcam.files import no_file
from vcam.harmony import NAMES
from vcam.infer.base import Layout, Network, Output, Picture, State

SUFFIXES = (".onnx", ".tflite", ".pb", ".xml", ".pdmodel")
"""What the names of networks end in."""

MAX_BYTES = 1 << 16
"""From which on a file cannot be a card."""

_BEYOND = "no card nests so deep or has such numbers"

Form = Literal["probability", "logits", "two-channel", "softmax", "classes", "class-index", "arguments"]

_CHANNELS: dict[str, int] = {
    "probability": 1, "logits": 1, "two-channel": 2, "softmax": 2, "class-index": 1, "arguments": len(NAMES),
}  # fmt: skip

Task = Literal["person", "harmonise"]
"""What a network is for: to find the person, or to tell how her light differs from the background's."""

Channels = Literal["RGB", "BGR", "YCbCrA"]
"""What the channels of a network's picture are; the last is that of a composite with its matte, limited range."""


def _says(allowed: str, **limits: Any) -> Meta:
    return Meta(description=allowed, **limits)


Class = Annotated[int, Meta(ge=0, le=1023)]
Side = Annotated[int, _says("from 16 to 2048 pixels", ge=16, le=2048)]


class InputCard(Struct, frozen=True, forbid_unknown_fields=True):
    """The picture that the network takes: (value - mean) / scale for each channel, values 0..255."""

    layout: Annotated[Layout, _says("NCHW or NHWC")]
    size: Annotated[tuple[Side, Side], _says("[width, height], each from 16 to 2048 pixels")]
    channels: Annotated[Channels, _says("RGB or BGR; YCbCrA for the task harmonise")] = "RGB"
    mean: Annotated[tuple[float, ...], _says("one number for each channel, in the order of the channels")] = (0, 0, 0)
    scale: Annotated[tuple[float, ...], _says("one number for each channel, not 0")] = (255, 255, 255)
    previous_mask: Annotated[bool, _says("true or false: the last map is a fourth channel, 0..255")] = False
    name: Annotated[str, _says("the name of the network's input, if it has several")] = ""

    @property
    def depth(self) -> int:
        """Channels of the network's input."""
        return 4 if self.previous_mask or self.channels == "YCbCrA" else 3


_OUTPUT_SIZE = "[width, height], each from 16 to 2048 pixels"


class OutputCard(Struct, frozen=True, forbid_unknown_fields=True):
    """How the network's output becomes the probability of a person, or the arguments of `vcam.harmony`."""

    form: Annotated[Form, _says(f"one of {', '.join(get_args(Form))}")]
    size: Annotated[tuple[Side, Side], _says(_OUTPUT_SIZE)] = (0, 0)
    """None for the form arguments, which is no map."""
    layout: Annotated[Layout, _says("NCHW or NHWC")] = "NCHW"
    channels: Annotated[int, _says("from 0 to 1024; needed for the form classes only", ge=0, le=1024)] = 0
    person: Annotated[
        Class | tuple[Class, ...], _says("from 0 to 1023: which channel or class is the person, or a list of classes")
    ] = 1
    background: Annotated[
        Class | None, _says("from 0 to 1023: the class that is no person; all others are; instead of person")
    ] = None
    gain: Annotated[
        float, _says("from 0.1 to 20: p becomes p^gain / (p^gain + (1-p)^gain); 1 leaves it", ge=0.1, le=20)
    ] = 1.0
    name: Annotated[str, _says("the name of the network's output, if it has several")] = ""

    @property
    def depth(self) -> int:
        """Channels of the network's output."""
        return self.channels or _CHANNELS.get(self.form, 0)

    @property
    def people(self) -> tuple[int, ...]:
        """The channels or classes that are people, where `background` does not say which one is not."""
        return self.person if isinstance(self.person, tuple) else (self.person,)

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, height, width) or (height, width, channels) of the network's output, as `layout` says.

        (channels,) where it is no map.
        """
        if self.form == "arguments":
            return (self.depth,)
        width, height = self.size
        return (height, width, self.depth) if self.layout == "NHWC" else (self.depth, height, width)


class StateCard(Struct, frozen=True, forbid_unknown_fields=True):
    """A tensor that the network gives out with one frame and takes back with the next."""

    input: Annotated[str, _says("the name of one of the network's inputs", min_length=1)]
    shape: Annotated[
        tuple[Annotated[int, Meta(ge=1)], ...], _says("the tensor's sides, each 1 or more, 67 million values at most")
    ]
    output: Annotated[
        str, _says("the name of one of the network's outputs; empty for an input that stays as it is")
    ] = ""
    init: Annotated[float, _says("the number it holds before the first frame")] = 0.0


class CostCard(Struct, frozen=True, forbid_unknown_fields=True):
    """What the network was measured to cost: CPU milliseconds of one picture on one thread."""

    measured_on: Annotated[str, _says("the machine, in words")]
    openvino_ms: Annotated[float | None, _says("milliseconds")] = None
    onnxruntime_ms: Annotated[float | None, _says("milliseconds")] = None
    mmac: Annotated[float | None, _says("millions of multiplications and additions")] = None

    @property
    def cheapest(self) -> str:
        """The runtime that costs less, empty where not both were measured."""
        if not (self.openvino_ms and self.onnxruntime_ms):
            return ""
        return "onnxruntime" if self.onnxruntime_ms < self.openvino_ms else "openvino"


Percent = Annotated[int, _says("from 0 to 100 percent", ge=0, le=100)]
Row = tuple[Percent, Percent, Percent, Percent]
Grid = tuple[Row, Row, Row, Row]
Answer = Annotated[Grid | None, _says("4 rows of 4 whole numbers, the mean probability in percent")]


class KnownCard(Struct, frozen=True, forbid_unknown_fields=True):
    """What the network finds in the pictures that vcam brings along to try engines with; see `vcam.segment.known`."""

    unchecked: Annotated[str, _says("why the network is not tried with known pictures, in words")] = ""
    black: Answer = None
    room: Answer = None
    person: Answer = None
    tolerance: Annotated[int, _says("from 1 to 50: percent by which a number may differ", ge=1, le=50)] = 10


Checksum = Annotated[str, _says("64 hexadecimal digits, as sha256sum prints them", pattern=r"^[0-9a-f]{64}\Z")]
Part = Annotated[str, Meta(pattern=r"^[^/\\\x00-\x1f\x7f-\x9f.-][^/\\\x00-\x1f\x7f-\x9f]*\Z")]


class ModelCard(Struct, frozen=True, forbid_unknown_fields=True):
    """A network and what is known of it. `path` is where the card lies; it is not a key of the file."""

    title: Annotated[str, _says("a name for people", min_length=1)]
    file: Annotated[
        str,
        _says(f"the network's file name, in the card's folder, ending in {' '.join(SUFFIXES)}",
              # no path, no hidden file, no option, nothing that steers a terminal
              pattern=r"^[^/\\\x00-\x1f\x7f-\x9f.-][^/\\\x00-\x1f\x7f-\x9f]*\.(onnx|tflite|pb|xml|pdmodel)\Z"),
    ]  # fmt: skip
    sha256: Checksum
    licence: Annotated[str, _says("a licence's SPDX name", min_length=1)]
    origin: Annotated[str, _says("where the network comes from", min_length=1)]
    input: InputCard
    output: OutputCard
    task: Annotated[Task, _says(f"one of {', '.join(get_args(Task))}")] = "person"
    states: Annotated[tuple[StateCard, ...], _says("a list of tables")] = ()
    cost: CostCard | None = None
    known: KnownCard = KnownCard()
    parts: Annotated[
        dict[Part, Checksum],
        _says("names of further files that the network needs, in the card's folder, each with its SHA-256"),
    ] = {}
    path: Path = Path()

    @property
    def name(self) -> str:
        """What the model is called on the command line."""
        return self.path.stem

    @property
    def remembers(self) -> bool:
        """Whether what the network gives for a frame depends on those before it."""
        return bool(self.states) or self.input.previous_mask

    @property
    def file_path(self) -> Path:
        """Where the network's file lies."""
        return self.path.with_name(self.file)

    def network(self) -> Network:
        """The network as engines need to know it."""
        picture = self.input
        return Network(
            name=self.name,
            path=self.file_path,
            card=self.path,
            pictures=(Picture(picture.size, picture.layout, picture.mean, picture.scale, picture.name),),
            outputs=(Output(self.output.shape, self.output.name),),
            states=tuple(State(state.input, state.shape, state.output, state.init) for state in self.states),
            cheapest=self.cost.cheapest if self.cost else "",
        )


def read_card(path: Path) -> ModelCard:
    """Read and check a card; the network is not looked at. Raises `ModelError` naming card, key and what is allowed."""
    try:
        if other := no_file(path):
            raise ModelError(f"the model card {path} is {other}", "docs/models.md says how to write one")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ModelError(f"the model card {path} is larger than {MAX_BYTES >> 10} kB", "that cannot be a card")
        table = tomllib.loads(data.decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise ModelError(f"there is no model card {path}", "docs/models.md says how to write one") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"the model card {path} is not valid TOML: {error}", "mend that line") from error
    except (RecursionError, ValueError) as error:
        # brackets without end, numbers of thousands of digits
        raise ModelError(f"the model card {path} is not valid: {_BEYOND}", "mend it, or move it away") from error
    except OSError as error:
        raise ModelError(
            f"the model card {path} cannot be read: {error.strerror}", f"chmod u+r {shlex.quote(str(path))}"
        ) from error
    if "path" in table:
        raise ModelError(f"{path}: there is no key path", _keys_of(ModelCard))
    try:
        card = msgspec.structs.replace(msgspec.convert(table, ModelCard), path=path)
    except msgspec.ValidationError as error:
        raise _explain(path, table, str(error)) from error
    except RecursionError as error:
        raise ModelError(f"the model card {path} is not valid: {_BEYOND}", "mend it, or move it away") from error
    _check(card)
    return card


def _explain(path: Path, table: dict[str, Any], message: str) -> ModelError:
    """msgspec's message in the words of the card: the key, its value, and what is allowed there."""
    text, _, where = message.partition(" - at `$")
    keys = [key for key in re.split(r"[.\[\]]+", where.strip("`")) if key]
    kind: Any = ModelCard
    value: Any = table
    hint = text
    for key in keys:
        if key == "...":
            break
        if key.isdigit():
            value = value[int(key)]
            continue
        value = value[key]
        kind = get_type_hints(kind, include_extras=True)[key]
        if get_origin(kind) is Annotated:
            hint = kind.__metadata__[0].description or text
            kind = get_args(kind)[0]
        structs = [part for part in (kind, *get_args(kind)) if isinstance(part, type) and issubclass(part, Struct)]
        kind = structs[0] if structs else kind
    name = ".".join(keys)
    if found := re.match(r"Object (?:contains unknown|missing required) field `(\w+)`", text):
        name = f"{name}.{found[1]}" if name else found[1]
        if "missing" in text:
            allowed = get_type_hints(kind, include_extras=True)[found[1]]
            hint = allowed.__metadata__[0].description if get_origin(allowed) is Annotated else "it is a table"
            return ModelError(f"{path}: {name} is missing", f"{found[1]}: {hint}")
        return ModelError(f"{path}: there is no key {name}", _keys_of(kind))
    return ModelError(f"{path}: {name} = {value!r} is not valid", hint)


def _keys_of(kind: type[Struct]) -> str:
    return f"known are {', '.join(name for name in kind.__struct_fields__ if name != 'path')}"


def _check(card: ModelCard) -> None:
    """What one key alone cannot tell."""
    _check_task(card)
    depth = card.input.depth
    for key, values in (("mean", card.input.mean), ("scale", card.input.scale)):
        if len(values) != depth:
            raise ModelError(f"{card.path}: input.{key} has {len(values)} numbers", f"it needs {depth}, one a channel")
    numbers = [("input.mean", card.input.mean), ("input.scale", card.input.scale)]
    numbers += [("states.init", tuple(state.init for state in card.states))]
    if cost := card.cost:
        found = (cost.openvino_ms, cost.onnxruntime_ms, cost.mmac)
        numbers += [("cost", tuple(value for value in found if value is not None))]
    for key, values in numbers:
        if not all(math.isfinite(value) for value in values):
            raise ModelError(f"{card.path}: {key} holds something that is not a number", "nan and inf are not valid")
    if 0 in card.input.scale:
        raise ModelError(f"{card.path}: input.scale holds a 0", "values are divided by it: use 1 for none")
    if card.input.previous_mask and card.input.size != card.output.size:
        raise ModelError(f"{card.path}: input.previous_mask needs a map as large as the picture", "mend the sizes")
    if card.output.form == "classes" and card.output.channels < 2:
        raise ModelError(f"{card.path}: output.channels is missing", "the form classes needs it: how many classes")
    fixed = _CHANNELS.get(card.output.form)
    if fixed and card.output.channels not in (0, fixed):
        raise ModelError(
            f"{card.path}: output.channels = {card.output.channels} is not valid",
            f"the form {card.output.form} has {fixed}",
        )
    _check_classes(card)
    if len({answer is None for answer in (card.known.black, card.known.room, card.known.person)}) > 1:
        raise ModelError(
            f"{card.path}: known has an answer for some of its pictures",
            "it needs all three, black, room and person, or none; vcam models show tells what it has",
        )
    for state in card.states:
        elements = 1
        for side in state.shape:
            elements *= side
        if not state.shape or elements > 1 << 26:
            raise ModelError(
                f"{card.path}: the shape {list(state.shape)} of state {state.input} is not valid",
                "the tensor's sides, each 1 or more, 67 million values at most",
            )


def _check_task(card: ModelCard) -> None:
    """What goes with which task."""
    path, harmonises = card.path, card.task == "harmonise"
    if (card.output.form == "arguments") != harmonises:
        words = "the task harmonise has the form arguments" if harmonises else "it is that of the task harmonise"
        raise ModelError(f"{path}: output.form = {card.output.form!r} is not valid", words)
    if (card.input.channels == "YCbCrA") != harmonises:
        words = "the task harmonise takes YCbCrA" if harmonises else "RGB or BGR; YCbCrA is for the task harmonise"
        raise ModelError(f"{path}: input.channels = {card.input.channels!r} is not valid", words)
    if not harmonises and card.output.size == (0, 0):
        raise ModelError(f"{path}: output.size is missing", f"size: {_OUTPUT_SIZE}")
    given = {
        "states": card.states, "known": card.known != KnownCard(), "input.previous_mask": card.input.previous_mask,
        "output.size": card.output.size != (0, 0),
    }  # fmt: skip
    if harmonises and (beyond := [key for key, there in given.items() if there]):
        raise ModelError(f"{path}: {beyond[0]} is not for the task harmonise", f"leave {beyond[0]} out")


def _check_classes(card: ModelCard) -> None:
    """Which channels or classes are people."""
    output = card.output
    told = (*output.people, *(() if output.background is None else (output.background,)))
    if output.depth > 1 and (beyond := [each for each in told if each >= output.depth]):
        key = "person" if beyond[0] in output.people else "background"
        raise ModelError(f"{card.path}: output.{key} = {beyond[0]} is not valid", f"from 0 to {output.depth - 1}")
    several = isinstance(output.person, tuple) or output.background is not None
    if several and output.form not in ("classes", "class-index"):
        raise ModelError(
            f"{card.path}: the form {output.form} has no classes to choose among",
            "person is one number there, and background is not used",
        )
    if not output.people or len(set(output.people)) != len(output.people):
        raise ModelError(f"{card.path}: output.person = {list(output.people)} is not valid", "name each class once")
    if output.background is not None and output.person != 1:
        raise ModelError(
            f"{card.path}: output.person and output.background are both there",
            "with background, all others are people: leave person out",
        )
    if output.gain != 1 and output.form == "class-index":
        raise ModelError(f"{card.path}: output.gain does nothing", "the form class-index is 0 or 1 already")
