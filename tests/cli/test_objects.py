"""Objects and changes on the command line."""

from pathlib import Path

import pytest

from tests.cli.conftest import both_ways


def put(run, pk: str, *settings: str, code: int = 0):
    options = [word for setting in settings for word in ("--set", setting)]
    return run("objects", "put", "lab.rack", pk, "--create", *options, code=code)


def test_types_are_listed_and_declared(lab):
    shown = {each["object_type"]: each for each in lab("objects", "types", "--json").json()}
    assert shown["lab.rack"] == {
        "object_type": "lab.rack",
        "plugin": "lab_tools",
        "installed": True,
        "is_free": False,
        "fields": ["name", "units", "serial", "front_label"],
        "unique": [["name"]],
        "natural_key": ["name"],
        "objects": 1,
    }
    assert shown["lab.free"]["is_free"]
    assert lab("objects", "types", "add", "net.link").out == "Declared object type net.link\n"
    assert ["net.link", "this database", "0", "", "any JSON object"] in lab("objects", "types").rows()
    assert "is declared already" in lab("objects", "types", "add", "net.link", code=1).err
    assert "must be 'app.model' in small letters" in lab("objects", "types", "add", "Net.Link", code=1).err


@both_ways
def test_an_object_is_put_got_patched_and_deleted(lab):
    got = lab("objects", "get", "lab.rack", "r1", "--json").json()
    assert got["document"] == {"name": "first", "units": 42}
    assert (got["object_type"], got["pk"], got["version"], got["updated_by"]) == ("lab.rack", "r1", 3, "ann")
    assert got["updated_at"].endswith("Z")
    done = lab("objects", "put", "lab.rack", "r1", "--set", "units=48", "--set", "tags=[1,2]", "--json").json()
    assert (done["action"], done["change"]) == ("update", 4)
    assert done["object"]["document"] == {"name": "first", "units": 48, "tags": [1, 2]}
    assert lab("objects", "put", "lab.rack", "r1", "--set", "units=48").out.startswith("Nothing changed")
    lab("objects", "put", "lab.rack", "r1", "--unset", "tags", "--set", "a.b=x")
    assert lab("objects", "get", "lab.rack", "r1").rows() == [["name", "first"], ["units", "48"], ["a", '{"b":"x"}']]
    replaced = lab("objects", "put", "lab.rack", "r1", "-", "--json", stdin='{"name": "new"}').json()
    assert replaced["object"]["document"] == {"name": "new", "units": 42}
    deleted = lab("objects", "delete", "lab.rack", "r1", "--json").json()
    assert [each["action"] for each in deleted] == ["delete"]
    assert deleted[0]["prechange"] == {"name": "new", "units": 42}
    assert lab("objects", "get", "lab.rack", "r1", code=1).err == "Error: No lab.rack 'r1' exists.\n"


def test_a_write_tells_what_ran_because_of_it(lab):
    rows = put(lab, "r2", "name=second").rows()
    assert rows[0] == ["Created lab.rack r2 (second), change 4"]
    assert rows[1][:4] == ["success", "2", "Note", "lab.rack second"]


def test_text_that_looks_like_a_number_becomes_text_where_the_type_wants_text(lab):
    put(lab, "r2", "name=7", "serial=00123", "units=10")
    shown = lab("objects", "get", "lab.rack", "r2", "--json").json()["document"]
    assert shown == {"name": "7", "serial": "00123", "units": 10}


def test_a_document_comes_from_a_file(lab, lab_folder: Path):
    (lab_folder / "rack.json").write_text('{"name": "from a file", "big": 123456789012345678901234567890}')
    lab("objects", "put", "lab.rack", "r2", "rack.json")
    assert '"big": 123456789012345678901234567890' in lab("objects", "get", "lab.rack", "r2", "--json").out


