"""The whole schema, tried by schemathesis: as the owner, as a user who may do nothing, and with no token.

No answer is a 5xx, none is undocumented or of another shape than the schema has, what the schema allows is accepted and
what it forbids refused, and nothing that asks for a login is open without one.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from tests.api.world import World, opened_world

HERE = Path(__file__).parent
EXAMPLES = 3
"""How many random requests to each operation; those that its schema and its bounds give come on top."""
OTHER_TYPES = r"/api/objects/(?!dcim\.device(/|$)|\{)"
"""The paths of all types but one: they are the same routes. The long run tries them, too."""


@pytest.mark.parametrize("who", ["owner", "stranger", "nobody"])
async def test_the_daemon_does_what_its_schema_says(who: str, tmp_path: Path, rounds: int):
    async with opened_world(tmp_path) as world:
        owner = await world.served.owner()
        (tmp_path / "schema.json").write_bytes((await owner.get("/api/schema")).content)
        asker = {"owner": owner, "stranger": await world.served.user("bob"), "nobody": await world.served.client()}[who]
        code, told = await schemathesis(world, who, asker.headers.get("authorization"), rounds)
        assert code == 0, told
        assert "Operations:" in told


async def schemathesis(world: World, who: str, authorization: str | None, rounds: int) -> tuple[int, str]:
    """Run it in a process of its own; its exit code and what it told."""
    is_short = rounds == 1 and who != "owner"  # nearly all that the others are told is that they may not
    phases = "examples,fuzzing" if is_short else "examples,coverage,fuzzing"
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")),
        *("run", "schema.json", "--url", world.served.url, "--checks", "all"),
        *("--phases", phases, "--max-examples", str(EXAMPLES * rounds)),
        *("--no-color", "--continue-on-failure", "--warnings", "off"),
        *(("--exclude-path-regex", OTHER_TYPES) if rounds == 1 else ()),
        *(("--generation-deterministic",) if rounds == 1 else ("--generation-database", "none")),
        *(() if authorization is None else ("--header", f"Authorization: {authorization}")),
    ]
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks",
        "PYTHONPATH": str(HERE.parent.parent),
        "BUTTONHOOK_NAMES": json.dumps(names(world)),
        "BUTTONHOOK_ASKER": who,
    }
    process = await asyncio.create_subprocess_exec(
        *command, cwd=world.folder, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, told.decode("utf-8", "replace")


def names(world: World) -> dict[str, dict[str, list[str]]]:
    """By the beginning of a path: the names of what is there."""
    things = world.things
    done, held = things["results"].plain, world.held
    return {
        "/api/job-results/": {"id": [done, held], "result": [done, held]},
        "/api/objects/": {"object_type": ["demo.thing"], "pk": ["a", "b"]},
        "/api/jobs/": {"name": ["Greet", "Note"]},
        "/api/object-changes/": {"change": [things["changes"].plain]},
        **{
            f"/api/{path}/": {"name": [things[kind].plain]}
            for path, kind in (
                *(("users", "users"), ("groups", "groups"), ("permissions", "permissions"), ("tokens", "tokens")),
                *(("job-buttons", "buttons"), ("job-hooks", "hooks"), ("sources", "sources"), ("plugins", "plugins")),
            )
        },
    }
