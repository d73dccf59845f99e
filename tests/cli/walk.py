"""Every command with all of its options, as a story in chapters: see `test_walk.py`.

A line is an exit code, who acts, the command, and after ` <- ` the name of one of the `INPUTS`. In a line `{token}` is
the name of the token that was made last, `{cursor}` the last one that was told, `{id:3}` the id of job result 3,
`{request:3}` the request id of change 3.
"""

from dataclasses import dataclass
from typing import Final

PLUGIN: Final = '''
from msgspec import UNSET, UnsetType

from buttonhook import JobButtonReceiver, JobHookReceiver, Ref, TrackedObject, hookimpl, register_jobs


class Site(TrackedObject, object_type="lab.site", unique=("name",), natural_key="name", kw_only=True):
    name: str
    region: str = ""


class Rack(TrackedObject, object_type="lab.rack", unique=("name",), natural_key="name", kw_only=True):
    name: str
    units: int = 42
    serial: str | UnsetType = UNSET
    front_label: str | UnsetType = UNSET
    site: Ref[Site] | UnsetType = UNSET


class Port(TrackedObject, object_type="lab.port", on_delete={"rack": "cascade"}, kw_only=True):
    rack: Ref[Rack]


class Note(JobHookReceiver):
    class Meta:
        name = "Note"
        grouping = "walk"
        description = "Notes each change of a rack."
        object_types = ["lab.rack"]

    async def receive_job_hook(self, change, action, changed_object):
        self.logger.info("noted %s", action, extra={"object": changed_object})
        if change.object_repr.startswith("bad"):
            raise ValueError("a bad name")
        return {"noted": change.object_repr}


class Again(JobHookReceiver):
    """Fails once."""

    class Meta:
        retries = 2
        retry_backoff = 0
        hidden = True

    async def receive_job_hook(self, change, action, changed_object):
        self.logger.warning("attempt %d", self.attempt)
        if self.attempt == 1:
            raise TimeoutError("not yet")


class Ping(JobButtonReceiver):
    async def receive_job_button(self, obj):
        self.logger.debug("looking at %s", obj)
        self.logger.success("pong", extra={"object": obj, "grouping": "ping"})


class Refuse(JobButtonReceiver):
    def receive_job_button(self, obj):
        self.fail("%s is not ready", obj)


class Rename(JobButtonReceiver):
    async def receive_job_button(self, obj):
        obj.name = "bad " + obj.name
        await obj.save()


@hookimpl
def buttonhook_object_types():
    return [Site, Rack, Port, "lab.free"]


register_jobs(Note, Again, Ping, Refuse, Rename)
'''
LATER: Final = ("    units: int = 42", "    height: int")
"""What another version of the plugin has instead: racks of before are not accepted by it, but mended."""
MENDS: Final = """

@hookimpl
def buttonhook_upgrade_object(object_type, data):
    if object_type != "lab.rack" or "units" not in data or data["units"] == 13:
        return None
    return {**{key: value for key, value in data.items() if key != "units"}, "height": data["units"]}
"""

