"""Three versions of one plugin: the second one's struct refuses what the first one stored, the third one mends it."""

V1 = """
from buttonhook import JobButtonReceiver, JobHookReceiver, TrackedObject, hookimpl, register_jobs


class Rack(TrackedObject, object_type="acme.rack", unique=("name",), kw_only=True):
    name: str
    height: str = "42"


@hookimpl
def buttonhook_object_types():
    return [Rack, "acme.note"]


class Watcher(JobHookReceiver):
    async def receive_job_hook(self, change, action, changed_object):
        self.logger.info("%s %s", action.value, type(changed_object).__name__)


class Presser(JobButtonReceiver):
    async def receive_job_button(self, obj):
        self.logger.info("pressed on %s", type(obj).__name__)


register_jobs(Watcher, Presser)
"""
V2 = "from msgspec import field\n" + V1.replace(
    '    height: str = "42"', "    height: int = 42\n    front_room: str = field(name='front-room')"
)
V3 = f"""{V2}

@hookimpl
def buttonhook_upgrade_object(object_type, data):
    if object_type != "acme.rack" or not str(data["height"]).isdigit():
        return None
    return {{**data, "height": int(data["height"]), "front-room": data.get("room", "none")}}
"""
