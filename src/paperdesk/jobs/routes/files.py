"""GET /api/jobs/{id}/file: what an export wrote."""

from typing import Final

from fastapi import Request, Response
from sqlalchemy import select
from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

from paperdesk.api.codec import slice_router
from paperdesk.api.deps import Db
from paperdesk.api.problems import problems
from paperdesk.errors import InvalidRequest, NotFound
from paperdesk.jobs.export.folder import ExportFolder
from paperdesk.jobs.export.kind import NAME
from paperdesk.jobs.export.schemas import ExportFormat
from paperdesk.jobs.queries import job_of
from paperdesk.jobs.routes.jobs import JobId
from paperdesk.models import JobRow
from paperdesk.users.access import Account

router = slice_router(prefix="/api/jobs", tags=["jobs"])

MEDIA_TYPES: Final = {
    ExportFormat.csv: "text/csv; charset=utf-8",
    ExportFormat.jsonl: "application/x-ndjson",
    ExportFormat.xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_BYTES: Final = {"schema": {"type": "string", "format": "binary"}}
_FILE: Final = {
    "description": "The file; its ETag is its SHA-256",
    "content": {media.partition(";")[0]: _BYTES for media in MEDIA_TYPES.values()},
}


class WholeFile(FileResponse):
    """A file, always as a whole."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, whatever range is asked for."""
        headers = [each for each in scope["headers"] if each[0] != b"range"]
        await super().__call__({**scope, "headers": headers}, receive, send)


@router.get(
    "/{job_id}/file",
    response_class=WholeFile,
    responses={200: _FILE} | problems(InvalidRequest, NotFound),
)
async def read_file(request: Request, session: Db, account: Account, job_id: JobId) -> Response:
    """Download what an export wrote. It is there for some days, or until the job is deleted."""
    folder: ExportFolder = request.app.state.exports
    job = await job_of(session, account, job_id)
    effect = await session.scalar(select(JobRow.effect).where(JobRow.job_id == job.id).limit(1))
    if job.kind != NAME or effect is None:
        raise NotFound("The job has no file: only an export that is completed has one.")
    written = ExportFormat(effect["format"])
    path = folder.file_of(job.id, written)
    if not path.is_file():
        raise NotFound(
            f"The file is gone: it is kept for {folder.kept.days} days, on the machine that wrote "
            "it. Export once more."
        )
    return WholeFile(
        path,
        media_type=MEDIA_TYPES[written],
        filename=effect["file"],
        stat_result=path.stat(),
        headers={
            "ETag": f'"{effect["sha256"]}"',
            "Accept-Ranges": "none",
            "Cache-Control": "private, no-cache",
        },
    )