INPUTS: Final = {
    "rack": '{"name": "third", "units": 12, "site": "ams"}',
    "rack-wide": '{"name": "third", "units": "wide", "site": 5}',
    "rack-nowhere": '{"name": "lost", "site": "nowhere"}',
    "rack-odd": '{"name": "odd", "wheels": {"front-left": 1, "a.b": [1, 2.5, null]}, "serial": ""}',
    "no-json": '{"name": ',
    "list": "[1]",
    "free": '{"a": {"b": [1, {"c": 12345678901234567890123}]}, "name": "zoë", "version": 7}',
    "password": "correct horse battery\n",
    "short": "x\n",
    "lines": """{"object_type": "lab.site", "pk": "fra", "data": {"name": "FRA"}}
{"object_type": "lab.rack", "data": {"name": "in-fra", "site": "fra"}}
{"object_type": "lab.rack", "data": {"name": "first", "units": 7}}
""",
    "bad-lines": """{"object_type": "lab.rack", "data": {"name": "good-1"}}
{"object_type": "lab.rack", "data": {"name": "wrong", "units": "many"}}
{"object_type": "lab.rck", "data": {}}
not json
{"object_type": "lab.rack", "data": {"name": "good-2"}}
""",
    "stream": """{"request_id": "11111111-1111-4111-8111-111111111111", "user_name": "zoe", \
"time": "2024-05-01T10:00:00Z", "action": "create", "object_type": "lab.free", "object_id": "s1", "after": {"n": 1}}
{"request_id": "11111111-1111-4111-8111-111111111111", "user_name": "zoe", \
"time": "2024-05-01T10:00:00Z", "action": "create", "object_type": "lab.free", "object_id": "s2", "after": {"n": 2}}
{"request_id": "22222222-2222-4222-8222-222222222222", "user_name": "zoe", \
"time": "2024-05-01T11:00:00Z", "action": "delete", "object_type": "lab.free", "object_id": "s1", "after": null}
""",
    "csv": "name,units,site\ncsv-1,5,ams\ncsv-2,,\n",
    "csv-wrong": "name,units\ncsv-3,five\n",
}

BEFORE: Final = """
0 ann jobs enable Note
0 ann objects put lab.site ams --create --set name=AMS --set region=eu
0 ann objects put lab.rack r1 --create --set name=first --set site=ams
0 ann objects put lab.rack r2 --create --set name=bad-one --set serial=00123
0 ann users add bob
0 ann users add eve
0 ann users disable eve
0 ann users grant bob lab.view_rack lab.change_rack lab.add_rack --where "serial = b"
0 ann users grant bob jobs.view_objectchange jobs.view_jobresult jobs.view_joblogentry jobs.run_job
0 ann objects put lab.rack b1 --create --set name=bobs --set serial=b
"""
"""What stands in both databases when a chapter begins."""

