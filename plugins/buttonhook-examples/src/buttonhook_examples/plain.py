"""The same receivers as plain `def`, for code that blocks: vendor libraries, SSH, subprocesses.

A plain method runs in a worker thread, where `save()` and queries return when they are done and nothing is awaited.
To a type checker they are awaitables all the same, hence `Any` on what is saved here.
"""

from typing import Any

from buttonhook import JobButtonReceiver, JobHookReceiver, ObjectChange, ObjectChangeAction, register_jobs
from buttonhook_dcim import Device, Location
from buttonhook_examples.buttons import cloned_device, cloned_location, require_permission
from buttonhook_examples.hooks import is_vendor_serial, serial_before


class PlainHello(JobButtonReceiver):
    class Meta:
        name = "Hello (plain)"
        description = "Logs who pressed the button and on what."
        grouping = "Examples in plain def"
        object_types = ["dcim.location", "dcim.device"]

    def receive_job_button(self, obj: object) -> None:
        self.logger.info("%s was pressed by %s", obj, self.user, extra={"object": obj})
        self.logger.success("Nothing else to do")


class PlainClone(JobButtonReceiver):
    class Meta:
        name = "Clone (plain)"
        description = "Adds another location or device like this one, if the presser may add such."
        grouping = "Examples in plain def"
        object_types = ["dcim.location", "dcim.device"]

    def receive_job_button(self, obj: object) -> str:
        clone: Any
        if isinstance(obj, Location):
            require_permission(self, "dcim.add_location", obj)
            clone = cloned_location(obj)
        elif isinstance(obj, Device):
            require_permission(self, "dcim.add_device", obj)
            clone = cloned_device(obj)
        else:
            raise TypeError(f"Clone takes locations and devices, not objects of type {type(obj).__name__}.")
        clone.save()
        self.logger.success("Added %s", clone, extra={"object": clone})
        return str(clone)


class PlainSerialGuard(JobHookReceiver):
    class Meta:
        name = "Serial guard (plain)"
        description = "Puts a device's serial number back when it is none that the vendor could have given."
        grouping = "Examples in plain def"
        object_types = ["dcim.device"]
        actions = ["create", "update", "delete"]

    def receive_job_hook(self, change: ObjectChange, action: ObjectChangeAction, changed_object: Any) -> None:
        if action == ObjectChangeAction.DELETE or changed_object is None:
            return
        differences = change.get_snapshots()["differences"]
        self.logger.info("Differences: %s", differences)
        serial = differences["added"].get("serial", "")
        if is_vendor_serial(serial) or changed_object.serial != serial:
            return
        changed_object.serial = serial_before(differences)
        changed_object.save()
        self.logger.warning(
            "Serial %r is not valid, put back %r", serial, changed_object.serial, extra={"object": changed_object}
        )


register_jobs(PlainHello, PlainClone, PlainSerialGuard)
