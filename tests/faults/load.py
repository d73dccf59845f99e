"""A program under load, made to be killed: `python -m tests.faults.load FOLDER ROUND WRITERS`.

Writers save objects with keys of their own and note each in `acked` only after the save has returned. The
receivers of the package `witness` note each begin and end in a file outside the database. Nothing is buffered: what is
in a file was done before the kill. The program ends by itself when the file `stop` is there and all has run.
With more than two writers the set-up is edited beside them.
"""

import asyncio
import os
import sys
from pathlib import Path

from buttonhook import App, ButtonhookError, open_app
from buttonhook.settings import Settings
from tests.scenarios.story import keep_books

OBJECTS = 12
WITNESS = """
import asyncio
import os
from pathlib import Path

from buttonhook import JobHookReceiver, hookimpl, register_jobs

file = os.open(os.environ["WITNESS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(word, receiver, change):
    result = receiver.job_result
    os.write(file, f"{word} {result.id} {receiver.attempt} {change.object_pk} {change.id}\\n".encode())


class Async(JobHookReceiver):
    async def receive_job_hook(self, change, action, changed_object):
        note("S", self, change)
        self.logger.info("begun")
        for _ in range(change.id % 4):
            await asyncio.sleep(0.001)
        self.logger.info("ended")
        note("E", self, change)


class Plain(JobHookReceiver):
    def receive_job_hook(self, change, action, changed_object):
        note("S", self, change)
        self.logger.info("begun")
        if change.id % 7 == 0:
            self.objects("demo.copy").update_or_create(f"of-{change.object_pk}", defaults={"change": change.id})
        self.logger.info("ended")
        note("E", self, change)


class Poison(JobHookReceiver):
    def receive_job_hook(self, change, action, changed_object):
        note("S", self, change)
        os._exit(77)


register_jobs(Async, Plain, Poison)


@hookimpl
def buttonhook_object_types():
    return ["demo.thing", "demo.copy", "demo.poison"]
"""


async def run(folder: Path, number: int, writers: int) -> None:
    settings = Settings(db=f"sqlite:///{folder / 'load.db'}", allowed_plugins=("witness",), lock_wait=5.0, user="load")
    async with open_app(settings=settings) as app:
        keep_books(app)  # so that changes are those of objects
        if not app.configuration.hooks():
            for job, object_type in (("Async", "demo.thing"), ("Plain", "demo.thing"), ("Poison", "demo.poison")):
                record, _ = await app.configuration.enable_job(job)
                await app.configuration.add_hook(job, record.id, [object_type])
        if (folder / "poison").exists() and not await app.objects("demo.poison").exists("poison"):
            await app.objects("demo.poison").create(pk="poison")
        (folder / "opened").touch()
        acked = os.open(folder / "acked", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        async with asyncio.TaskGroup() as tasks:
            for writer in range(writers):
                tasks.create_task(write(app, folder / "stop", acked, f"{number}-{writer}"))
            if writers > 2:
                tasks.create_task(edit(app, folder / "stop", acked, number))
        await app.drain()


async def write(app: App, stop: Path, acked: int, name: str) -> None:
    count = 0
    while not stop.exists():
        count += 1
        key = f"{name}-{count}"
        pk = f"thing-{count % OBJECTS}"
        try:
            await app.objects("demo.thing").update_or_create(pk, defaults={"last": key})
        except ButtonhookError as exc:  # two writers met on one object: not acknowledged, and nothing was written
            os.write(acked, f"refused {key} {type(exc).__name__}\n".encode())
        else:
            os.write(acked, f"acked {key}\n".encode())


async def edit(app: App, stop: Path, acked: int, number: int) -> None:
    """One edit of the set-up after another, each of which is a change."""
    count = 0
    while not stop.exists():
        count += 1
        key = f"{number}-{count}"
        await app.access("load").configuration.edit_job("witness.Async", description=key)
        os.write(acked, f"edited {key}\n".encode())


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
