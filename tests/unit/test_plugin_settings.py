"""The settings of a plugin: what is read from where, what is refused with which words, and that no secret shows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Struct

from buttonhook import Secret
from buttonhook.errors import PluginError, SettingsError
from buttonhook.plugin_settings import PluginSetting, PluginSettings, read_settings
from buttonhook.redaction import Redactor
from buttonhook.settings import load_settings

VALUE = "hunter2-hunter3"


class Retry(Struct, forbid_unknown_fields=True):
    count: int = 3
    token: Secret = Secret("")


class Acme(Struct, kw_only=True):
    url: str
    timeout: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    tags: list[str] = []
    password: str = ""
    token: Secret | None = None
    retry: Retry = msgspec.field(default_factory=Retry)

    def __post_init__(self) -> None:
        if self.url == "nowhere":
            raise ValueError("the url leads nowhere")
        if self.url == "careless" and self.token:
            raise ValueError(f"not with {self.token.reveal()}")


def read(
    folder: Path,
    file: str = "",
    environ: Mapping[str, str] | None = None,
    declared: Any = Acme,
    redactor: Redactor | None = None,
) -> PluginSettings:
    (folder / "buttonhook.toml").write_text(file, encoding="utf-8")
    loaded = load_settings({}, environ or {}, folder)
    return read_settings("acme", declared, loaded.values.plugins.get("acme", {}), redactor or Redactor())


def variables(**values: str) -> dict[str, str]:
    return {f"BUTTONHOOK_PLUGINS__ACME__{name.upper()}": value for name, value in values.items()}


def test_file_and_environment_fill_the_struct_and_each_value_knows_where_it_was_set(tmp_path: Path):
    file = '[plugins.acme]\nurl = "x"\ntimeout = 5\n[plugins.acme.retry]\ncount = 1\n'
    found = read(tmp_path, file, variables(tags="a, b", retry__count="7", token=VALUE))
    settings = found.struct
    assert (settings.url, settings.timeout, settings.tags, settings.retry.count) == ("x", 5.0, ["a", "b"], 7)
    assert settings.token.reveal() == VALUE
    assert {each.name: (each.value, each.origin) for each in found.shown} == {
        "plugins.acme.url": ("x", "buttonhook.toml"),
        "plugins.acme.timeout": (5.0, "buttonhook.toml"),
        "plugins.acme.tags": (["a", "b"], "environment BUTTONHOOK_PLUGINS__ACME__TAGS"),
        "plugins.acme.password": ("", "default"),
        "plugins.acme.token": ("[redacted]", "environment BUTTONHOOK_PLUGINS__ACME__TOKEN"),
        "plugins.acme.retry.count": (7, "environment BUTTONHOOK_PLUGINS__ACME__RETRY__COUNT"),
        "plugins.acme.retry.token": (None, "default"),
    }


@pytest.mark.parametrize("name", ["Acme-Guards.x", "acme_guards_x", "ACME-GUARDS-X"])
def test_a_plugins_name_may_be_written_with_dashes_and_capitals(tmp_path: Path, name: str):
    (tmp_path / "buttonhook.toml").write_text(f'[plugins."{name}"]\nurl = "x"\n', encoding="utf-8")
    environ = {"BUTTONHOOK_PLUGINS__ACME_GUARDS_X__TIMEOUT": "3"}
    assert load_settings({}, environ, tmp_path).values.plugins == {"acme_guards_x": {"url": "x", "timeout": "3"}}


@pytest.mark.parametrize(
    ("file", "environ", "message"),
    [
        (
            "",
            {},
            "'plugins.acme.url' is required and not set. Set it in [plugins.acme], or in BUTTONHOOK_PLUGINS__ACME__URL",
        ),
        ("url = 5", {}, "'plugins.acme.url' (from buttonhook.toml) is 5: expected `str`, got `int`"),
        ("url = 'x'\ntimeout = '5'", {}, "'plugins.acme.timeout' (from buttonhook.toml) is '5': expected `float`"),
        (
            "url = 'x'",
            {"timeout": "-1"},
            "(from environment BUTTONHOOK_PLUGINS__ACME__TIMEOUT) is '-1': expected `float` > 0",
        ),
        (
            "url = 'x'\ntimeuot = 5",
            {},
            "'plugins.acme.timeuot' (from buttonhook.toml) is not known. Did you mean 'timeout'?",
        ),
        ("url = 'x'\nzzz = 5", {}, "Known: url, timeout, tags, password, token, retry."),
        ("url = 'x'\ntags = [1]", {}, "'plugins.acme.tags.0' (from buttonhook.toml) is [1]: expected `str`"),
        (
            "url = 'x'\n[plugins.acme.retry]\ncoun = 5",
            {},
            "'plugins.acme.retry.coun' (from buttonhook.toml) is not known",
        ),
        ("url = 'x'\nretry = 5", {}, "'plugins.acme.retry' (from buttonhook.toml) is 5: expected `object`"),
        ("url = 'nowhere'", {}, "'plugins.acme' cannot be used: the url leads nowhere"),
    ],
)
def test_a_bad_setting_is_told_with_its_path_where_it_was_set_and_the_cure(
    tmp_path: Path, file: str, environ: dict[str, str], message: str
):
    with pytest.raises(SettingsError) as refused:
        read(tmp_path, f"[plugins.acme]\n{file}", variables(**environ))
    assert message in str(refused.value)


# --- secrets --------------------------------------------------------------------------------------


def test_a_secret_comes_from_the_environment_or_a_file_and_is_registered(tmp_path: Path):
    (tmp_path / "token").write_bytes(f"{VALUE}\n".encode())
    by_file = f"token_file = '{tmp_path / 'token'}'"
    for file, environ in (
        ("", {"token": VALUE}),
        (by_file, {}),
        ("", {"token_file": str(tmp_path / "token")}),
        ("token_file = '/nowhere'", {"token": VALUE}),
        (f"[plugins.acme.retry]\n{by_file}", {}),
    ):
        redactor = Redactor()
        found = read(tmp_path, f"[plugins.acme]\nurl = 'x'\n{file}", variables(**environ), redactor=redactor)
        token = found.struct.token or found.struct.retry.token
        assert token.reveal() == VALUE
        assert redactor.redact(f"a {VALUE} b") == "a [redacted] b"
        assert VALUE not in repr(found) + str(found.struct)
        assert PluginSetting("plugins.acme.url", "x", "buttonhook.toml") in found.shown


@pytest.mark.parametrize(
    ("file", "environ", "message"),
    [
        (
            f"token = '{VALUE}'",
            {},
            "is a secret, and must not stand in a file like this. Name a file that holds it: token_file =",
        ),
        (
            f"[plugins.acme.retry]\ntoken = '{VALUE}'",
            {},
            "'plugins.acme.retry.token' (from buttonhook.toml) is a secret",
        ),
        (f"token = ['{VALUE}']", {}, "or set BUTTONHOOK_PLUGINS__ACME__TOKEN."),
        (f"password = ['{VALUE}']", {}, "is [redacted]: expected `str`, got `array`"),
        ("", {"token": "hunt3"}, "cannot be used as a secret: it has fewer than 6 characters"),
        ("", {"token": VALUE, "token_file": "x"}, "is set beside 'plugins.acme.token_file'. Set one of them."),
        ("token_file = '/nowhere/at/all'", {}, "names '/nowhere/at/all', which cannot be read: No such file"),
        ("token_file = 5", {}, "must be the path of a file"),
        ("token_flie = 'x'", {}, "Did you mean 'token_file'?"),
    ],
)
def test_a_bad_secret_is_refused_and_never_shown(tmp_path: Path, file: str, environ: dict[str, str], message: str):
    with pytest.raises(SettingsError) as refused:
        read(tmp_path, f"[plugins.acme]\nurl = 'x'\n{file}", variables(**environ))
    assert message in str(refused.value)
    assert VALUE not in str(refused.value)
    assert "hunt3" not in str(refused.value)


class Needy(Struct):
    token: Secret


@pytest.mark.parametrize(
    ("file", "environ", "origin"),
    [
        ("", {"token": ""}, "'plugins.acme.token' (from environment BUTTONHOOK_PLUGINS__ACME__TOKEN)"),
        ("token_file = 'TOKEN'", {}, "'plugins.acme.token_file' (from buttonhook.toml)"),
    ],
)
def test_a_secret_that_is_required_is_not_empty(tmp_path: Path, file: str, environ: dict[str, str], origin: str):
    (tmp_path / "token").write_text("\n", encoding="utf-8")
    file = file.replace("TOKEN", str(tmp_path / "token"))
    with pytest.raises(SettingsError) as refused:
        read(tmp_path, f"[plugins.acme]\n{file}", variables(**environ), Needy)
    assert f"Setting {origin} is required and empty. Name a file" in str(refused.value)


def test_a_file_that_is_no_text_is_refused_without_a_byte_of_it(tmp_path: Path):
    (tmp_path / "token").write_bytes(b"hunter2\xff")
    with pytest.raises(SettingsError, match="no text in UTF-8 at byte 7") as refused:
        read(tmp_path, f"[plugins.acme]\nurl = 'x'\ntoken_file = '{tmp_path / 'token'}'")
    assert refused.value.__cause__ is None


def test_a_plugin_that_tells_its_secret_in_an_error_does_not_get_it_out(tmp_path: Path):
    with pytest.raises(SettingsError) as refused:
        read(tmp_path, "[plugins.acme]\nurl = 'careless'", variables(token=VALUE))
    assert str(refused.value) == "Setting 'plugins.acme' cannot be used: not with [redacted]."


def test_a_required_secret_that_is_missing_is_told_with_both_ways_to_set_it(tmp_path: Path):
    class Needs(Struct):
        api_token: Secret

    with pytest.raises(SettingsError) as refused:
        read(tmp_path, declared=Needs)
    assert 'api_token_file = "/run/secrets/NAME", or set BUTTONHOOK_PLUGINS__ACME__API_TOKEN.' in str(refused.value)


class Maybe(Struct):
    retry: Retry | None = None


def test_a_table_that_may_be_left_out_is_read_as_any_other_and_tells_no_secret(tmp_path: Path):
    redactor = Redactor()
    environ = variables(retry__token=VALUE)
    found = read(tmp_path, "[plugins.acme.retry]\ncount = 5", environ, declared=Maybe, redactor=redactor)
    assert (found.struct.retry.count, found.struct.retry.token.reveal()) == (5, VALUE)
    assert redactor.redact(f"with {VALUE}") == "with [redacted]"
    assert read(tmp_path, declared=Maybe).struct.retry is None
    with pytest.raises(SettingsError, match=r"plugins\.acme\.retry\.token'.* is a secret, and must not") as refused:
        read(tmp_path, f"[plugins.acme.retry]\ntoken = '{VALUE}'", declared=Maybe)
    assert VALUE not in str(refused.value)


@pytest.mark.parametrize("type_", [list[Secret], dict[str, Retry], list[Retry] | None, tuple[str, Secret]])
def test_a_secret_that_could_not_be_read_for_itself_is_refused_before_anything_is_set(tmp_path: Path, type_: Any):
    declared = msgspec.defstruct("Deep", [("inner", type_, msgspec.field(default=None))])
    with pytest.raises(
        PluginError, match=r"declares a Secret within Deep\.inner\. A Secret, and a struct that has one"
    ):
        read(tmp_path, declared=declared)


def test_what_stands_under_a_secrets_name_within_a_bad_value_is_not_told(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"is \{'password': '\[redacted\]'\}: expected `int`") as refused:
        read(tmp_path, f"[plugins.acme.hosts]\npassword = '{VALUE}'", declared=Hosts)
    assert VALUE not in str(refused.value)


class Hosts(Struct):
    hosts: dict[str, int] = {}


def test_a_host_program_gives_values_and_secrets_as_they_are():
    found = read_settings("acme", Acme, {"url": "x", "token": VALUE, "retry": {"token": Secret(VALUE)}}, Redactor())
    assert (found.struct.token.reveal(), found.struct.retry.token.reveal()) == (VALUE, VALUE)
    assert {each.origin for each in found.shown} == {"host program", "default"}


@pytest.mark.parametrize("declared", [dict, None, "Acme", Acme(url="x")])
def test_what_is_no_struct_is_refused(declared: Any):
    with pytest.raises(PluginError, match="Return a class"):
        read_settings("acme", declared, {}, Redactor())


@pytest.mark.parametrize(
    ("file", "environ", "message"),
    [
        (
            "plugins = ['acme']",
            {},
            "Setting 'plugins' (from buttonhook.toml) is no table of plugins. Say which plugins are",
        ),
        ("", {"BUTTONHOOK_PLUGINS": "acme"}, "(from environment BUTTONHOOK_PLUGINS) is no table of plugins"),
        ("", {"BUTTONHOOK_PLUGINS__ACME": "x"}, "names no field of a plugin. Write: BUTTONHOOK_PLUGINS__NAME__FIELD."),
        ("", {"BUTTONHOOK_PLUGINS____X": "x"}, "names no field of a plugin"),
    ],
)
def test_the_former_list_of_plugins_is_refused_with_its_new_name(
    tmp_path: Path, file: str, environ: dict[str, str], message: str
):
    (tmp_path / "buttonhook.toml").write_text(file, encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load_settings({}, environ, tmp_path)
    assert message in str(refused.value)


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, ZeroDivisionError, SystemExit])
def test_a_struct_that_fails_in_whatever_way_is_the_plugins_error_and_its_words_are_redacted(tmp_path: Path, kind: Any):
    class Careless(Struct):
        token: Secret

        def __post_init__(self) -> None:
            raise kind(f"not with {self.token.reveal()}")

    with pytest.raises(SettingsError, match=r"cannot be used: .*not with \[redacted\]") as raised:
        read(tmp_path, environ=variables(token=VALUE), declared=Careless)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


class Inner(Struct):
    password: str

    def __post_init__(self) -> None:
        raise RuntimeError(f"no password={self.password}")


class Listing(Struct):
    inner: list[Inner]


def test_a_struct_within_a_list_that_fails_is_the_plugins_error_too(tmp_path: Path):
    with pytest.raises(PluginError, match=r"Listing as its settings, which cannot be read: RuntimeError: no password="):
        read(tmp_path, '[[plugins.acme.inner]]\npassword = "sesame"\n', declared=Listing)
