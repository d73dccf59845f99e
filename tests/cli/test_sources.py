"""Sources on the command line: the secret is shown once, alone, and nobody is told more than they may see."""

import pytest

from tests.cli.conftest import Command


def test_a_source_is_added_shown_changed_and_removed(run: Command):
    made = run("sources", "add", "nautobot", "--description", "the old one")
    secret = made.out.strip()
    assert secret.startswith("bhs_")
    assert "\n" not in secret
    assert made.err == (
        "Added source nautobot (nautobot): POST /api/sources/nautobot, acts as ann. "
        "Give the sender this secret; it is not shown again.\n"
    )
    assert run("sources", "list").rows() == [
        ["nautobot", "nautobot", "nautobot", "ann", "kept here", "enabled", "the old one"]
    ]
    changed = run(
        "sources", "edit", "nautobot", "--disabled", "--window", "60", "--echo-user", "bh", "--echo-user", "b2"
    )
    assert changed.out == "Changed source nautobot (nautobot): POST /api/sources/nautobot, acts as ann\n"
    (shown,) = run("sources", "list", "--json").json()
    assert (shown["enabled"], shown["window_seconds"], shown["echo_users"]) == (False, 60, ["bh", "b2"])
    assert "secret" not in shown
    other = run("sources", "edit", "nautobot", "--new-secret", "--no-window", "--no-echo-users", "--json").json()
    assert (other["window_seconds"], other["echo_users"]) == (None, [])
    assert other["secret"] != secret
    assert run("sources", "remove", "nautobot").out == "Removed source nautobot\n"
    assert run("sources", "list", "--json").json() == []
    history = run("changes", "list", "--type", "jobs.source", "--json")
    assert [each["action"] for each in history.json()] == ["delete", "update", "update", "create"]
    assert secret not in history.out
    assert other["secret"] not in history.out


def test_a_secret_from_elsewhere_is_not_shown(run: Command, tmp_path):
    (tmp_path / "secret").write_text("a secret of some length\n", encoding="utf-8")
    made = run("sources", "add", "netbox", "--secret-file", "secret", "--prefix", "nb", "--json")
    assert (made.json()["secret"], made.json()["secret_file"], made.json()["prefix"]) == (None, "secret", "nb")
    assert "some length" not in made.out
    (tmp_path / "secret").write_text("short", encoding="utf-8")
    check = run("check", code=1)
    assert "Source 'netbox' has a secret of fewer than 16 characters" in check.err


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["add", "zabbix"], 1, "Known: nautobot, netbox."),
        (["add", "netbox", "--acts-as", "bob"], 1, "No user 'bob' exists"),
        (["add", "netbox", "--secret-file", "none"], 1, "cannot be read: No such file or directory"),
        (["add", "netbox", "--algorithm", "md5"], 2, "'md5'"),
        (["edit", "nautobt", "--disabled"], 1, "Did you mean 'nautobot'?"),
        (["edit", "nautobot"], 2, "Say what to change"),
        (["edit", "nautobot", "--window", "5", "--no-window"], 2, "not both"),
        (["edit", "nautobot", "--new-secret", "--secret-variable", "X"], 1, "Choose one."),
        (["remove", "nautobot", "netbox"], 1, "No source 'netbox' exists."),
    ],
)
def test_what_cannot_be_is_told_with_the_cure(run: Command, words: list[str], code: int, part: str):
    run("sources", "add", "nautobot")
    assert part in run("sources", *words, code=code).err
    assert [row[0] for row in run("sources", "list").rows()] == ["nautobot"]


def test_who_may_see_no_sources_is_told_so(run: Command):
    run("sources", "add", "nautobot")
    run("users", "add", "bob")
    assert "that needs jobs.view_source" in run("--user", "bob", "sources", "list", code=1).err
    for words in (["add", "netbox"], ["edit", "nautobot", "--disabled"], ["remove", "nautobot"]):
        done = run("--user", "bob", "sources", *words, code=1)
        assert done.out == ""
