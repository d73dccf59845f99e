"""What reaches a terminal or a pipe: safe text, stable lines, JSON that is the same value, aligned tables."""

import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from buttonhook.cli import main, tables, text
from buttonhook.cli.output import Cell, Output
from buttonhook.cli.tables import Column
from buttonhook.errors import StoreError

HOSTILE = "[red]x[/] \x1b[31mred\x1b[0m \x9b31m \u202eevil\u2066 \x00\x07\u2028"
SHOWN = r"[red]x[/] \x1b[31mred\x1b[0m \x9b31m \u202eevil\u2066 \x00\x07\u2028"


def test_what_could_steer_a_terminal_is_shown_by_its_code():
    assert text.one_line(HOSTILE) == SHOWN
    assert text.one_line("a\tb\r\nc") == r"a\tb\r\nc"
    assert text.block("a\tb\r\nc\x1b") == "a\tb\\r\nc\\x1b"
    assert (
        text.one_line("Zürich \u4e2d\u6587 \U0001f469\u200d\U0001f680")
        == "Zürich \u4e2d\u6587 \U0001f469\u200d\U0001f680"
    )


@given(st.text())
def test_no_text_has_a_control_character_left(any_text: str):
    line = text.one_line(any_text)
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in line)
    assert "\n" not in line
    line.encode("utf-8")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_is_made_safe_without_changing_its_value(any_text: str):
    encoded = json.dumps(any_text, ensure_ascii=False)
    safe = text.json_text(encoded)
    assert json.loads(safe) == any_text
    assert not any(127 <= ord(character) < 160 or character in "\u202e\u2066\u200f" for character in safe)


def test_names_from_data_stand_as_they_are(lab):
    document = json.dumps({"name": HOSTILE.replace("\x00", "")})
    shown = SHOWN.replace(r"\x00", "")
    assert shown in lab("objects", "put", "lab.rack", "evil", stdin=document).out
    assert lab("objects", "list", "lab.rack").rows()[0][1] == shown
    assert shown in lab("results", "list").out
    assert shown in lab("results", "logs", "2").out
    assert shown in lab("changes", "list").out
    assert lab("objects", "get", "lab.rack", "evil", "--json").json()["document"]["name"] == HOSTILE.replace("\x00", "")


def test_rows_in_a_pipe_are_neither_wrapped_nor_cut(lab):
    long = "x" * 500
    lab("objects", "put", "lab.rack", "r2", "--create", "--set", f"name={long}")
    assert lab("changes", "list").rows()[0][5] == long[:200], "a name is 200 characters at most"
    assert long in lab("objects", "list", "lab.rack").out
    assert long in lab("changes", "show", "4").out


def laid_out(columns: list[Column], rows: list[list[str]], width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    cells = [[Text(cell) for cell in row] for row in rows]
    return [line.plain for line in tables.lines(console, columns, cells, 0)]


def test_a_table_is_aligned():
    columns = [Column("name"), Column("count", is_right=True), Column("note")]
    assert laid_out(columns, [["a", "1", "x"], ["long", "200", "y"]], 80) == [
        "NAME  COUNT  NOTE",
        "a         1  x",
        "long    200  y",
    ]


def test_where_room_is_short_columns_that_may_be_cut_are_and_ids_stay_whole():
    columns = [Column("id"), Column("name", is_cut=True), Column("why", is_cut=True)]
    rows = [["0123456789" * 3, "n" * 40, "w" * 40]]
    assert laid_out(columns, rows, 60)[1] == f"{'0123456789' * 3}  {'n' * 13}\u2026  {'w' * 11}\u2026"
    assert laid_out(columns, rows, 20)[1].startswith("0123456789" * 3), "ids are never cut"


def test_the_last_column_may_go_on_beneath_itself():
    columns = [Column(), Column(wraps=True)]
    lines = laid_out(columns, [["words", "one two three four five six seven eight nine ten"]], 38)
    assert lines == ["words  one two three four five six", "       seven eight nine ten"]


def test_wide_characters_keep_the_columns_straight():
    rows = [["\u4e2d\u6587", "x"], ["abcd", "y"]]
    assert laid_out([Column("n"), Column("m")], rows, 40)[1:] == ["\u4e2d\u6587  x", "abcd  y"]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch, **environment: str) -> tuple[Output, Terminal]:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = Terminal()
    return Output(stream, stream), stream


