"""Two job hooks: one on the slug, one on the physical facts.

Both judge the document as this change left it, not the object as it is now, so that every change gets its own
verdict. They wait for nothing, so `async def` costs no thread.
"""

from typing import Any

from buttonhook import JobHookReceiver, ObjectChange, ObjectChangeAction, register_jobs
from buttonhook_devicetypes.rules import describe_differences, sanity_findings, slug_findings


class SlugPolicy(JobHookReceiver):
    class Meta:
        name = "Slug policy"
        description = "Logs what changed and warns when a slug is not made from manufacturer and model."
        grouping = "Device types"
        object_types = ["dcim.devicetype", "dcim.moduletype"]
        actions = ["create", "update", "delete"]

    async def receive_job_hook(self, change: ObjectChange, action: ObjectChangeAction, changed_object: Any) -> None:
        if action == ObjectChangeAction.DELETE:
            self.logger.info("%s was deleted, its slug is free", change.object_repr)
            return
        self.logger.info("Differences: %s", describe_differences(change.get_snapshots()["differences"]))
        document = change.object_data
        if change.object_type == "dcim.moduletype" and "slug" not in document:
            self.logger.info("Module types need no slug")
            return
        findings = slug_findings(document)
        for finding in findings:
            self.logger.warning(finding, extra={"object": changed_object})
        if not findings:
            self.logger.info("Slug %s keeps to the policy", document["slug"])


class SanityCheck(JobHookReceiver):
    class Meta:
        name = "Sanity check"
        description = "Warns about heights, airflows, weights and keys that cannot be right."
        grouping = "Device types"
        object_types = ["dcim.devicetype", "dcim.moduletype"]
        actions = ["create", "update", "delete"]

    async def receive_job_hook(self, change: ObjectChange, action: ObjectChangeAction, changed_object: Any) -> None:
        if action == ObjectChangeAction.DELETE:
            self.logger.info("%s was deleted, nothing to check", change.object_repr)
            return
        findings = sanity_findings(change.object_data)
        for finding in findings:
            self.logger.warning(finding, extra={"object": changed_object})
        if not findings:
            self.logger.info("%s looks sane", change.object_repr)


register_jobs(SlugPolicy, SanityCheck)
