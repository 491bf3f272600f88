"""`paperdesk basket`, `jobs` and `job`: many orders as one piece of work, and what became of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from cyclopts import App, Parameter

from paperdesk.cli.client import Desk
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.import_rejects import save_rejects
from paperdesk.cli.job_outcomes import Outcome, show_outcomes
from paperdesk.cli.job_progress import watch
from paperdesk.cli.job_table import (
    Job,
    Row,
    read_rows,
    show_jobs,
    show_rows,
    show_summary,
    write_rejects,
)
from paperdesk.cli.options import REMOTE, Every, HowMany, Remote
from paperdesk.cli.output import OLDER, clean, say, show_json
from paperdesk.ids import new_id

IMPORT: Final = "import_trades"
_SHOWN: Final = 20
"""Rows of an estimate that are shown; `paperdesk job rows` shows more."""

jobs = App(
    name="jobs",
    help_epilogue="""\
Examples:
  paperdesk jobs
  paperdesk jobs --status running
  paperdesk jobs watch ID --rejects rejected.csv""",
)
job = App(
    name="job",
    help_epilogue="""\
Examples (`paperdesk jobs` shows the ids):
  paperdesk job show ID
  paperdesk job rows ID --status failed
  paperdesk job start ID
  paperdesk job undo ID""",
)

_Status = Literal["pending", "running", "paused", "completed", "failed", "cancelled"]
_RowStatus = Literal["pending", "processing", "completed", "failed", "skipped", "needs_review"]
AllOrNothing = Annotated[
    bool, Parameter(negative="", show_default=False, help="Book every row, or none.")
]
_Id = Annotated[str, Parameter(help="The job's id.")]
Auto = Annotated[
    bool, Parameter(negative="", show_default=False, help="Book at once, without an estimate.")
]
Key = Annotated[str | None, Parameter(help="The idempotency key. Default: a new one.")]
Rejects = Annotated[
    Path | None,
    Parameter(help="Write rows that failed to this file, with the reasons: .json, else CSV."),
]


def basket(
    *rows: Annotated[
        str, Parameter(help="A CSV or JSON file of orders; or a command in words, in quotes.")
    ],
    auto: Auto = False,
    all_or_nothing: AllOrNothing = False,
    name: Annotated[str | None, Parameter(help="What to call it.")] = None,
    key: Key = None,
    rejects: Rejects = None,
    options: Remote = REMOTE,
) -> int:
    """Make a basket of orders: estimated first, or with --auto booked at once."""
    if not rows:
        raise CommandFailed("Give a file of orders, or a command in quotes.", Exit.USAGE)
    said = " ".join(rows)
    path = Path(said)
    body = {
        "name": name,
        "mode": "auto" if auto else "confirm",
        "atomicity": "all" if all_or_nothing else "partial",
    }
    is_file = path.suffix.lower() in {".csv", ".json"} or path.is_file()
    given = {"rows": read_rows(path)} if is_file else {"original_command": said}
    return make(body | given, key=key, rejects=rejects, options=options)


def make(body: Mapping[str, Any], *, key: str | None, rejects: Path | None, options: Remote) -> int:
    """Make a job, and show its estimate; one of the mode auto is watched to its end."""
    with Desk(options) as desk:
        made = desk.post("/api/jobs", body, key=new_id() if key is None else key).read(Job)
        return follow(desk, made, rejects, options)


def follow(desk: Desk, made: Job, rejects: Path | None, options: Remote) -> int:
    """Show the estimate of a job that was made; one of the mode auto is watched to its end."""
    where = _path(made.id)
    if made.mode == "auto":
        return _watched(desk, where, rejects, options)
    found = watch(desk, where, lambda one: one.previewed_at is not None)
    if found.status != "pending":
        # Its rows could not be loaded, or somebody ended it.
        return _ended(desk, where, found, rejects, options)
    if options.json:
        show_json(desk.get(where).text)
    else:
        show_rows(desk.rows(f"{where}/rows", limit=_SHOWN).read(list[Row]))
        _show_end(desk, where, found)
    if found.kind == IMPORT:
        # What cannot be read is known by now, and stays so.
        _save(desk, where, found, rejects, options)
    if not options.json:
        say(f"Book it: paperdesk job start {found.id}   Drop it: paperdesk job delete {found.id}")
    return Exit.OK


@jobs.default
def list_jobs(
    *,
    status: Annotated[_Status | None, Parameter(help="Only those.")] = None,
    limit: HowMany = 20,
    every: Every = False,
    options: Remote = REMOTE,
) -> None:
    """Show jobs, the last made first."""
    with Desk(options) as desk:
        answer = desk.rows("/api/jobs", limit=None if every else limit, status=status)
        if options.json:
            show_json(answer.text)
            return
        found = answer.read(list[Job])
    if not found:
        say("No jobs match." if status else "No jobs yet. Make one: paperdesk basket FILE")
        return
    show_jobs(found)
    if answer.next_page:
        say(OLDER)


@jobs.command(name="watch")
def watch_job(job_id: _Id, /, *, rejects: Rejects = None, options: Remote = REMOTE) -> int:
    """Show how far a job is until it ends; exits 1 where rows failed."""
    with Desk(options) as desk:
        return _watched(desk, _path(job_id), rejects, options)


@job.command
def show(job_id: _Id, /, *, options: Remote = REMOTE) -> None:
    """Show a job."""
    with Desk(options) as desk:
        _show(desk, _path(job_id), options)


@job.command(name="rows")
def rows_of_job(
    job_id: _Id,
    /,
    *,
    status: Annotated[_RowStatus | None, Parameter(help="Only those.")] = None,
    limit: HowMany = 100,
    every: Every = False,
    options: Remote = REMOTE,
) -> None:
    """Show the rows of a job, and what came of each."""
    with Desk(options) as desk:
        answer = desk.rows(f"{_path(job_id)}/rows", limit=None if every else limit, status=status)
        if options.json:
            show_json(answer.text)
            return
        found = answer.read(list[Row])
    if not found:
        say("No rows match.")
        return
    show_rows(found)
    if answer.next_page:
        say("There are more: add --limit 500, or --all.")


@job.command
def start(job_id: _Id, /, *, rejects: Rejects = None, options: Remote = REMOTE) -> int:
    """Book a job that was estimated, and watch it."""
    return _asked(job_id, "start", options, rejects)


@job.command
def pause(job_id: _Id, /, *, options: Remote = REMOTE) -> None:
    """Have a running job wait."""
    _ask(job_id, "pause", options)


@job.command
def resume(job_id: _Id, /, *, rejects: Rejects = None, options: Remote = REMOTE) -> int:
    """Have a paused job go on, and watch it."""
    return _asked(job_id, "resume", options, rejects)


@job.command
def cancel(job_id: _Id, /, *, options: Remote = REMOTE) -> None:
    """End a job; what it booked stays."""
    _ask(job_id, "cancel", options)


@job.command
def retry(job_id: _Id, /, *, rejects: Rejects = None, options: Remote = REMOTE) -> int:
    """Try the failed rows of a job again, and watch it."""
    return _asked(job_id, "retry", options, rejects)


@job.command
def undo(job_id: _Id, /, *, options: Remote = REMOTE) -> int:
    """Take back what a job booked, and watch it; exits 1 where rows need a review."""
    with Desk(options, attempts=1) as desk:
        desk.post(f"{_path(job_id)}/undo", {})
        _watched(desk, _path(job_id), None, options)
        left = desk.rows(f"{_path(job_id)}/rows", limit=None, status="needs_review")
        count = len(left.read(list[Row]))
    if count and not options.json:
        say(f"{count:,} rows could not be taken back: see paperdesk job rows ID.")
    return Exit.REFUSED if count else Exit.OK


@job.command
def delete(job_id: _Id, /, *, options: Remote = REMOTE) -> None:
    """Delete a job with its rows and its log; what it booked stays."""
    with Desk(options) as desk:
        desk.delete(_path(job_id))
    if not options.json:
        say("Deleted. What it booked stays.")


def _ask(job_id: str, event: str, options: Remote) -> None:
    # Asked again after a lost answer, it would say that the job is past that.
    with Desk(options, attempts=1) as desk:
        answer = desk.post(f"{_path(job_id)}/{event}", {})
        if options.json:
            show_json(answer.text)
            return
        show_summary(answer.read(Job))


def _asked(job_id: str, event: str, options: Remote, rejects: Path | None) -> int:
    with Desk(options, attempts=1) as desk:
        desk.post(f"{_path(job_id)}/{event}", {})
        return _watched(desk, _path(job_id), rejects, options)


def _watched(desk: Desk, path: str, rejects: Path | None, options: Remote) -> int:
    """Watch a job to its end, show how it ended, and write down what failed."""
    return _ended(desk, path, watch(desk, path), rejects, options)


def _ended(desk: Desk, path: str, done: Job, rejects: Path | None, options: Remote) -> int:
    if options.json:
        show_json(desk.get(path).text)
    else:
        _show_end(desk, path, done)
    _save(desk, path, done, rejects, options)
    return Exit.REFUSED if done.failed_rows or done.status == "failed" else Exit.OK


def _show_end(desk: Desk, path: str, job: Job) -> None:
    """Print how a job stands; of a file also how many of its rows came to what."""
    if job.kind == IMPORT and job.total_rows and not job.undone_at:
        show_outcomes(job, desk.sum(f"{path}/outcomes").read(list[Outcome]))
    show_summary(job)


def _save(desk: Desk, path: str, job: Job, rejects: Path | None, options: Remote) -> None:
    """Write the rows that failed into a file, if there are any and it was asked for."""
    if rejects is None or not job.failed_rows:
        return
    failed = desk.each(f"{path}/rows", Row, status="failed")
    if job.kind == IMPORT:
        whole = desk.get(path).read(Job)
        saved = save_rejects(
            rejects, whole, failed, lambda: desk.each(f"{path}/rows", Row, status="skipped")
        )
        told = saved.sentences(options.account)
    else:
        rows = list(failed)
        write_rejects(rejects, rows)
        told = [f"{rejects} has the {len(rows):,} that failed, with the reasons."]
    if not options.json:
        for sentence in told:
            say(clean(sentence))


def _show(desk: Desk, path: str, options: Remote) -> None:
    answer = desk.get(path)
    if options.json:
        show_json(answer.text)
        return
    show_summary(answer.read(Job))


def _path(job_id: str) -> str:
    return f"/api/jobs/{quote(job_id, safe='')}"
