"""A job hook that logs what changed, checks one field and puts it back when it is wrong."""

import re
from typing import Any

from buttonhook import JobHookReceiver, ObjectChange, ObjectChangeAction, register_jobs
from buttonhook_dcim import Device

# Cisco's form: three letters for the plant, year and week of the making, four characters. FOC2149X0AB
VENDOR_SERIAL = re.compile(r"[A-Z]{3}[0-9]{2}(0[1-9]|[1-4][0-9]|5[0-3])[0-9A-Z]{4}")


class SerialGuard(JobHookReceiver):
    class Meta:
        name = "Serial guard"
        description = "Puts a device's serial number back when it is none that the vendor could have given."
        grouping = "Examples"
        object_types = ["dcim.device"]
        actions = ["create", "update", "delete"]

    async def receive_job_hook(
        self, change: ObjectChange, action: ObjectChangeAction, changed_object: Device | None
    ) -> None:
        # The object may also be gone by now, although this change did not delete it.
        if action == ObjectChangeAction.DELETE or changed_object is None:
            return
        differences = change.get_snapshots()["differences"]
        self.logger.info("Differences: %s", differences)
        if "serial" not in differences["added"]:
            return
        serial = differences["added"]["serial"]
        if is_vendor_serial(serial):
            self.logger.info("Serial %r is valid", serial)
            return
        # It may also be newer than this change: then a later run of this hook looks at the newer serial.
        if changed_object.serial != serial:
            self.logger.info("Serial %r is no longer there", serial)
            return
        changed_object.serial = serial_before(differences)
        await changed_object.save()
        self.logger.warning(
            "Serial %r is not valid, put back %r", serial, changed_object.serial, extra={"object": changed_object}
        )


def is_vendor_serial(serial: Any) -> bool:
    """Whether the vendor could have given this serial; an empty one is not known yet, which is fine."""
    return serial == "" or (isinstance(serial, str) and VENDOR_SERIAL.fullmatch(serial) is not None)


def serial_before(differences: dict[str, Any]) -> str:
    """The serial to put back: the one before, or none if that was wrong too or the device is new."""
    removed = differences["removed"] or {}  # None when the change created the object
    serial = removed.get("serial")
    return serial if isinstance(serial, str) and is_vendor_serial(serial) else ""


register_jobs(SerialGuard)
