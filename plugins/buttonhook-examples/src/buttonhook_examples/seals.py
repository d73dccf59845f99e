"""A button that needs a setting and a secret: it prints the seal for a device's label, which nobody else can make.

The seal is a keyed hash of name and serial. Whoever has the key can tell whether a label belongs to its device.
"""

import hashlib
import hmac

from msgspec import Struct

from buttonhook import JobButtonReceiver, Secret, hookimpl, register_jobs
from buttonhook_dcim import Device


class ExampleSettings(Struct, kw_only=True):
    """What an operator sets under `[plugins.examples]`, and in BUTTONHOOK_PLUGINS__EXAMPLES__SEAL_KEY."""

    seal_prefix: str = "BH"
    seal_key: Secret | None = None


class Seal(JobButtonReceiver):
    settings: ExampleSettings

    class Meta:
        name = "Seal"
        description = "Prints the seal for a device's label."
        grouping = "Examples"
        object_types = ["dcim.device"]

    async def receive_job_button(self, obj: Device) -> str | None:
        key = self.settings.seal_key
        if key is None:
            self.fail("No key is set. Put it into a file and name that: seal_key_file, under [plugins.examples].")
            return None
        seal = f"{self.settings.seal_prefix}-{seal_of(str(obj), obj.serial, key)}"
        self.logger.success("The seal of %s is %s", obj, seal, extra={"object": obj})
        return seal


def seal_of(name: str, serial: str, key: Secret) -> str:
    """Eight hexadecimal digits that only the key makes of this device."""
    # The key is taken out where it is used and nowhere else; in a log it would be shown as [redacted].
    digest = hmac.new(key.reveal().encode(), f"{name}\n{serial}".encode(), hashlib.sha256)
    return digest.hexdigest()[:8].upper()


@hookimpl
def buttonhook_settings() -> type[ExampleSettings]:
    return ExampleSettings


@hookimpl
def buttonhook_redaction_names() -> list[str]:
    """What locations have in this field; by its name alone nobody else would take it for a secret."""
    return ["door_code"]


register_jobs(Seal)