def test_a_terminal_gets_symbols_colour_and_no_markup(monkeypatch: pytest.MonkeyPatch):
    out, stream = on_terminal(monkeypatch)
    out.table([Column("status"), Column("name")], [[out.status("failure"), Cell("[bold]x[/]")]])
    assert "\x1b[31m\u2717 failure\x1b[0m  [bold]x[/]" in stream.getvalue()


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch):
    out, stream = on_terminal(monkeypatch, NO_COLOR="1")
    out.table([Column("status")], [[out.status("failure")]])
    out.styled(("done", "green"))
    assert "\x1b[3" not in stream.getvalue()
    assert "\u2717 failure" in stream.getvalue()


def test_times_are_local_on_a_terminal_and_utc_in_a_pipe(monkeypatch: pytest.MonkeyPatch):
    out, _ = on_terminal(monkeypatch)
    assert len(out.time(1_700_000_000_123_456)) == len("2023-11-14 22:13:20")
    piped = Output(io.StringIO(), io.StringIO())
    assert piped.time(1_700_000_000_123_456) == "2023-11-14T22:13:20.123456Z"
    assert piped.time(None) == ""


@pytest.mark.parametrize(
    ("microseconds", "shown"),
    [(400, "0.4 ms"), (12_345, "12 ms"), (3_100_000, "3.1 s"), (125_000_000, "2 min 5 s")],
)
def test_durations_are_short(microseconds: int, shown: str):
    assert text.duration(microseconds) == shown


def test_an_error_that_nobody_foresaw_is_called_a_bug(run, monkeypatch: pytest.MonkeyPatch):
    def broken(*_):
        raise RuntimeError("something odd")

    monkeypatch.setattr("buttonhook.cli.plugins.load_registry", broken)
    done = run("plugins", code=1)
    assert done.err == (
        "Error: RuntimeError: something odd\n"
        "This is a bug of Buttonhook, please report it. BUTTONHOOK_DEBUG=1 shows where it happened.\n"
    )
    monkeypatch.setenv("BUTTONHOOK_DEBUG", "1")
    code = main.run_command(["plugins"])
    assert code == 1


def test_with_debug_a_traceback_is_shown(run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    run("jobs", "list")
    monkeypatch.setenv("BUTTONHOOK_DEBUG", "1")
    assert main.run_command(["hooks", "list"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_errors_of_ours_end_with_one_and_a_stop_by_hand_with_130(run, monkeypatch: pytest.MonkeyPatch):
    for raised, code, words in (
        (StoreError("Full."), 1, "Error: Full.\n"),
        (PermissionError(13, "Permission denied", "x.db"), 1, "Error: x.db: Permission denied\n"),
        (KeyboardInterrupt(), 130, "Stopped. What was committed stays; what waits goes on with: buttonhook run\n"),
        (BrokenPipeError(), 141, ""),
    ):

        def fails(*_, raised=raised):
            raise raised

        monkeypatch.setattr("buttonhook.cli.plugins.load_registry", fails)
        assert run("plugins", code=code).err == words


def test_help_is_for_every_command(run):
    listed = run("--help").out
    for command in main.root.commands.values():
        assert f"  {command.name} " in listed
        assert "Usage: buttonhook" in run(command.name, "--help").out
        for name in getattr(command, "commands", {}):
            assert "Usage: buttonhook" in run(command.name, name, "-h").out
    assert run("--version").out.startswith("buttonhook ")
    assert "Usage: buttonhook objects" in run("objects", code=2).err


def test_the_streams_may_be_ascii(run, monkeypatch: pytest.MonkeyPatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", errors="backslashreplace"))
    main.run_command(["demo", "--help"])
    assert not Output(sys.stdout, sys.stderr)._has_symbols
