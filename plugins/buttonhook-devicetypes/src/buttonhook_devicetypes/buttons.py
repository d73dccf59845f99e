"""A button that sums up a device type or module type."""

from typing import Any

from buttonhook import JobButtonReceiver, register_jobs
from buttonhook_dcim import DeviceType, ModuleType
from buttonhook_devicetypes.report import make_report, report_lines


class DeviceTypeReport(JobButtonReceiver):
    class Meta:
        name = "Device type report"
        description = "Counts the ports, adds up the power and converts the weight to kilograms."
        grouping = "Device types"
        object_types = ["dcim.devicetype", "dcim.moduletype"]

    async def receive_job_button(self, obj: DeviceType | ModuleType) -> dict[str, Any]:
        report = make_report(obj.document)
        for line in report_lines(report):
            self.logger.info(line, extra={"object": obj})
        return report


register_jobs(DeviceTypeReport)