@pytest.mark.parametrize(
    ("args", "stdin", "code", "words"),
    [
        (["r1", "--set", "units=many"], "", 1, "units: expected `int`, got `str`"),
        (["r2", "--set", "name=x"], "", 1, "No lab.rack 'r2' exists. To make it: buttonhook objects put"),
        (["r1", "--create", "--set", "name=x"], "", 1, "exists already. Look at it with: buttonhook objects get"),
        (["r2", "--create", "--set", "name=first"], "", 1, "cannot have name = 'first': lab.rack 'r1' has it already"),
        (["r1", "--set", "name=x", "--version", "9"], "", 1, "is stale: version 9 was expected, but its version is 3"),
        (["r1", "--version", "9"], '{"name": "x"}', 1, "is stale: version 9 was expected"),
        (["r/1", "--create", "--set", "name=x"], "", 1, "must not contain '/'"),
        (["r1"], "[1]", 2, "An object is a JSON object"),
        (["r1"], '{"name": NaN}', 1, "is not valid"),
        (["r1"], '{"name": "a", "name": "b"}', 1, "name: key stands twice in one object"),
        (["r1"], "{", 1, "not JSON at line 1"),
        (["r1", "nowhere.json"], "", 1, "nowhere.json: No such file"),
        (["r1", "--set", "name"], "", 2, "Write it as path=value"),
        (["r1", "--set", 'tags={"a'], "", 2, "not JSON"),
        (["r1", "--set", "units.x=1"], "", 2, "There is no place 'units.x'"),
        (["r1", "x.json", "--set", "a=1"], "", 2, "not both"),
        (["r1", "--version", "x", "--set", "a=1"], "", 2, "'x' is not a valid integer"),
    ],
)
def test_a_bad_write_is_told_and_nothing_is_lost(lab, args: list[str], stdin: str, code: int, words: str):
    done = lab("objects", "put", "lab.rack", *args, stdin=stdin, code=code)
    assert done.err.startswith("Error: ")
    assert words in done.err
    assert done.out == ""
    assert lab("objects", "get", "lab.rack", "r1", "--json").json()["version"] == 3
    assert len(lab("objects", "list", "lab.rack").rows()) == 1


def test_an_unknown_type_is_told_with_the_near_one(lab):
    for args in (["list", "lab.rac"], ["get", "lab.rac", "x"], ["delete", "lab.rac", "x"], ["export", "lab.rac"]):
        assert "Object type 'lab.rac' is not known. Did you mean 'lab.rack'?" in lab("objects", *args, code=1).err
    assert "buttonhook objects types add net.x" in lab("objects", "list", "net.x", code=1).err


@both_ways
def test_deleting_several_is_all_or_none(lab):
    put(lab, "r2", "name=second")
    lab("objects", "delete", "lab.rack", "r1", "r9", code=1)
    assert len(lab("objects", "list", "lab.rack").rows()) == 2
    assert "is stale" in lab("objects", "delete", "lab.rack", "r1", "--version", "9", code=1).err
    lab("objects", "delete", "lab.rack", "r1", "r2")
    assert lab("objects", "list", "lab.rack", "--json").json() == []


def test_objects_are_filtered_ordered_and_paged(lab, lab_folder: Path):
    data = '{"n": %d, "tag": "%d", "in-er": {"x": "é%d"}}'
    lines = "".join(f'{{"object_type": "lab.free", "pk": "p{n}", "data": {data % (n, n % 3, n)}}}\n' for n in range(10))
    lab("objects", "import", "-", stdin=lines)

    def pks(*args: str) -> list[str]:
        return [each["pk"] for each in lab("objects", "list", "lab.free", *args, "--json").json()]

    assert pks("--where", "n gt 7") == ["p8", "p9"]
    assert pks("--where", "n__gte=8") == ["p8", "p9"]
    assert pks("--where", "n >= 8", "--where", "n != 9") == ["p8"]
    assert pks("--where", "n in 1,3") == ["p1", "p3"]
    assert pks("--where", "pk = p4") == ["p4"]
    assert pks("--where", "tag = 0") == ["p0", "p3", "p6", "p9"], "an unquoted number means the text too"
    assert pks("--where", 'tag = "0"') == ["p0", "p3", "p6", "p9"]
    assert pks("--where", 'n = "0"') == []
    assert pks("--where", "in-er.x startswith é") == [f"p{n}" for n in range(10)]
    assert pks("--where", "in-er__x__endswith=9") == ["p9"]
    assert pks("--where", "nothing isnull true", "--limit", "1") == ["p0"]
    assert pks("--order", "-n", "--limit", "2") == ["p9", "p8"]
    assert pks("--order", "tag,-n", "--limit", "3") == ["p9", "p6", "p3"]
    assert pks("--all") == [f"p{n}" for n in range(10)]
    assert lab("objects", "list", "lab.free", "--where", "n lt 1").rows() == [
        ["p0", "lab.free p0", "4", '{"n":0,"tag":"0","in-er":{"x":"é0"}}']
    ]
    for bad in ("n", "n is 4", "n gt [1", "n isnull maybe"):
        assert lab("objects", "list", "lab.free", "--where", bad, code=2).err.startswith("Error: ")


