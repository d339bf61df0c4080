from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from vcam.assets import asset, data_folder
from vcam.cli import modeltrial
from vcam.cli.models import models
from vcam.errors import EngineError, VcamError
from vcam.measure import speeds
from vcam.measure.speeds import Speed
from vcam.models.cards import ModelCard
from vcam.models.catalogue import catalogue


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data/vcam/models"
    folder.mkdir(parents=True)
    return folder


def install(folder: Path, name: str) -> None:
    """A network of the catalogue, as if it had been pulled: its card, with the bytes of one of vcam's."""
    network = folder / f"{name}{catalogue()[name].suffix}"
    shutil.copy(data_folder("models") / "selfie-general.onnx", network)
    network.with_suffix(".toml").write_text(
        catalogue()[name].card(name, hashlib.sha256(network.read_bytes()).hexdigest())
    )


def take(monkeypatch: pytest.MonkeyPatch, ms: dict[str, float], engine: str = "onnxruntime on CPU") -> None:
    def measure(card: ModelCard) -> Speed:
        if card.name not in ms:
            raise EngineError(f"{card.name} runs nowhere here", "vcam doctor tells more")
        return Speed(engine, ms[card.name], ms[card.name])

    monkeypatch.setattr(speeds, "measure", measure)


def run(*words: str) -> Result:
    return CliRunner().invoke(models, words, catch_exceptions=False)


