"""The table of forms: needs no PyTorch."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from vcam import extras
from vcam.cli.train_export import export
from vcam.errors import UsageError
from vcam.train import forms


def test_every_target_has_every_precision_once():
    wanted = {(target, precision) for target in forms.TARGETS for precision in forms.PRECISIONS}
    assert sorted((form.target, form.precision) for form in forms.FORMS) == sorted(wanted)
    # NAME.onnx and NAME.xml would share one card
    assert len({form.adds for form in forms.FORMS}) == len(forms.FORMS)


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({}, "--to onnx"),
        ({"float16": True}, "--to onnx --float16"),
        ({"weights": "int8"}, "--to onnx --weights int8"),
        ({"int8": True}, "--to onnx --int8 DATA"),
    ],
)
def test_options_name_a_form(options, option):
    assert forms.form_of("onnx", **options).option == option


def test_what_does_not_go_together_is_named_with_what_does():
    with pytest.raises(UsageError) as caught:
        forms.form_of("tflite", int8=True, float16=True)
    assert caught.value.message == "--int8 DATA and --float16 do not go together"
    assert "--weights int8" in caught.value.hint
    with pytest.raises(UsageError, match="there is no form pt"):
        forms.form_of("pt")
    with pytest.raises(UsageError, match="weights cannot be int4"):
        forms.form_of("onnx", weights="int4")


def test_a_missing_extra_is_named_with_its_command(monkeypatch):
    monkeypatch.setattr(forms, "find_spec", lambda name: None if name == "litert_torch" else object())
    forms.check_extra(forms.form_of("onnx"))
    with pytest.raises(UsageError, match="needs litert_torch, which is not installed") as caught:
        forms.check_extra(forms.form_of("tflite"))
    assert caught.value.hint == extras.command("tflite")


def run(*words):
    return CliRunner().invoke(export, words, standalone_mode=False)


def test_the_list_needs_neither_a_run_nor_pytorch():
    done = run("--list", "--json")
    assert done.exception is None
    assert "--to tflite --int8 DATA" in done.stdout
    assert "Edge TPU" in run("--list").stdout.replace("\n", " ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "which run"),
        (("RUN",), "which form"),
        (("RUN", "--to", "onnx", "--qat"), "--qat prepares"),
        (("RUN", "--to", "onnx", "--minutes", "3"), "--minutes is"),
        (("RUN", "--to", "onnx", "--int8", "d", "--check", "d"), "--int8 compares"),
    ],
)
def test_half_a_wish_is_answered_with_the_other_half(words, said):
    error = run(*words).exception
    assert isinstance(error, UsageError)
    assert said in error.message
    assert error.hint