def test_a_struct_type_is_filtered_by_field_names(lab):
    put(lab, "r2", "name=second", "units=12", "front_label=x")
    for words in ("units lt 20", "name__startswith=sec", "front_label = x", "serial isnull true"):
        found = [each["pk"] for each in lab("objects", "list", "lab.rack", "--where", words, "--json").json()]
        assert "r2" in found, words


def test_objects_their_type_no_longer_accepts_are_shown_and_told(lab, lab_folder: Path):
    plugin = lab_folder / "plugins" / "lab_tools.py"
    plugin.write_text(plugin.read_text().replace("units: int = 42", "units: str"))
    shown = lab("objects", "get", "lab.rack", "r1", "--json").json()
    assert shown["invalid"] == [{"path": "units", "message": "expected `str`, got `int`"}]
    assert "The type no longer accepts this object: units" in lab("objects", "get", "lab.rack", "r1").err
    assert "lab.rack 'r1' is no longer valid: units" in lab("check", "--json").json()["warnings"][0]
    plugin.write_text("")
    assert lab("objects", "list", "lab.rack", "--json").json()[0]["document"]["name"] == "first"
    assert lab("objects", "get", "lab.rack", "r1").rows()[0] == ["name", "first"]


def test_changes_are_listed_and_filtered(lab):
    lab("users", "add", "bob", "--owner")
    lab("objects", "put", "lab.rack", "r1", "--set", "units=48", "--user", "bob")
    put(lab, "r2", "name=second")
    rows = lab("changes", "list", "--type", "lab.rack").rows()
    assert [row[:1] + row[2:] for row in rows] == [
        ["6", "create", "lab.rack", "r2", "second", "ann", "cli"],
        ["5", "update", "lab.rack", "r1", "first", "bob", "cli"],
        ["3", "create", "lab.rack", "r1", "first", "ann", "cli"],
    ]
    shown = lab("changes", "list", "--type", "lab.rack", "--json").json()
    assert shown[1]["prechange"] == {"name": "first", "units": 42}
    assert shown[1]["postchange"] == {"name": "first", "units": 48}
    assert shown[2]["prechange"] is None
    request = shown[0]["request_id"]

    def ids(*args: str) -> list[int]:
        return [each["id"] for each in lab("changes", "list", *args, "--json").json()]

    assert ids("--pk", "r1") == [5, 3]
    assert ids("--type", "lab.free") == []
    assert ids("--user", "bob") == [5]
    assert ids("--action", "create", "--type", "lab.rack") == [6, 3]
    assert ids("--request", request) == [6]
    assert ids("--limit", "2") == [6, 5]
    assert ids("--limit", "2", "--after", "5") == [4, 3]
    assert ids("--all", "--oldest-first") == [1, 2, 3, 4, 5, 6]


def test_a_change_shows_its_differences_and_what_it_caused(lab):
    lab("objects", "put", "lab.rack", "r1", "--set", "units=48", "--set", "serial=A1")
    shown = lab("changes", "show", "4", "--json").json()
    assert shown["differences"] == {"removed": {"units": 42, "serial": None}, "added": {"units": 48, "serial": "A1"}}
    assert [each["status"] for each in shown["results"]] == ["success"]
    assert shown["cuts"] == []
    text = lab("changes", "show", "4").out
    assert 'Differences\nunits\t42\t48\nserial\t-\t"A1"\n' in text
    assert "object\tlab.rack r1 (first)\n" in text
    assert "Job results\nsuccess\t2\tNote\tlab.rack first\t" in text
    assert 'name\t"first"\n' in lab("changes", "show", "3").out
    assert lab("changes", "show", "77", code=1).err.startswith("Error: No change '77' exists.")


def test_hooks_that_were_not_run_are_told_with_the_reason(lab):
    lab("jobs", "enable", "Rename")
    lab("buttons", "add", "Rename", "--job", "Rename", "--type", "lab.rack")
    lab("hooks", "edit", "Note", "--disabled")
    lab("hooks", "add", "Sees", "--job", "Gate", "--type", "lab.free")
    lab("buttons", "press", "Rename", "lab.rack", "r1")
    renamed = lab("changes", "list", "--type", "lab.rack", "--json").json()[0]
    change = lab("changes", "show", str(renamed["id"]), "--json").json()
    assert change["change_context"] == "job"
    assert change["cause"] == lab("results", "list", "--json").json()[0]["id"]