def test_the_best_that_can_be_afforded_is_recommended(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(own, "selfie-multiclass")
    take(monkeypatch, {"selfie-general": 2.0, "selfie-landscape": 1.0, "selfie-multiclass": 7.0})
    told = json.loads(run("recommend", "--json").stdout)
    assert (told["recommended"], told["may_take_ms"]) == ("selfie-multiclass", 8.33)
    assert [row["affordable"] for row in told["models"]] == [True, True, True]
    # twice as often, half the time
    told = json.loads(run("recommend", "--fps", "60", "--json").stdout)
    assert told["recommended"] == "selfie-landscape"
    assert [row["affordable"] for row in told["models"]] == [True, True, False]


def test_size_and_rate_are_those_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take(monkeypatch, {"selfie-general": 2.0, "selfie-landscape": 1.0})
    config = tmp_path / "config.toml"
    monkeypatch.setenv("VCAM_CONFIG", str(config))
    config.write_text('[output]\nsize = "640x480"\nfps = 15\n')
    told = json.loads(run("recommend", "--json").stdout)
    assert (told["size"], told["fps"], told["may_take_ms"]) == ([640, 480], 15.0, 16.67)
    assert told["recommended"] == "selfie-general"
    assert "For 1280x720 at 30 frames" in run("recommend", "--size", "1280x720", "--fps", "30").output


def test_half_a_point_is_worth_no_heat_and_a_square_frame_is_not_squeezed(monkeypatch: pytest.MonkeyPatch) -> None:
    take(monkeypatch, {"selfie-general": 2.0, "selfie-landscape": 1.0})
    result = run("recommend")
    # 93.1 against 92.6 on the mean
    assert "vcam start --model selfie-landscape" in result.output
    assert "selfie-multiclass; vcam models list --all" in result.output
    assert "vcam start --model selfie-general" in run("recommend", "--size", "640x480").output


def test_no_wide_network_is_recommended_for_another_frame(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(own, "pphumanseg-wide")
    take(monkeypatch, {"selfie-general": 2.0, "selfie-landscape": 1.0, "pphumanseg-wide": 0.5})
    quality = {"pphumanseg-wide": 99.0}
    monkeypatch.setattr(modeltrial, "_quality", lambda row: quality.get(row["name"], 90.0))
    assert json.loads(run("recommend", "--json").stdout)["recommended"] == "pphumanseg-wide"
    assert json.loads(run("recommend", "--size", "640x480", "--json").stdout)["recommended"] == "selfie-general"


@pytest.mark.engine
def test_a_network_by_its_path_is_tried(tmp_path: Path) -> None:
    for name in ("selfie-landscape.onnx", "selfie-landscape.toml"):
        shutil.copy(data_folder("models") / name, tmp_path / name.replace("selfie-landscape", "mine"))
    card = tmp_path / "mine.toml"
    card.write_text(card.read_text().replace("selfie-landscape.onnx", "mine.onnx"))
    result = run("try", str(asset("astronaut.png")), "look.html", "--model", str(tmp_path / "mine.onnx"), "--json")
    assert result.exit_code == 0, result.output
    assert [row["name"] for row in json.loads(result.stdout)["models"]] == ["mine"]


def test_on_an_accelerator_the_clock_counts(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(own, "selfie-multiclass")

    def measure(card: ModelCard) -> Speed:
        return Speed("openvino on NPU", 6.0, 50.0)

    monkeypatch.setattr(speeds, "measure", measure)
    assert json.loads(run("recommend", "--json").stdout)["recommended"] == "selfie-multiclass"


def test_what_runs_nowhere_is_shown_and_not_recommended(monkeypatch: pytest.MonkeyPatch) -> None:
    take(monkeypatch, {"selfie-general": 2.0})
    told = json.loads(run("recommend", "--json").stdout)
    assert [row["engine"] for row in told["models"]] == ["onnxruntime on CPU", None]
    assert told["recommended"] == "selfie-general"


def test_nothing_affordable_means_what_auto_means(monkeypatch: pytest.MonkeyPatch) -> None:
    take(monkeypatch, {"selfie-general": 90.0, "selfie-landscape": 80.0})
    assert json.loads(run("recommend", "--json").stdout)["recommended"] == "selfie-landscape"


def test_a_list_tells_what_was_measured_here(monkeypatch: pytest.MonkeyPatch) -> None:
    take(monkeypatch, {"selfie-general": 2.0, "selfie-landscape": 1.0})
    run("recommend")
    rows = json.loads(run("list", "--json").stdout)
    assert [row["ms_here"] for row in rows] == [2.0, 1.0]
    assert "2.0 here" in run("list").output


def test_a_network_that_was_here_once_is_listed_with_its_speed(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vcam.models.cards import read_card

    install(own, "selfie-multiclass")
    path = own / "selfie-multiclass.toml"
    card = catalogue()["selfie-multiclass"]
    path.write_text(card.card("selfie-multiclass", card.sha256))
    speeds.remember(read_card(path), Speed("openvino on NPU", 6.0, 9.5))
    path.unlink()
    rows = {row["name"]: row for row in json.loads(run("list", "--all", "--json").stdout)}
    assert rows["selfie-multiclass"]["ms_here"] == 9.5
    assert rows["deeplabv3"]["ms_here"] is None
    assert "9.5 here" in CliRunner().invoke(models, ["list", "--all"], env={"COLUMNS": "200"}).stdout


@pytest.mark.engine
def test_networks_are_laid_side_by_side_on_a_picture(tmp_path: Path) -> None:
    result = run("try", str(asset("astronaut.png")), "look.html", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["page"] == "look.html"
    assert [row["name"] for row in told["models"]] == ["selfie-general", "selfie-landscape"]
    assert all(row["cpu_ms"] > 0 for row in told["models"])
    page = (tmp_path / "look.html").read_text()
    assert "selfie-general" in page
    assert "selfie-landscape" in page


def test_an_output_that_is_there_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "models.html").write_text("mine")
    with pytest.raises(VcamError, match=r"models\.html"):
        run("try", str(asset("astronaut.png")))
    assert (tmp_path / "models.html").read_text() == "mine"


def test_a_network_that_is_not_here_is_named(tmp_path: Path) -> None:
    with pytest.raises(VcamError, match="there is no model 'nothing'"):
        run("try", str(asset("astronaut.png")), "--model", "nothing")


def test_the_catalogue_is_listed_with_what_can_be_fetched(own: Path) -> None:
    rows = {row["name"]: row for row in json.loads(run("list", "--all", "--json").stdout)}
    assert rows["selfie-multiclass"]["status"] == "tried"
    assert rows["selfie-multiclass"]["measured"]["portraits"] == 95.5
    assert "path" in rows["selfie-general"]
    assert "selfie-multiclass" in run("list", "--all").output
    assert "selfie-multiclass" not in run("list").output
    install(own, "selfie-multiclass")
    rows = {row["name"]: row for row in json.loads(run("list", "--all", "--json").stdout)}
    assert "path" in rows["selfie-multiclass"]
