"""POST /api/jobs with a file: a form of several parts, which is streamed to the disk.

A broker's file is loaded by and by, whatever its size; a table of orders, or of tickers, is small.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, BinaryIO, Final, TypeVar

from fastapi import Request
from pydantic import BaseModel
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from paperdesk.api.codec import parse_json
from paperdesk.api.idempotency import only_key
from paperdesk.clock import Clock
from paperdesk.errors import Busy, InvalidRequest
from paperdesk.jobs.history.kind import ImportTrades
from paperdesk.jobs.history.loading import HistoryFile, Loader
from paperdesk.jobs.history.schemas import ImportOptions
from paperdesk.jobs.kinds import FiledKind, Kinds
from paperdesk.jobs.making import Asked, Made, begin, made_before, new_job
from paperdesk.jobs.reading import read_as
from paperdesk.jobs.routes.made import make_and_tell
from paperdesk.jobs.schemas import MOST_ROWS, JobTerms
from paperdesk.jobs.telling import event_of

MEDIA_TYPE: Final = "multipart/form-data"
BODY_LIMIT: Final = 4 * 1024 * 1024 * 1024
FILE: Final = "file"
_LARGEST_TABLE: Final = 16 * 1024 * 1024
_MOST_FIELDS: Final = 32
_LARGEST_FIELD: Final = 64 * 1024
_LONGEST_NAME: Final = 128
_BLOCK: Final = 1 << 20

M = TypeVar("M", bound=BaseModel)


def form_schema() -> dict[str, Any]:
    """Return what a form may have, for the documentation."""
    fields = {
        **JobTerms.model_json_schema()["properties"],
        **ImportOptions.model_json_schema()["properties"],
        FILE: {"type": "string", "format": "binary", "description": "A broker's file, or a table"},
    }
    return {"type": "object", "properties": fields, "required": [FILE]}


async def make_of_file(request: Request, account: str) -> Made:
    """Make a job of an uploaded file.

    Raises InvalidRequest, Question or UnreadableFile for what cannot be read, Busy where the disk
    has no room for it.
    """
    state = request.app.state
    async with _form(request) as form:
        upload, terms, told = _parts(form)
        kinds: Kinds = state.job_kinds
        kind = kinds.named(terms.kind)
        size, sha256 = await asyncio.to_thread(_measure, upload.file)
        said = [terms.model_dump(mode="json"), told.model_dump(mode="json"), sha256]
        asked = Asked(
            account,
            terms,
            kind,
            key=only_key(request),
            request_sha256=hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest(),
            file_name=_file_name(upload.filename),
            file_sha256=sha256,
            options=told.model_dump(mode="json", exclude_none=True),
        )
        earlier = await made_before(state.database, asked)
        if earlier is not None:
            await form.close()
            return Made(earlier, replayed=True)
        if not isinstance(kind, ImportTrades):
            made = await _make_of_table(state, replace(asked, options=None), told, upload, size)
            await form.close()
            return made
        made = await _make_of_history(state, asked, told, form, upload.file, size)
    if not made.replayed:
        async with state.database.write() as session:
            await session.run_sync(state.feed.tell, event_of(made.job))
    return made


async def _make_of_history(
    state: Any, asked: Asked, told: ImportOptions, form: FormData, file: BinaryIO, size: int
) -> Made:
    """Make a job of a broker's file; its rows are loaded by and by."""
    clock: Clock = state.market.clock
    now = clock.now()
    history = await asyncio.to_thread(HistoryFile, file, size, told, now)
    name = asked.terms.name or asked.file_name or f"An import of {size:,} bytes"
    job = new_job(asked, name, now, is_ordered=True)
    made = await begin(state.database, job, [], now, total=None)
    if made.replayed:
        await form.close()
        return made
    loader: Loader = state.loader
    # The file is the loader's from here on, whatever else fails: nobody loads the job later.
    loader.begin(job, history)
    return made


