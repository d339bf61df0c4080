"""The one typed tree of settings.

Every setting has a type, a range, a unit, a default, a sentence of help, and says whether it may change while vcam
runs. From this tree come the command-line options, the check of the config file, of the environment and of `--set`,
and the reference page; nothing else names a setting's range or default.

Precedence, strongest first: command-line option, environment `VCAM_SECTION_KEY`, profile, config file, default.
"""

from __future__ import annotations

import difflib
import os
import re
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from vcam.errors import ConfigError, UsageError, VcamError
from vcam.settings.look import SEPARATORS, FilterSettings, FramingSettings, OverlaySettings
from vcam.settings.segment import SegmentSettings
from vcam.settings.stream import StreamSettings
from vcam.settings.stream import setting as _meta
from vcam.settings.toml import KeyPath, key_lines, parse, read_text
from vcam.types import Size

# a camera's control: left alone, automatic, or a number
_AUTO = r"^(auto|-?\d{1,9})?$"


class CameraSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where frames come from."""

    source: Annotated[
        str,
        _meta("auto, /dev/videoN, an index, part of a camera's name, a video or picture file, or demo.",
              live=True, option="--camera", min_length=1),
    ] = "auto"  # fmt: skip
    mirror: Annotated[bool, _meta("Flip left and right, as a mirror does.", live=True, option="--mirror")] = False
    crop: Annotated[
        str,
        _meta("Part of the camera's picture to use, WxH+X+Y; empty for all of it.",
              live=True, unit="px", option="--crop", pattern=r"^(\d+x\d+\+\d+\+\d+)?$"),
    ] = ""  # fmt: skip
    wait: Annotated[
        bool, _meta("At the start, wait for a missing camera or output instead of giving up.", option="--wait")
    ] = False
    timeout: Annotated[
        float, _meta("A camera that sends nothing for so long is opened anew.", live=True, unit="s", ge=0.2, le=60)
    ] = 3.0
    exposure: Annotated[
        str, _meta("The camera's exposure: auto, or a number from vcam devices --controls.", live=True, pattern=_AUTO)
    ] = ""
    focus: Annotated[str, _meta("The camera's focus: auto, or a number.", live=True, pattern=_AUTO)] = ""
    white_balance: Annotated[
        str, _meta("The camera's white balance: auto, or a number, usually in kelvin.", live=True, pattern=_AUTO)
    ] = ""
    gain: Annotated[str, _meta("The camera's gain: auto, or a number.", live=True, pattern=_AUTO)] = ""
    zoom: Annotated[str, _meta("The camera's own zoom: a number.", live=True, pattern=_AUTO)] = ""
    controls: Annotated[
        str,
        _meta("Other controls of the camera, NAME=VALUE, separated by commas; vcam devices --controls lists them.",
              live=True, pattern=r"^\s*([a-z0-9_]+\s*=[^,=]+(,\s*[a-z0-9_]+\s*=[^,=]+)*)?$"),
    ] = ""  # fmt: skip


class MatteSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """From the network's small map to the edge of the person."""

    temporal: Annotated[
        float,
        _meta("How much of the earlier mattes is kept where nothing moves: 0 none, 1 as much as possible.",
              live=True, option="--temporal", ge=0, le=1),
    ] = 0.9  # fmt: skip
    edge: Annotated[
        float,
        _meta("Move the edge outward (positive) or inward, in lines of a 720-line picture.",
              live=True, unit="px at 720 lines", option="--edge", ge=-30, le=30),
    ] = 0.5  # fmt: skip
    softness: Annotated[
        float,
        _meta("Width of the soft edge: 0 hard, 1 as soft as the network gives it.",
              live=True, option="--softness", ge=0, le=1),
    ] = 0.3  # fmt: skip
    islands: Annotated[
        float,
        _meta("Islands and holes of the matte below this share of the picture are removed; 0 keeps all.",
              live=True, unit="%", option="--islands", ge=0, le=5),
    ] = 0.15  # fmt: skip
    refine: Annotated[
        bool, _meta("Let the edge follow the picture: hair, headsets, fingers.", live=True, option="--refine")
    ] = True


class BackgroundSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What is shown behind the person."""

    spec: Annotated[
        str,
        _meta("An image, a video, a GIF, a folder (slide show), blur[:STRENGTH], color:#RRGGBB, green, none, screen, "
              "pixelate[:N].", live=True, option="--background", min_length=1),
    ] = "blur"  # fmt: skip
    fit: Annotated[
        Literal["cover", "contain", "stretch"],
        _meta("How a picture of another shape fills the frame.", live=True, option="--fit"),
    ] = "cover"
    interval: Annotated[
        float,
        _meta(
            "Time each picture of a slide show is shown.", live=True, unit="s", option="--interval", ge=0.2, le=86400
        ),
    ] = 30.0  # fmt: skip


class OutputSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where frames go."""

    targets: Annotated[
        tuple[str, ...],
        _meta("auto, /dev/videoN, part of a device's name, window, null, a file (.mp4 .mkv .y4m), or - (y4m on "
              "stdout); may be repeated.", option="--output", min_length=1),
    ] = ("auto",)  # fmt: skip
    size: Annotated[
        str,
        _meta("Width and height of the picture that vcam serves; both even.", live=True, unit="px",
              option="--size", pattern=r"^\d{1,5}x\d{1,5}$"),
    ] = "1280x720"  # fmt: skip
    fps: Annotated[float, _meta("Frames a second.", unit="1/s", option="--fps", ge=1, le=240)] = 30.0
    always_on: Annotated[bool, _meta("Keep the camera on while nobody watches.", live=True, option="--always-on")] = (
        False
    )


class DaemonSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How the daemon is watched."""

    metrics_port: Annotated[
        int,
        _meta(
            "Serve figures for Prometheus at this port of 127.0.0.1; 0 for none.", option="--metrics", ge=0, le=65535
        ),
    ] = 0


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of vcam; immutable. `replace` and `load` make others."""

    camera: CameraSettings = CameraSettings()
    segment: SegmentSettings = SegmentSettings()
    matte: MatteSettings = MatteSettings()
    background: BackgroundSettings = BackgroundSettings()
    filters: FilterSettings = FilterSettings()
    overlay: OverlaySettings = OverlaySettings()
    framing: FramingSettings = FramingSettings()
    output: OutputSettings = OutputSettings()
    stream: StreamSettings = StreamSettings()
    daemon: DaemonSettings = DaemonSettings()

    def replace(self, **changes: object) -> Settings:
        """A copy with some settings changed; keys are written with two underscores, as `matte__edge=3`.

        Raises `UsageError` for an unknown key or a value out of range.
        """
        layer = Layer("argument", {key.replace("__", "."): value for key, value in changes.items()})
        return build([Layer("settings", flatten(self)), layer]).settings


@dataclass(frozen=True, slots=True)
class Field:
    """What is known of one setting. `key` is "section.name"; `type` as written, without its limits."""

    key: str
    type: Any
    default: Any
    help: str
    unit: str
    live: bool
    option: str
    minimum: float | None
    maximum: float | None

    @property
    def choices(self) -> tuple[str, ...]:
        return get_args(self.type) if getattr(self.type, "__origin__", None) is Literal else ()

    @property
    def environment(self) -> str:
        return "VCAM_" + self.key.upper().replace(".", "_")


# looking the hints up costs more than checking a value
_SECTIONS: dict[str, type[Struct]] = get_type_hints(Settings)


def _read_fields() -> Iterator[Field]:
    for section, kind in _SECTIONS.items():
        hints = get_type_hints(kind, include_extras=True)
        for spec in msgspec.structs.fields(kind):
            type_, meta = get_args(hints[spec.name])[:2]
            extra = meta.extra or {}
            yield Field(
                f"{section}.{spec.name}", type_, spec.default, meta.description or "", extra["unit"], extra["live"],
                extra["option"], meta.ge, meta.le,
            )  # fmt: skip


