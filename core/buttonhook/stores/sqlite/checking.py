"""What `buttonhook check` asks of a database: each question with the sentence for what it finds."""

from collections.abc import Callable
from typing import Any, Final

Describe = Callable[[Any], str]
Question = tuple[Describe, str]

PROBLEMS: Final[tuple[tuple[Describe, str], ...]] = (
    (lambda row: f"integrity: {row[0]}", "SELECT * FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
    (
        lambda row: f"table {row[0]}, row {row[1]} refers to a missing {row[2]}",
        "SELECT * FROM pragma_foreign_key_check",
    ),
    (
        lambda row: f"{row[0]} {row[1]!r} has version {row[2]}, but its last change is {row[3]}",
        "SELECT object.object_type, object.pk, object.version, max(object_change.id) AS last FROM object "
        "JOIN object_change ON object_change.object_type = object.object_type AND object_change.object_pk = object.pk "
        "GROUP BY object.object_type, object.pk HAVING last <> object.version LIMIT 20",
    ),
    (
        lambda row: f"{row[0]} {row[1]!r} is not what change {row[2]} left",
        "SELECT object.object_type, object.pk, object.version FROM object JOIN object_change "
        "ON object_change.id = object.version WHERE object_change.postchange IS NOT object.document LIMIT 20",
    ),
    (
        lambda row: f"job result {row[0]} names change {row[1]}, which does not exist",
        "SELECT job_result.id, job_result.change_id FROM job_result LEFT JOIN object_change "
        "ON object_change.id = job_result.change_id "
        "WHERE job_result.change_id IS NOT NULL AND object_change.id IS NULL LIMIT 20",
    ),
    (
        lambda row: f"the log of job result number {row[0]}, attempt {row[1]} lacks entries: {row[2]} of {row[3]}",
        "SELECT number, attempt, count(*) AS held, max(seq) AS last FROM job_log_entry GROUP BY number, attempt "
        "HAVING held <> last AND NOT max(logger = 'buttonhook.capture') LIMIT 20",
    ),
    (
        lambda row: f"{row[2]} {row[3]!r} refers by {row[4]} to {row[0]} {row[1]!r}, which does not exist",
        "SELECT held.* FROM object_reference AS held LEFT JOIN object ON object.object_type = held.target_type "
        "AND object.pk = held.target_pk WHERE object.pk IS NULL LIMIT 20",
    ),
    (
        lambda row: f"{row[2]} {row[3]!r} is held to refer by {row[4]} to {row[0]} {row[1]!r}, but does not",
        "SELECT held.* FROM object_reference AS held LEFT JOIN object ON object.object_type = held.object_type "
        "AND object.pk = held.pk WHERE object.pk IS NULL "
        "OR NOT EXISTS (SELECT 1 FROM json_each(object.document) AS member WHERE member.key = held.field "
        "AND member.value = held.target_pk) LIMIT 20",
    ),
    (
        lambda row: f"{row[0]} {row[1]!r} refers by {row[2]} to {row[3]} {row[4]!r}, but the index lacks it",
        "WITH covered AS (SELECT config.id AS object_type, "
        "substr(entry.value, 1, instr(entry.value, '>') - 1) AS field, "
        "substr(entry.value, instr(entry.value, '>') + 1) AS target FROM config, "
        "json_each(config.document, '$.references') AS entry WHERE config.kind = 'unique_index') "
        "SELECT object.object_type, object.pk, covered.field, covered.target, member.value FROM covered "
        "JOIN object ON object.object_type = covered.object_type "
        "JOIN json_each(object.document) AS member ON member.key = covered.field AND member.type = 'text' "
        "LEFT JOIN object_reference AS held ON held.target_type = covered.target AND held.target_pk = member.value "
        "AND held.object_type = object.object_type AND held.pk = object.pk AND held.field = covered.field "
        "WHERE held.pk IS NULL LIMIT 20",
    ),
    (
        lambda row: f"the unique value of {row[0]} {row[1]} is held by {row[2]!r}, which does not exist",
        "SELECT held.object_type, held.fields, held.pk FROM object_unique AS held LEFT JOIN object "
        "ON object.object_type = held.object_type AND object.pk = held.pk WHERE object.pk IS NULL LIMIT 20",
    ),
)

COUNTS: Final[tuple[tuple[str, str], ...]] = (
    ("objects", "SELECT count(*) FROM object"),
    ("changes", "SELECT count(*) FROM object_change"),
    ("job results", "SELECT count(*) FROM job_result"),
    ("waiting job results", "SELECT count(*) FROM job_result WHERE ended_at IS NULL"),
    ("log entries", "SELECT count(*) FROM job_log_entry"),
)
