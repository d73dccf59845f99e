"""A condition preset: a plain function of plain values that operators can ask for in their job hooks.

It is judged inside the commit of every change that a hook with such a row covers: quick, synchronous, no I/O.
"""

from buttonhook import hookimpl
from buttonhook.conditions import Answer, Payload, Preset, Values, compare
from buttonhook.documents import encode, read_path, split_path


def list_gained(payload: Payload, values: Values) -> Answer:
    """Whether an update added a member to a list. Members are compared as conditions do: 1 and "1" are the same."""
    field, member = values["field"], values["member"]
    if payload.prechange is None or payload.postchange is None:
        return Answer(False, f"list {field} can only gain in an update")
    steps = split_path(field)
    before, after = read_path(payload.prechange, steps), read_path(payload.postchange, steps)
    # What is no list has no members: a list that was unset before has gained all that is in it now.
    if not (isinstance(after, list) and compare(after, "contains", member)):
        return Answer(False, f"{encode(member)} is not in {field}")
    if isinstance(before, list) and compare(before, "contains", member):
        return Answer(False, f"{encode(member)} was in {field} before")
    return Answer(True, f"{field} gained {encode(member)}")


@hookimpl
def buttonhook_condition_presets() -> list[Preset]:
    return [
        Preset(
            "list_gained",
            list_gained,
            ("field", "member"),
            description="An update added this member to the list.",
            of_updates=True,
        )
    ]
