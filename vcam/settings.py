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
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct

from vcam.errors import ConfigError, UsageError, VcamError
from vcam.types import Size


def _meta(help_: str, *, live: bool = False, unit: str = "", option: str = "", **limits: Any) -> Meta:
    return Meta(description=help_, extra={"live": live, "unit": unit, "option": option}, **limits)


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
        bool, _meta("At the start, wait for a camera that is not there instead of giving up.", option="--wait")
    ] = False
    timeout: Annotated[
        float, _meta("A camera that sends nothing for so long is opened anew.", unit="s", ge=0.2, le=60)
    ] = 3.0


class SegmentSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How the person is found."""

    backend: Annotated[
        Literal["auto", "openvino", "onnxruntime"],
        _meta("Inference runtime; auto takes what is installed and works.", live=True, option="--backend"),
    ] = "auto"
    device: Annotated[
        Literal["AUTO", "CPU", "GPU", "NPU", "VPU"],
        _meta("Where the network runs; VPU is the old name of NPU.", live=True, option="--device"),
    ] = "AUTO"
    model: Annotated[
        str,
        _meta("auto (by the shape of the picture), a model's name, or the path of a network with its card.",
              live=True, option="--model", min_length=1),
    ] = "auto"  # fmt: skip
    threads: Annotated[int, _meta("Threads of the network on the CPU.", unit="threads", ge=1, le=64)] = 1


class MatteSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """From the network's small map to the edge of the person."""

    temporal: Annotated[
        float,
        _meta("How much of the earlier mattes is kept where nothing moves: 0 none, 1 as much as possible.",
              live=True, option="--temporal", ge=0, le=1),
    ] = 0.6  # fmt: skip
    edge: Annotated[
        float,
        _meta("Move the edge outward (positive) or inward, in lines of a 720-line picture.",
              live=True, unit="px at 720 lines", option="--edge", ge=-30, le=30),
    ] = 2.0  # fmt: skip
    softness: Annotated[
        float,
        _meta("Width of the soft edge: 0 hard, 1 as soft as the network gives it.",
              live=True, option="--softness", ge=0, le=1),
    ] = 0.6  # fmt: skip


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
        _meta("Width and height of the picture that vcam serves; both even.", unit="px", option="--size",
              pattern=r"^\d{1,5}x\d{1,5}$"),
    ] = "1280x720"  # fmt: skip
    fps: Annotated[float, _meta("Frames a second.", unit="1/s", option="--fps", ge=1, le=240)] = 30.0
    always_on: Annotated[bool, _meta("Keep the camera on while nobody watches.", live=True, option="--always-on")] = (
        False
    )


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of vcam; immutable. `replace` and `load` make others."""

    camera: CameraSettings = CameraSettings()
    segment: SegmentSettings = SegmentSettings()
    matte: MatteSettings = MatteSettings()
    background: BackgroundSettings = BackgroundSettings()
    output: OutputSettings = OutputSettings()

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


def _read_fields() -> Iterator[Field]:
    for section, kind in get_type_hints(Settings).items():
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
    """Settings from one place: keys as in `FIELDS`, values as found there (text from the environment and `--set`)."""

    origin: str
    values: Mapping[str, Any]
    error: type[VcamError] = UsageError


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
                raise layer.error(f"{layer.origin}: there is no setting {key!r}", _did_you_mean(key))
            section, name = key.split(".")
            values.setdefault(section, {})[name] = _convert(field, value, layer)
            origins[key] = layer.origin
    return Loaded(msgspec.convert(values, Settings), origins)


def _convert(field: Field, value: Any, layer: Layer) -> Any:
    if field.key == "output.targets" and isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if field.choices and isinstance(value, str):
        value = next((choice for choice in field.choices if choice.lower() == value.lower()), value)
    section, name = field.key.split(".")
    kind = get_type_hints(Settings)[section]
    try:
        # not strict: the environment and --set have only text
        return getattr(msgspec.convert({name: value}, kind, strict=False), name)
    except msgspec.ValidationError as error:
        raise layer.error(
            f"{layer.origin}: {field.key} = {value!r} will not do", _allowed(field, str(error))
        ) from error


def _allowed(field: Field, error: str) -> str:
    if field.choices:
        return f"one of {', '.join(field.choices)}"
    if field.minimum is not None:
        unit = f" {field.unit}" if field.unit else ""
        return f"a number from {field.minimum:g} to {field.maximum:g}{unit}"
    if field.type is bool:
        return "true or false"
    return field.help if "pattern" in error or "length" in error else error.split(" - ")[0].lower()


def _did_you_mean(key: str) -> str:
    close = difflib.get_close_matches(key, FIELDS, 1, 0.5)
    if not close:
        close = [known for known in FIELDS if known.split(".")[1] == key.split(".")[-1]][:1]
    return f"did you mean {close[0]}?" if close else "vcam config reference lists them all"


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
    table: dict[str, Any] = {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        pass
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", "mend that line, or move the file away") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text", "save it as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", "it must be a file that you may read") from error
    profiles = table.pop("profiles", {})
    layers = [Layer(str(path), _flat(table, str(path)), ConfigError)]
    if profile:
        if not isinstance(profiles, dict) or profile not in profiles:
            known = ", ".join(profiles) if isinstance(profiles, dict) and profiles else "none"
            raise UsageError(f"there is no profile {profile!r} in {path}", f"profiles there: {known}")
        origin = f"{path} [profiles.{profile}]"
        layers.append(Layer(origin, _flat(profiles[profile], origin), ConfigError))
    return layers


def _flat(table: Any, origin: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for section, values in table.items() if isinstance(table, dict) else ():
        if not isinstance(values, dict):
            raise ConfigError(f"{origin}: {section} stands outside a section", f"write it under one of {_sections()}")
        flat.update({f"{section}.{name}": value for name, value in values.items()})
    return flat


def _sections() -> str:
    return ", ".join(f"[{section}]" for section in get_type_hints(Settings))


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
    """Settings from all places, in the order of precedence; `defaults` are a command's own, above the tree's."""
    layers = [Layer("default", defaults or {})]
    layers += read_config(path or config_path(), profile)
    layers.append(environment_layer(os.environ if environ is None else environ))
    layers.append(Layer("--set", parse_assignments(assignments)))
    layers.append(Layer("option", options or {}))
    return build(layers)


def parse_size(text: str) -> Size:
    """ "1280x720" as (1280, 720). Raises `UsageError`."""
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.strip().lower())
    if not found:
        raise UsageError(f"{text!r} is not a size", "write it as WIDTHxHEIGHT, for example 1280x720")
    return int(found[1]), int(found[2])
