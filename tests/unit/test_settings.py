"""Settings: the layers, where each value came from, and what each bad value is answered."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from buttonhook.errors import SettingsError
from buttonhook.settings import LoadedSettings, Settings, load_settings


def load(
    folder: Path,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    file: str | None = None,
) -> LoadedSettings:
    if file is not None:
        (folder / "buttonhook.toml").write_text(file, encoding="utf-8")
    return load_settings(flags or {}, environ or {}, folder)


def test_with_nothing_set_the_defaults_hold(tmp_path: Path):
    loaded = load(tmp_path, environ={"HOME": "/", "BUTTONHOOKED": "x"})
    assert loaded.values == Settings()
    assert set(loaded.origins) == set(Settings.__struct_fields__)
    assert set(loaded.origins.values()) == {"default"}


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path):
    file = 'threads = 2\nmax_running = 3\nlog_lines = 20\nuser = "file"'
    environ = {"BUTTONHOOK_MAX_RUNNING": "4", "BUTTONHOOK_LOG_LINES": "30", "BUTTONHOOK_ALLOWED_PLUGINS": "a, b ,"}
    loaded = load(tmp_path, {"log_lines": 40, "user": None}, environ, file)
    values, origins = loaded.values, loaded.origins
    assert (values.threads, values.max_running, values.log_lines, values.user) == (2, 4, 40, "file")
    assert values.allowed_plugins == ("a", "b")
    assert [origins[name] for name in ("threads", "max_running", "log_lines", "user", "db")] == [
        "buttonhook.toml",
        "environment BUTTONHOOK_MAX_RUNNING",
        "flag",
        "buttonhook.toml",
        "default",
    ]


@pytest.mark.parametrize(
    ("url", "path"),
    [("sqlite:///x.db", "x.db"), ("sqlite:////var/x.db", "/var/x.db"), ("sqlite:///a b/%20.db", "a b/%20.db")],
)
def test_the_database_s_path_is_what_follows_three_slashes(tmp_path: Path, url: str, path: str):
    assert load(tmp_path, {"db": url}).values.database_path == Path(path)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("threads", "many", "is 'many': Expected `int`, got `str`"),
        ("threads", "0", "is 0. It must be at least 1."),
        ("max_running", "-1", "It must be at least 1."),
        ("log_lines", "9", "It must be at least 10."),
        ("log_bytes", "999", "It must be at least 1000."),
        ("lock_wait", "-0.1", "It must be at least 0."),
        ("durability", "fast", "is 'fast': Invalid enum value 'fast'"),
        ("db", "postgres://x", "is 'postgres://x'. Write it as sqlite:///FILE"),
        ("db", "sqlite:///", "Write it as sqlite:///FILE"),
        ("thread", "5", "is not known. Did you mean 'threads'?"),
        ("zzz", "5", "is not known. Known: db, "),
    ],
)
def test_a_bad_value_is_refused_naming_the_setting_and_where_it_was_set(
    tmp_path: Path, name: str, text: str, problem: str
):
    for flags, environ, origin in (
        ({name: text}, {}, "from flag"),
        ({}, {f"BUTTONHOOK_{name.upper()}": text}, "from environment"),
    ):
        with pytest.raises(SettingsError) as refused:
            load(tmp_path, flags, environ)
        message = str(refused.value)
        assert message.startswith(f"Setting {name!r}")
        assert origin in message
        assert problem in message


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("threads = '5'", "Setting 'threads' (from buttonhook.toml) is '5': Expected `int`"),
        ("db = 5", "Setting 'db' (from buttonhook.toml) is 5"),
        ("allowed_plugins = 'acme'", "Setting 'allowed_plugins' (from buttonhook.toml)"),
        ("threads = ", "Setting 'buttonhook.toml' is not TOML"),
        ("a = " + "[" * 100_000, "Setting 'buttonhook.toml' is not TOML"),
        ("[serve]\nport = 1", "Setting 'serve' (from buttonhook.toml) is not known"),
    ],
)
def test_a_file_is_taken_by_its_own_types(tmp_path: Path, file: str, problem: str):
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, file=file)
    assert problem in str(refused.value)


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path):
    (tmp_path / "buttonhook.toml").write_bytes(b'user = "\xff"')
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path)


def test_another_file_can_be_named(tmp_path: Path):
    (tmp_path / "other.toml").write_text("threads = 7", encoding="utf-8")
    loaded = load(tmp_path, environ={"BUTTONHOOK_CONFIG": "other.toml"}, file="threads = 8")
    assert (loaded.values.threads, loaded.origins["threads"]) == (7, "other.toml")