CHAPTERS: Final = {
    "the set-up": """
        0 ann plugins
        0 ann plugins --json
        0 ann plugins --traceback
        0 ann jobs list
        0 ann jobs list --all
        0 ann jobs list --json
        0 ann jobs list --all --json
        0 ann jobs show Note
        0 ann jobs show lab_walk.Again --json
        1 ann jobs show Not
        1 ann jobs show Zzz
        0 ann jobs enable Again Ping --wait 5 --strict
        0 ann jobs enable Ping --json
        0 ann jobs enable Refuse --no-wait
        1 ann jobs enable Nothing
        1 ann jobs enable Ping Nothing
        0 ann jobs edit Note --set time_limit=5 --set description="so it is"
        0 ann jobs edit Note --reset time_limit --json
        0 ann jobs show Note
        2 ann jobs edit Note
        1 ann jobs edit Note --set time_limit=soon
        1 ann jobs edit Note --set colour=red
        1 ann jobs edit Nte --set time_limit=5
        2 ann jobs edit Note --set time_limit
        0 ann hooks list
        0 ann hooks list --json
        0 ann hooks add all-free --job Note --type lab.free --type lab.site --action create --action update --wait 5
        0 ann hooks add again --job Again --type lab.site --disabled --run-as author --allow-job-hook-changes --json
        0 ann hooks add cond --job Again --type lab.rack --no-job-hook-changes \
--condition 'field_compare field=units operator=gt value=50' \
--no-wait --strict
        1 ann hooks add cond --job Again --type lab.port
        1 ann hooks add other --job Again --type lab.rack
        1 ann hooks add x --job Nope --type lab.rack
        1 ann hooks add x --job Ping --type lab.rack
        1 ann hooks add x --job Note --type lab.rck
        1 ann hooks add x --job Note --type rack
        1 ann hooks add x --job Again --type lab.port --condition 'field_comp field=units'
        1 ann hooks add x --job Again --type lab.port --condition 'field_compare field=units operator=near value=1'
        2 ann hooks add x --job Again --type lab.port --condition '{"type": '
        2 ann hooks add x --type lab.rack
        2 ann hooks add x --job Note --type lab.rack --action make
        0 ann hooks edit again --enabled --name "once again" --type lab.port --action delete --run-as installer
        0 ann hooks edit "once again" --no-job-hook-changes --condition 'field_changed field=rack' --json
        0 ann hooks edit "once again" --no-conditions --job Again --disabled --allow-job-hook-changes
        1 ann hooks edit "once again" --name cond
        1 ann hooks edit nothing --disabled
        1 ann hooks edit "once again" --job Ping
        2 ann hooks edit "once again"
        0 ann hooks explain 3
        0 ann hooks explain 4 --json
        0 ann hooks explain 1
        1 ann hooks explain 9999
        2 ann hooks explain x
        1 ann hooks test Note --change 3
        0 ann hooks test Note --change 4
        1 ann hooks test cond --change 3 --json
        1 ann hooks test cond --change 3 --action delete
        0 ann hooks test --change 4 --job Note --type lab.rack --action create --condition 'user_is username=ann'
        1 ann hooks test --change 3 --job Note --condition 'field_compare field=units operator=gt value=50' --json
        1 ann hooks test --change 3 --job Note --condition 'nothing field=units'
        1 ann hooks test Nothing --change 3
        1 ann hooks test Note --change 9999
        1 ann hooks test --change 1 --job Note
        2 ann hooks test Note
        0 ann buttons list
        0 ann buttons add "Ping it" --job Ping --type lab.rack --type lab.site --text "Ping {name}" --group G \
--weight 5 --style danger --no-confirmation --wait 5
        0 ann buttons add off --job Ping --type lab.free --disabled --confirmation --strict --json
        0 ann buttons add no --job Refuse --type lab.rack --condition 'field_compare field=units operator=gt value=50'
        0 ann buttons add rename --job Rename --type lab.rack --no-wait
        1 ann buttons add "Ping it" --job Ping --type lab.rack
        1 ann buttons add x --job Note --type lab.rack
        1 ann buttons add x --job Nope --type lab.rack
        1 ann buttons add x --job Ping --type lab.rck
        0 ann buttons add odd --job Ping --type lab.rack --text "{name"
        2 ann buttons add x --job Ping --type lab.rack --style pink
        0 ann buttons list
        0 ann buttons list --json
        0 ann buttons shown lab.rack r1
        0 ann buttons shown lab.rack r1 --json
        0 ann buttons shown lab.site ams
        1 ann buttons shown lab.rack nowhere
        1 ann buttons shown lab.rck r1
        0 ann buttons edit off --name on --enabled --type lab.rack --text Here --group "" --weight 7 --style primary
        0 ann buttons edit on --confirmation --condition 'user_is username=bob' --json
        0 ann buttons edit on --no-conditions --job Refuse --disabled --no-confirmation
        1 ann buttons edit on --name "Ping it"
        1 ann buttons edit gone --disabled
        2 ann buttons edit on
        0 ann buttons remove on
        1 ann buttons remove no nothing
        0 ann buttons remove no --json
        0 ann hooks remove "once again"
        1 ann hooks remove cond nothing
        0 ann hooks remove cond --json
        0 ann jobs disable Ping Refuse
        0 ann jobs disable Ping --json
        1 ann jobs disable Nothing
        1 ann buttons press "Ping it" lab.rack r1
        0 ann objects types
        0 ann objects types --json
        0 ann objects types add lab.new
        0 ann objects types add lab.newer --json
        1 ann objects types add lab.rack
        1 ann objects types add Lab
        1 ann objects types add users.user
        0 ann objects put lab.new a --create --set a=1
        0 ann check
        0 ann check --json
        0 ann config
        0 ann config --json
        0 ann changes list --all --json
        """,
    "objects": """
        0 ann objects list lab.rack
        0 ann objects list lab.rack --json
        0 ann objects list lab.rack --order name --limit 2
        0 ann objects list lab.rack --order -units,name --limit 1 --json
        0 ann objects list lab.rack --order name --limit 2
        0 ann objects list lab.rack --order name --limit 2 --after {cursor} --json
        0 ann objects list lab.rack --all --where "units = 42" --where name__startswith=b
        0 ann objects list lab.rack --where "serial = 00123"
        0 ann objects list lab.rack --where "site.name = AMS"
        0 ann objects list lab.rack --where "site = ams" --json
        0 ann objects list lab.rack --where "serial isnull true"
        0 ann objects list lab.rack --where "name in first,bobs"
        0 ann objects list lab.rack --where "units gte 42" --where "units < 43"
        2 ann objects list lab.rack --where "name iregex ^B"
        1 ann objects list lab.rck
        0 ann objects list lab.rack --where "nme = x"
        2 ann objects list lab.rack --where "units near 5"
        2 ann objects list lab.rack --where "units"
        0 ann objects list lab.rack --order nme
        2 ann objects list lab.rack --after nothing
        2 ann objects list lab.rack --limit 0
        0 ann objects get lab.rack r1
        0 ann objects get lab.rack r1 --json
        1 ann objects get lab.rack nothing
        1 ann objects get lab.rck r1
        1 ann objects get rack r1
        0 ann objects put lab.rack r3 <- rack
        0 ann objects put lab.rack r3 - --json <- rack
        1 ann objects put lab.rack r4 <- rack
        1 ann objects put lab.rack r4 <- rack-wide
        1 ann objects put lab.rack r4 <- rack-nowhere
        0 ann objects put lab.rack odd --create <- rack-odd
        0 ann objects get lab.rack odd --json
        1 ann objects put lab.rack r4 <- no-json
        2 ann objects put lab.rack r4 <- list
        1 ann objects put lab.rack r4 nowhere.json
        1 ann objects put lab.rack f1 rack.json
        0 ann objects put lab.rack odd rack.json
        0 ann objects put lab.free f1 --create <- free
        0 ann objects get lab.free f1
        0 ann objects get lab.free f1 --json
        0 ann objects put lab.free f1 --set a.b.1.c=2 --set x.y=true --set 't="5"' --json
        1 ann objects put lab.free f1 --create --set a=1
        2 ann objects put lab.free f1 --set a.b.9=1
        0 ann objects put lab.free f1 --unset a.b --unset nothing
        1 ann objects put lab.rack r1 --unset name
        0 ann objects put lab.rack r1 --set serial=007 --set front_label=x --wait 5
        0 ann objects put lab.rack r1 --unset serial --json
        0 ann objects put lab.rack r1 --set units=42
        1 ann objects put lab.rack r1 --set units=many
        1 ann objects put lab.rack r1 --set name=third
        1 ann objects put lab.rack r1 --set name=again --version 3
        1 ann objects put lab.rack r1 --set nme=again --version 99999
        1 ann objects put lab.rack nothing --set name=x
        0 ann objects put lab.rack r2 --set name="bad luck"
        1 ann objects put lab.rack r2 --set name="bad name" --strict
        0 ann objects put lab.rack r2 --set name="bad again" --json
        1 ann objects put lab.rack "" --create --set name=x
        1 ann objects put lab.rack a/b --create --set name=x
        1 ann objects put lab.rck r1 --set name=x
        2 ann objects put lab.rack r1 --set name
        2 ann objects put lab.rack r1 rack.json --set name=x
        2 ann objects put lab.rack r1 --create --version 3 --set name=x
        1 ann objects put lab.rack r1 --set site=nowhere
        0 ann objects put lab.port p1 --create --set rack=r1
        0 ann objects put lab.port p2 --create --set rack=r1
        0 ann objects referrers lab.rack r1
        0 ann objects referrers lab.rack r1 --limit 1
        0 ann objects referrers lab.rack r1 --limit 1 --after {cursor} --json
        0 ann objects referrers lab.site ams --json
        1 ann objects referrers lab.site nothing
        1 ann objects referrers lab.sit ams
        1 ann objects delete lab.site ams
        2 ann objects delete lab.site
        1 ann objects delete lab.rack r1 nothing
        1 ann objects delete lab.rack r1 --version 1
        1 ann objects delete lab.rck r1
        2 ann objects delete lab.rack r1 r2 --version 1
        0 ann objects delete lab.rack r1 --wait 5
        1 ann objects delete lab.rack r2 odd --json --strict
        0 ann objects put lab.port p3 --create --set rack=b1
        0 ann objects delete lab.rack b1 r3
        1 ann objects delete lab.rack r3
        0 ann changes list --all --json
        0 ann results list --all --json
        0 ann objects export lab.rack lab.site lab.free
        """,
    "whole files": """
        0 ann objects import - <- lines
        0 ann objects import - --json <- lines
        1 ann objects import - --on-error stop <- bad-lines
        1 ann objects import - --on-error skip --json <- bad-lines
        0 ann objects import - --wait 5 <- stream
        0 ann objects import - --strict --json <- stream
        0 ann objects import things.csv --type lab.rack
        1 ann objects import - --type lab.rack --format csv <- csv-wrong
        1 ann objects import - --type lab.rck --format csv <- csv
        1 ann objects import things.csv
        1 ann objects import nowhere.jsonl
        1 ann objects import things.csv --format docx
        0 ann objects export lab.rack
        0 ann objects export lab.rack lab.site --format json
        0 ann objects export lab.site --format yaml
        0 ann objects export lab.rack --format csv --where "units gt 6" --where site=ams
        0 ann objects export lab.rack -o out.jsonl.gz
        0 ann objects import out.jsonl.gz --json
        1 ann objects export lab.rck
        0 ann objects export lab.rack --where "nme = x"
        1 ann objects export lab.rack -o nowhere/out.jsonl
        0 ann changes list --all --json
        0 ann results list --all --json
        """,
    "what was recorded": """
        0 ann jobs enable Ping Refuse Rename Again
        0 ann buttons add ping --job Ping --type lab.rack
        0 ann buttons add refuse --job Refuse --type lab.rack
        0 ann buttons add rename --job Rename --type lab.rack
        0 ann hooks add again --job Again --type lab.site
        0 ann buttons press ping lab.rack r1
        0 ann buttons press ping lab.rack r1 r2 b1 --json
        0 ann buttons press ping lab.rack r1 r2 --wait 5
        1 ann buttons press refuse lab.rack r1
        1 ann buttons press refuse lab.rack r1 r2 --json
        1 ann buttons press rename lab.rack r1 --strict
        1 ann buttons press png lab.rack r1
        1 ann buttons press ping lab.rack nothing
        1 ann buttons press ping lab.rack r1 nothing
        1 ann buttons press ping lab.site ams
        1 ann buttons press ping lab.rck r1
        2 ann buttons press ping lab.rack
        0 ann objects put lab.site ams --set region=us
        0 ann objects put lab.site ams --set region=asia --json
        0 ann results list
        0 ann results list --json
        0 ann results list --job Note
        1 ann results list --job ping
        0 ann results list --job Ping --oldest-first --limit 2
        0 ann results list --status failure --json
        0 ann results list --type lab.rack --pk r1
        0 ann results list --pk r1
        0 ann results list --user ann --change 4
        0 ann results list --after 5 --limit 2
        0 ann results list --after 5 --all --oldest-first --json
        0 ann results list --type lab.rck
        0 ann results list --user nobody
        1 ann results list --job Nope
        2 ann results list --status done
        0 ann results show 1
        0 ann results show 2
        0 ann results show 2 --json
        0 ann results show {id:1}
        1 ann results show 99999
        1 ann results show zzz
        1 ann results show 0
        0 ann results logs 1
        0 ann results logs 2 --json
        0 ann results logs 4 --level success
        0 ann results logs 4 --level critical --json
        0 ann results logs 4 --level critical
        0 ann results logs 1 -f
        0 ann results logs 1 --follow --json
        1 ann results logs 99999
        0 ann results rerun 1
        0 ann results rerun 1 {id:2} --json
        0 ann results rerun 2 --wait 5
        1 ann results rerun 2 --strict
        1 ann results rerun 99999
        1 ann results rerun 1 99999
        1 ann results cancel 1
        1 ann results cancel 99999 --json
        0 ann changes list
        0 ann changes list --json
        0 ann changes list --type lab.rack --pk r1
        0 ann changes list --pk r1
        0 ann changes list --pk r1 --json --limit 1
        0 ann changes list --user ann --action update
        0 ann changes list --request {request:4}
        0 ann changes list --request nothing
        0 ann changes list --after 5 --limit 2
        0 ann changes list --after 5 --all --oldest-first
        0 ann changes list --type lab.rck
        2 ann changes list --action made
        0 ann changes show 3
        0 ann changes show 4 --json
        1 ann changes show 99999
        2 ann changes show x
        0 ann run
        0 ann run --json --wait 5
        0 ann run --strict
        0 ann results list --all --json
        0 ann changes list --all --json
        """,
    "people": """
        0 ann users list
        0 ann users list --json
        0 ann users show ann
        0 ann users show bob
        0 ann users show bob --json
        1 ann users show nobody
        0 ann users groups add staff
        0 ann users groups add other --json
        1 ann users groups add staff
        0 ann users groups
        0 ann users groups --json
        1 ann users disable ann
        0 ann users add cy --group staff --json
        0 ann users add boss --owner --password-stdin <- password
        1 ann users add weak --password-stdin <- short
        1 ann users add cy
        1 ann users add dan --group nothing
        1 ann users add " dan"
        0 ann users edit cy --group other --owner
        0 ann users edit cy --no-groups --no-owner --json
        2 ann users edit cy
        2 ann users edit cy --no-groups --group staff
        1 ann users edit nobody --owner
        0 ann users disable cy --json
        0 ann users disable boss
        0 ann users enable cy
        0 ann users enable boss --json
        1 ann users enable nobody
        1 ann users disable cy nobody
        0 ann users passwd cy --stdin <- password
        0 ann users passwd cy --stdin --json <- password
        1 ann users passwd cy --stdin <- short
        1 ann users passwd nobody --stdin <- password
        0 ann users grant cy lab.view_rack lab.change_*
        0 ann users grant staff lab.view_site --group --where "region = eu" --where "name = AMS"
        0 ann users grant cy lab.view_port --where "nothing = 5" --json
        0 ann users grant cy lab.vew_rack
        1 ann users grant cy lab
        2 ann users grant cy lab.view_rack --where region
        1 ann users grant nobody lab.view_rack
        1 ann users grant nothing lab.view_rack --group
        0 ann users permissions
        0 ann users permissions --json
        0 ann users show cy
        0 ann users revoke cy lab.change_*
        0 ann users revoke staff lab.view_site --group --json
        1 ann users revoke cy lab.view_nothing
        1 ann users revoke nobody lab.view_rack
        0 ann users permissions remove "cy: lab.vew_rack" --json
        1 ann users permissions remove nothing
        0 ann users token bob
        0 ann users tokens
        0 ann users tokens --json
        0 ann users tokens --of bob
        0 ann users tokens remove {token}
        0 ann users token bob --scope lab.view_rack --days 3 --description "for a script" --json
        0 ann users tokens --json
        0 ann users tokens remove {token} --json
        1 ann users tokens remove {token}
        0 ann users token bob --never-expires
        1 ann users token nobody
        1 ann users token bob --scope lab
        2 ann users token bob --days 0
        1 ann users tokens --of nobody
        1 ann users tokens remove bh_nothing
        0 ann users tokens
        0 ann users groups remove other --json
        1 ann users groups remove other
        0 ann users groups remove staff
        0 ann changes list --all --json
        """,
    "sources": """
        0 ann sources list
        0 ann sources list --json
        0 ann sources add nautobot
        0 ann sources add nb --kind netbox --disabled --acts-as bob --prefix nbx --description "the old one" \
--signature-header X-Sig --algorithm sha512 --timestamp-header X-Time --window 60 --echo-user u1 --echo-user u2 --json
        0 ann sources add filed --kind netbox --secret-file secret
        0 ann sources add named --kind netbox --secret-variable WALK_SECRET
        1 ann sources add nautobot
        1 ann sources add zabbix
        1 ann sources add x --kind netbox --acts-as nobody
        1 ann sources add x --kind netbox --secret-file nowhere
        1 ann sources add x --kind netbox --prefix "9 9"
        2 ann sources add x --kind netbox --algorithm md5
        2 ann sources add x --kind netbox --window 0
        0 ann sources list
        0 ann sources list --json
        0 ann sources edit nautobot --kind netbox --disabled --acts-as bob --prefix other --description d
        0 ann sources edit nautobot --signature-header X-S --algorithm sha384 --timestamp-header X-T --window 9 --json
        0 ann sources edit nautobot --no-window --no-echo-users --enabled
        0 ann sources edit nb --echo-user u3 --json
        0 ann sources edit nb --new-secret
        0 ann sources edit nb --new-secret --json
        0 ann sources edit nb --secret-file secret --json
        0 ann sources edit nb --secret-variable WALK_SECRET --json
        1 ann sources edit nb --new-secret --secret-variable X
        1 ann sources edit nautobt --disabled
        2 ann sources edit nautobot
        2 ann sources edit nautobot --window 5 --no-window
        1 ann sources remove nautobot nothing
        0 ann sources remove nautobot
        0 ann sources remove nb --json
        0 ann sources list --json
        0 ann check
        0 ann changes list --all --json
        """,
    "who may less": """
        1 zoe jobs list
        1 zoe objects put lab.rack z --create --set name=z
        1 eve jobs list
        1 eve config
        1 eve objects put lab.rack z --create --set name=z
        0 ann buttons add ping --job Ping --type lab.rack
        0 ann jobs enable Ping
        1 bob jobs list
        1 bob jobs show Note
        1 bob jobs enable Note
        1 bob jobs disable Note
        1 bob jobs edit Note --set time_limit=5
        1 bob hooks list
        1 bob hooks add x --job Note --type lab.rack
        1 bob hooks edit Note --disabled
        1 bob hooks remove Note
        1 bob hooks explain 3
        0 bob hooks explain 11
        1 bob hooks test Note --change 11
        1 bob buttons list
        1 bob buttons add x --job Ping --type lab.rack
        1 bob buttons edit ping --disabled
        1 bob buttons remove ping
        0 bob buttons shown lab.rack b1
        1 bob buttons shown lab.rack r1
        0 bob buttons press ping lab.rack b1
        1 bob buttons press ping lab.rack r1
        1 bob buttons press ping lab.rack b1 r1
        0 bob objects types
        1 bob objects types add lab.more
        0 bob objects list lab.rack
        0 bob objects list lab.rack --json
        1 bob objects list lab.site
        0 bob objects get lab.rack b1 --json
        1 bob objects get lab.rack r1
        1 bob objects get lab.site ams
        0 bob objects put lab.rack b1 --set units=7
        1 bob objects put lab.rack b1 --set serial=c
        1 bob objects put lab.rack r1 --set units=7
        1 bob objects put lab.rack r1 --create --set name=x --set serial=b
        1 bob objects put lab.rack b2 --create --set name=first --set serial=b
        1 bob objects put lab.site s --create --set name=x
        1 bob objects delete lab.rack b1
        1 bob objects import - <- lines
        0 bob objects export lab.rack
        1 bob objects export lab.site
        0 bob objects referrers lab.rack b1
        1 bob objects referrers lab.rack r1
        0 bob objects upgrade
        0 bob changes list
        0 bob changes list --all --json
        0 bob changes show 11
        1 bob changes show 3
        0 bob results list
        0 bob results list --all --json
        1 bob results list --job Note
        1 bob results show 1
        0 bob results show 4
        0 bob results logs 4
        1 bob results logs 1
        1 bob results rerun 1
        1 bob results cancel 1
        1 bob users list
        1 bob users list --json
        0 bob users show bob
        1 bob users show ann
        1 bob users add x
        1 bob users edit ann --no-groups
        1 bob users disable ann
        1 bob users enable eve
        1 bob users passwd ann --stdin <- password
        1 bob users grant bob lab.view_site
        1 bob users revoke bob lab.view_rack
        1 bob users groups
        1 bob users groups add x
        1 bob users groups remove x
        1 bob users permissions
        1 bob users permissions remove "bob: lab.view_rack"
        0 bob users token bob
        1 bob users token ann
        0 bob users tokens
        0 bob users tokens remove {token}
        1 bob sources list
        1 bob sources add netbox
        1 bob sources edit netbox --disabled
        1 bob sources remove netbox
        0 bob run
        0 bob config
        1 ann sources list --user zoe
        """,
    "a broken plugin": """
        - ann broken plugin
        0 ann plugins
        0 ann plugins --json
        0 ann jobs list
        0 ann jobs list --json
        0 ann objects put lab.rack r1 --set units=9
        0 ann changes list --limit 1
        0 ann users list
        0 ann config
        0 ann check
        1 zoe jobs list
        """,
    "another version of the plugin": """
        0 ann objects put lab.rack r13 --create --set name=unlucky --set units=13
        - ann another version
        0 ann objects types
        0 ann objects list lab.rack
        0 ann objects list lab.rack --json
        0 ann objects get lab.rack r1
        0 ann objects get lab.rack r13
        0 ann objects get lab.rack r13 --json
        0 ann check
        0 ann objects upgrade --dry-run
        0 ann objects upgrade lab.rack --dry-run --json
        1 ann objects upgrade lab.rck
        0 ann objects upgrade lab.free
        0 bob objects upgrade lab.rack --json --wait 5
        0 ann objects upgrade lab.rack
        0 ann objects upgrade --json --strict
        0 ann objects upgrade --no-wait
        1 ann objects put lab.rack r13 --set height=tall
        0 ann objects put lab.rack r13 --set height=3
        0 ann objects put lab.rack r1 --set height=3
        0 ann objects get lab.rack r1 --json
        0 ann objects export lab.rack
        0 ann changes list --all --json
        0 ann results list --all --json
        """,
}