FIELDS: dict[str, Field] = {field.key: field for field in _read_fields()}
"""Every setting by its key, in the order of the tree."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings from one place: keys as in `FIELDS`, values as found there (text from the environment and `--set`).

    `lines` says on which line of a file each stands, where that is known.
    """

    origin: str
    values: Mapping[str, Any]
    error: type[VcamError] = UsageError
    lines: Mapping[str, int] = field(default_factory=dict)

    def where(self, key: str) -> str:
        """The place of a key, in words."""
        names = {"option": FIELDS[key].option, "environment": FIELDS[key].environment} if key in FIELDS else {}
        origin = names.get(self.origin, self.origin)
        return f"{origin}, line {self.lines[key]}" if key in self.lines else origin


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and for each key the origin of its value."""

    settings: Settings
    origins: Mapping[str, str]


def build(layers: Sequence[Layer]) -> Loaded:
    """Lay settings over the defaults, weakest layer first.

    Raises the layer's own error, naming key, origin and the allowed range, for the first value that does not fit.
    """
    values: dict[str, dict[str, Any]] = {}
    origins = dict.fromkeys(FIELDS, "default")
    for layer in layers:
        for key, value in layer.values.items():
            field = FIELDS.get(key)
            if field is None:
                raise layer.error(f"{layer.where(key)}: there is no setting {key!r}", _did_you_mean(key))
            section, name = key.split(".")
            values.setdefault(section, {})[name] = _convert(field, value, layer)
            origins[key] = layer.origin
    return Loaded(msgspec.convert(values, Settings), origins)


def _convert(field: Field, value: Any, layer: Layer) -> Any:
    if get_origin(field.type) is tuple and isinstance(value, str):
        separator = SEPARATORS.get(field.key, ",")
        value = [part.strip() for part in value.split(separator) if part.strip()]
    if field.type is str and type(value) is int and abs(value) < 1 << 63:
        # TOML tells 2 from "2"; for a name or a control they mean the same
        value = str(value)
    if field.choices and isinstance(value, str):
        value = next((choice for choice in field.choices if choice.lower() == value.lower()), value)
    section, name = field.key.split(".")
    kind = _SECTIONS[section]
    try:
        # not strict: the environment and --set have only text
        return getattr(msgspec.convert({name: value}, kind, strict=False), name)
    except msgspec.ValidationError as error:
        raise layer.error(
            f"{layer.where(field.key)}: {field.key} = {_shown(value)} will not do", _allowed(field, str(error))
        ) from error


def _shown(value: Any) -> str:
    if isinstance(value, int) and abs(value) >= 1 << 63:
        # Python refuses to write out what is thousands of digits long
        return "a number far too large"
    short = reprlib.Repr()
    short.maxstring = short.maxother = 60
    return short.repr(value)


def _allowed(field: Field, error: str) -> str:
    if field.choices:
        return f"one of {', '.join(field.choices)}"
    if field.minimum is not None:
        return f"a number from {field.minimum:g} to {field.maximum:g} {field.unit}".rstrip()
    if field.type is bool:
        return "true or false"
    example = f" For example: {field.default}" if field.default else ""
    return field.help + example if "regex" in error or "length" in error else error.split(" - ")[0].lower()


def _did_you_mean(key: str) -> str:
    close = difflib.get_close_matches(key, FIELDS, 1, 0.5)
    if not close:
        close = [known for known in FIELDS if known.split(".")[1] == key.split(".")[-1]][:1]
    return f"did you mean {close[0]}?" if close else "vcam config reference lists them all"


def find_field(key: str) -> Field:
    """What is known of a setting. Raises `UsageError`, with the likeliest one meant as its hint, if there is none."""
    if key not in FIELDS:
        raise UsageError(f"there is no setting {key!r}", _did_you_mean(key))
    return FIELDS[key]


def flatten(settings: Settings) -> dict[str, Any]:
    """Every value by its key."""
    return {key: getattr(getattr(settings, key.split(".")[0]), key.split(".")[1]) for key in FIELDS}


def config_path() -> Path:
    """Where the config file is looked for: `VCAM_CONFIG`, else config.toml in the user's config folder."""
    if chosen := os.environ.get("VCAM_CONFIG"):
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_config_dir("vcam", appauthor=False)) / "config.toml"


