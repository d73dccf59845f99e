"""Three buttons: one that logs, one that asks for permission, one that refuses with a reason."""

from buttonhook import JobButtonReceiver, register_jobs
from buttonhook_dcim import Device, Location


class Hello(JobButtonReceiver):
    class Meta:
        name = "Hello"
        description = "Logs who pressed the button and on what."
        grouping = "Examples"
        object_types = ["dcim.location", "dcim.device"]

    async def receive_job_button(self, obj: object) -> None:
        # With `extra` the line links to the object it is about.
        self.logger.info("%s was pressed by %s", obj, self.user, extra={"object": obj})
        self.logger.success("Nothing else to do")


class Clone(JobButtonReceiver):
    class Meta:
        name = "Clone"
        description = "Adds another location or device like this one, if the presser may add such."
        grouping = "Examples"
        object_types = ["dcim.location", "dcim.device"]

    async def receive_job_button(self, obj: object) -> str:
        clone: Location | Device
        if isinstance(obj, Location):
            require_permission(self, "dcim.add_location", obj)
            clone = cloned_location(obj)
        elif isinstance(obj, Device):
            require_permission(self, "dcim.add_device", obj)
            clone = cloned_device(obj)
        else:
            # A button can be shown on types that its receiver was not written for.
            raise TypeError(f"Clone takes locations and devices, not objects of type {type(obj).__name__}.")
        await clone.save()
        self.logger.success("Added %s", clone, extra={"object": clone})
        return str(clone)


class Decommission(JobButtonReceiver):
    class Meta:
        name = "Decommission"
        description = "Takes a device out of its rack; refuses while the device is active."
        grouping = "Examples"
        object_types = ["dcim.device"]

    async def receive_job_button(self, obj: Device) -> None:
        if obj.status == "active":
            # fail() logs the reason and makes the result a failure; the method itself goes on.
            self.fail("%s is active. Set its status to 'offline' first.", obj, extra={"object": obj})
            return
        obj.status = "decommissioning"
        obj.rack = obj.position = None
        await obj.save()
        self.logger.success("%s is out of its rack", obj, extra={"object": obj})


def require_permission(job: JobButtonReceiver, permission: str, obj: object) -> None:
    """Log the refusal and raise, unless the presser holds the permission."""
    if job.user.has_perm(permission):
        return
    reason = f"User '{job.user}' does not have the permission {permission}."
    job.logger.error(reason, extra={"object": obj})
    raise PermissionError(reason)


def cloned_location(location: Location) -> Location:
    """Make an unsaved location beside this one."""
    return Location(
        name=f"{location.name} copy",
        location_type=location.location_type,
        parent=location.parent,
        time_zone=location.time_zone,
    )


def cloned_device(device: Device) -> Device:
    """Make an unsaved device like this one, without what only one device can have: serial, tag, rack place."""
    return Device(
        name=f"{device.name}-copy",
        status="planned",
        device_type=device.device_type,
        role=device.role,
        platform=device.platform,
        location=device.location,
    )


register_jobs(Hello, Clone, Decommission)