async def _make_of_table(
    state: Any, asked: Asked, told: ImportOptions, upload: UploadFile, size: int
) -> Made:
    """Make a job of a file that has its rows as they would be sent."""
    kind, name = asked.kind, asked.terms.kind
    if not isinstance(kind, FiledKind):
        raise InvalidRequest(f"file: a job of the kind {name} takes none. Send its rows as JSON.")
    if foreign := told.model_fields_set:
        raise InvalidRequest(
            f"{min(foreign)}: says how a broker's file is read. Leave it out for {name}."
        )
    if size > _LARGEST_TABLE:
        raise InvalidRequest(
            f"file: one for {name} may have {_LARGEST_TABLE >> 20} MiB. Send several."
        )
    await upload.seek(0)
    content = await upload.read()
    # In a thread, as rows in JSON are read.
    rows = await asyncio.to_thread(kind.filed, content)
    if len(rows) > MOST_ROWS:
        raise InvalidRequest(f"file: one for {name} may have {MOST_ROWS:,} rows. Send several.")
    return await make_and_tell(state, asked, rows)


@asynccontextmanager
async def _form(request: Request) -> AsyncGenerator[FormData]:
    """Give what was sent, its file closed in the end only where an error is raised."""
    parser = _Parser(
        request.headers,
        request.stream(),
        max_files=1,
        max_fields=_MOST_FIELDS,
        max_part_size=_LARGEST_FIELD,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise InvalidRequest(f"The form is not valid: {error.message}") from error
    except UnicodeError as error:
        # There are character sets that decode nothing, and say so in a way of their own.
        raise InvalidRequest("The form is not valid: Its text is not of its charset.") from error
    except OSError as error:
        if isinstance(error, ConnectionError):
            raise
        raise Busy(f"There is no room for the file now: {error.strerror}.") from error
    try:
        yield form
    except BaseException:
        with suppress(OSError):
            await form.close()
        raise


class _Parser(MultiPartParser):
    """Reads a form, and refuses one that breaks off: its file is closed then, too."""

    _is_whole = False

    def on_end(self) -> None:
        """Note that the last boundary came."""
        self._is_whole = True

    async def parse(self) -> FormData:
        """Return the form. Raises MultiPartException."""
        form = await super().parse()
        if not self._is_whole:
            for file in self._files_to_close_on_error:
                file.close()
            raise MultiPartException("It breaks off before its end.")
        return form


def _parts(form: FormData) -> tuple[UploadFile, JobTerms, ImportOptions]:
    """Return the file, what the job is made of, and how the file is to be read."""
    fields: dict[str, Any] = {}
    upload: UploadFile | None = None
    for name, value in form.multi_items():
        if name in fields or (name == FILE and upload is not None):
            raise InvalidRequest(f"{name[:64]}: was sent twice. Send it once.")
        if isinstance(value, UploadFile):
            if name != FILE:
                raise InvalidRequest(f"{name[:64]}: send the file as the part {FILE}.")
            upload = value
        else:
            fields[name] = value
    if upload is None:
        raise InvalidRequest(f"{FILE}: is missing; send it, as a part with a filename.")
    if "columns" in fields:
        fields["columns"] = _columns(str(fields["columns"]))
    ours = {name: value for name, value in fields.items() if name in JobTerms.model_fields}
    rest = {name: value for name, value in fields.items() if name not in ours}
    terms = read_as(JobTerms, {"kind": "import_trades", **ours}, "form")
    return upload, terms, read_as(ImportOptions, rest, "form")


def _columns(text: str) -> Any:
    try:
        return parse_json(text.encode())
    except (InvalidRequest, UnicodeError) as error:
        raise InvalidRequest(
            'columns: must be a JSON object, each field once, such as {"at": "Datum"}.'
        ) from error


def _measure(file: BinaryIO) -> tuple[int, str]:
    """Return how many bytes a file has, and its SHA-256."""
    size, digest = 0, hashlib.sha256()
    file.seek(0)
    while block := file.read(_BLOCK):
        size += len(block)
        digest.update(block)
    return size, digest.hexdigest()


def _file_name(sent: str | None) -> str | None:
    """Return the last part of a name, whatever system it is of, as it can be shown."""
    last = PureWindowsPath(PurePosixPath(sent or "").name).name
    shown = "".join(character for character in last if character.isprintable())
    return shown.encode("utf-8", "replace").decode()[:_LONGEST_NAME] or None
