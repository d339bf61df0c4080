"""The one typed tree of settings.

Every setting has a type, a range, a unit, a default, a sentence of help, and says whether it may change while vcam
runs. From this tree come the command-line options and what shells offer for them, the check of the config file, of the
environment and of `--set`, and the reference page; nothing else names a setting's range or default.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_type_hints

import msgspec
from msgspec import Struct

from vcam.errors import UsageError, VcamError
from vcam.settings.field import Field
from vcam.settings.look import FilterSettings, FramingSettings, OverlaySettings
from vcam.settings.sections import BackgroundSettings, CameraSettings, DaemonSettings, MatteSettings, OutputSettings
from vcam.settings.segment import SegmentSettings
from vcam.settings.stream import StreamSettings


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


# looking the hints up costs more than checking a value
SECTIONS: dict[str, type[Struct]] = get_type_hints(Settings)
"""The kind of each section by its name."""


def _read_fields() -> Iterator[Field]:
    for section, kind in SECTIONS.items():
        hints = get_type_hints(kind, include_extras=True)
        for spec in msgspec.structs.fields(kind):
            yield Field.of(f"{section}.{spec.name}", hints[spec.name], spec.default)


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

    def said(self, key: str) -> str:
        """What comes before a message of a key: its place, unless it has just been asked for and so needs none."""
        where = self.where(key)
        return f"{where}: " if where else ""


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
                raise layer.error(f"{layer.said(key)}there is no setting {key!r}", _did_you_mean(key))
            section, name = key.split(".")
            values.setdefault(section, {})[name] = _convert(field, value, layer)
            origins[key] = layer.origin
    return Loaded(msgspec.convert(values, Settings), origins)


def _convert(field: Field, value: Any, layer: Layer) -> Any:
    if field.is_list and isinstance(value, str):
        value = field.split(value)
    if (field.type is str or field.choices) and type(value) is int and abs(value) < 1 << 63:
        # TOML tells 2 from "2"; for a name, a control or a choice they mean the same
        value = str(value)
    if field.choices and isinstance(value, str):
        value = next((choice for choice in field.choices if choice.lower() == value.lower()), value)
    section, name = field.key.split(".")
    kind = SECTIONS[section]
    try:
        # not strict: the environment and --set have only text
        return getattr(msgspec.convert({name: value}, kind, strict=False), name)
    except msgspec.ValidationError as error:
        raise layer.error(
            f"{layer.said(field.key)}{field.key} = {_unfit(field, value)} is not valid", _allowed(field, str(error))
        ) from error


def _unfit(field: Field, value: Any) -> str:
    """A value that does not fit, but for a key that may be in it."""
    return "***" if (field.secret or field.address) and not isinstance(value, int | float) and value else _shown(value)


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
