"""One installed package in three versions, and once not at all: each step is a process of its own."""

from tests.command_line import CommandLine, CommandResult
from tests.plugin_packages import PluginPackages
from tests.scenarios.old_racks import V1, V2, V3

TYPE = "acme.rack"


def test_a_plugin_is_upgraded_removed_and_brought_back(plugin_package: PluginPackages, cli: CommandLine):
    versions = {
        number: plugin_package("acme-racks", source, version=number).env()
        for number, source in {"1.0": V1, "2.0": V2, "3.0": V3}.items()
    }
    versions["none"] = {"PYTHONPATH": ""}

    def at(version: str, *words: str, code: int = 0) -> CommandResult:
        done = cli("--user", "ann", *words, env=versions[version])
        assert done.returncode == code, done
        return done

    def warnings_at(version: str) -> list[str]:
        told = at(version, "check", "--json").json()
        assert told["problems"] == []
        return [each for each in told["warnings"] if "acme." in each]

    # Version 1 stores.
    at("1.0", "jobs", "enable", "acme_racks.Watcher")
    at("1.0", "jobs", "enable", "acme_racks.Presser")
    at("1.0", "hooks", "add", "on racks", "--job", "Watcher", "--type", TYPE)
    at("1.0", "buttons", "add", "Press", "--job", "Presser", "--type", TYPE, "--text", "Press")
    for pk in ("r1", "r2", "r3"):
        at("1.0", "objects", "put", TYPE, pk, "--create", "--set", f"name={pk}", "--set", f"room=room {pk}")
    assert warnings_at("1.0") == []

    # Version 2 wants a number and a field more.
    at("1.0", "objects", "put", TYPE, "r1", "--set", "name=one", "--no-wait")
    shown = at("2.0", "objects", "list", TYPE, "--json").json()
    assert [each["invalid"][0]["path"] for each in shown] == ["height"] * 3
    assert "3 objects of these no longer fit the type" in at("2.0", "objects", "list", TYPE).stderr
    assert [each.partition(" is no longer valid: ")[0] for each in warnings_at("2.0")] == [
        f"acme.rack '{pk}'" for pk in ("r1", "r2", "r3")
    ]
    ran = at("2.0", "run", "--json", code=1).json()["results"]
    assert [each["status"] for each in ran] == ["failure"]
    assert "acme.rack 'r1' was not given to the receiver, for its type does not accept it: height" in ran[0]["error"]
    assert "was not given to the receiver" in at("2.0", "buttons", "press", "Press", TYPE, "r2", code=1).stdout
    assert "front-room" in at("2.0", "objects", "put", TYPE, "r2", "--set", "height=4", code=1).stderr
    at("2.0", "objects", "put", TYPE, "r2", "--set", "height=4", "--set", "front-room=x")
    at("2.0", "objects", "delete", TYPE, "r2")
    ended = at("2.0", "results", "list", "--json").json()
    assert [each["status"] for each in ended[:2]] == ["success", "success"]

    # The package is removed while a run waits.
    at("1.0", "objects", "put", TYPE, "r1", "--set", "name=uno", "--no-wait")
    assert [each["pk"] for each in at("none", "objects", "list", TYPE, "--json").json()] == ["r1", "r3"]
    kinds = {each["object_type"]: each for each in at("none", "objects", "types", "--json").json()}
    assert (kinds[TYPE]["installed"], kinds[TYPE]["objects"]) == (False, 2)
    assert at("none", "objects", "export", TYPE).stdout.count('"room":"room r') == 2
    assert (
        "is not installed; install the package"
        in at("none", "objects", "put", TYPE, "r1", "--set", "height=4", code=1).stderr
    )
    at("none", "objects", "delete", TYPE, "r3")
    waiting = at("none", "results", "list", "--json").json()
    assert [each["object_pk"] for each in waiting if each["status"] == "pending"] == ["r1"]
    assert any("Type acme.rack is not installed, but has 1 object" in each for each in warnings_at("none"))

    # Version 3 brings what is left up to date: on reading, and with the next save for good.
    ran = at("3.0", "run", "--json").json()["results"]
    assert [(each["object_pk"], each["status"]) for each in ran] == [("r1", "success")]
    got = at("3.0", "objects", "get", TYPE, "r1", "--json").json()
    assert got["document"] == {"name": "uno", "room": "room r1", "height": 42, "front-room": "room r1"}
    assert (
        "mended whenever read. Save them for good with: buttonhook objects upgrade acme.rack" in warnings_at("3.0")[0]
    )
    assert at("3.0", "objects", "upgrade", "--dry-run").stdout.startswith("Would save 1 object of acme.rack")
    assert at("3.0", "objects", "upgrade", TYPE).stdout.startswith("Saved 1 object of acme.rack, of 1 in all")
    assert at("3.0", "objects", "upgrade", TYPE).stdout == "Nothing to upgrade\n"
    assert at("3.0", "changes", "list", "--json").json()[0]["postchange"]["height"] == 42
    assert warnings_at("3.0") == []