def read_config(path: Path, profile: str = "") -> list[Layer]:
    """The layers of a config file: its own settings, and those of `[profiles.NAME]` if asked for.

    A file that is not there gives no layers. Raises `ConfigError` for one that is unreadable or no TOML, `UsageError`
    for a profile it does not have.
    """
    base, profiles = read_profiles(path)
    if not profile:
        return [base]
    if profile not in profiles:
        raise UsageError(
            f"there is no profile {profile!r} in {path}", f"profiles there: {', '.join(profiles) or 'none'}"
        )
    return [base, profiles[profile]]


def read_profiles(path: Path) -> tuple[Layer, dict[str, Layer]]:
    """The layer of a config file's own settings, and that of each of its profiles by name; raises `ConfigError`."""
    try:
        text = read_text(path)
    except FileNotFoundError:
        text = ""
    table = parse(text, str(path))
    lines = key_lines(text)
    named = table.pop("profiles", {})
    if not isinstance(named, dict):
        line = lines.get(("profiles",), 1)
        raise ConfigError(f"{path}, line {line}: profiles is no table", "write [profiles.NAME.SECTION]")
    profiles = {name: _layer(values, path, ("profiles", name), lines) for name, values in named.items()}
    return _layer(table, path, (), lines), profiles


def _layer(table: Any, path: Path, at: KeyPath, lines: Mapping[KeyPath, int]) -> Layer:
    origin = f"{path} [{'.'.join(at)}]" if at else str(path)
    flat: dict[str, Any] = {}
    for section, values in table.items() if isinstance(table, dict) else ((at[-1], table),):
        if not isinstance(values, dict):
            line = lines.get((*at, section), lines.get(at, 1))
            raise ConfigError(
                f"{origin}, line {line}: {section} stands outside a section", f"write it under one of {_sections()}"
            )
        flat.update({f"{section}.{name}": value for name, value in values.items()})
    here = {".".join(keys[len(at) :]): line for keys, line in lines.items() if keys[: len(at)] == at}
    return Layer(origin, flat, ConfigError, {key: here[key] for key in flat if key in here})


def _sections() -> str:
    return ", ".join(f"[{section}]" for section in _SECTIONS)


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """The settings among the environment's variables."""
    names = {field.environment: key for key, field in FIELDS.items()}
    return Layer("environment", {names[name]: value for name, value in environ.items() if name in names}, ConfigError)


def parse_assignments(assignments: Sequence[str]) -> dict[str, str]:
    """`KEY=VALUE` words as given to `--set`. Raises `UsageError`."""
    values = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise UsageError(f"{assignment!r} is not KEY=VALUE", "for example matte.edge=3")
        values[key.strip()] = value.strip()
    return values


def load(
    options: Mapping[str, Any] | None = None,
    *,
    assignments: Sequence[str] = (),
    profile: str = "",
    defaults: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    path: Path | None = None,
) -> Loaded:
    """Settings from all places, in the order of precedence; `defaults` are a command's own, above the tree's.

    Without a `profile`, the one that `VCAM_PROFILE` names.
    """
    environ = os.environ if environ is None else environ
    layers = [Layer("default", defaults or {})]
    layers += read_config(path or config_path(), profile or environ.get("VCAM_PROFILE", ""))
    layers += [environment_layer(environ), Layer("--set", parse_assignments(assignments))]
    return build([*layers, Layer("option", options or {})])


def parse_size(text: str) -> Size:
    """ "1280x720" as (1280, 720). Raises `UsageError`."""
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.strip().lower())
    if not found:
        raise UsageError(f"{text!r} is not a size", "write it as WIDTHxHEIGHT, for example 1280x720")
    return int(found[1]), int(found[2])