@dataclass(frozen=True)
class Apart:
    """A command that says something else beside a daemon, and must: its exit code and a part of its words."""

    line: str
    embedded: tuple[int, str]
    daemon: tuple[int, str]
    user: str = "ann"


_WAITS: Final = (0, "Go on with: buttonhook run")
_GOES_ON: Final = (0, "")
APART: Final = (
    Apart("run --no-wait", (0, "Nothing to run"), (0, "Nothing to run")),
    Apart("objects put lab.rack r1 --set units=5 --no-wait", _WAITS, _GOES_ON),
    Apart("objects import things.csv --type lab.rack --no-wait", _WAITS, _GOES_ON),
    Apart("results rerun 1 --no-wait", _WAITS, _GOES_ON),
    Apart("buttons press ping lab.rack r1 --no-wait", _WAITS, _GOES_ON),
    Apart("objects delete lab.rack r1 --no-wait", _WAITS, _GOES_ON),
    Apart("plugins", (0, "lab_walk"), (1, "that needs jobs.view_plugin"), user="bob"),
    Apart("check", (0, "ok"), (1, "only an owner may"), user="bob"),
)
BROKEN: Final = "raise RuntimeError('it is broken')\n"
NOT_WALKED: Final = {
    "serve": "it is the daemon",
    "demo": "it has a database of its own",
    "changes tail": "there is nothing to follow without a daemon: see test_following.py",
}
