"""Secrets are compared in constant time, or looked up by their hash: seen in what is called."""

import ast
import hmac
import json
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

import paperdesk
from support.desk import DeskClient, open_desk
from support.doors import make_webhook
from support.keys import make_admin

SOURCE = Path(paperdesk.__file__).parent
SECRET = re.compile(r"secret|token|signature|digest|hash|password|bearer|hmac", re.IGNORECASE)
COMPARED = {
    # By the database, which finds hashes of 256 random bits in an index.
    ("signals/doors.py", "Webhook.token_hash == hashed"),
}
"""Where the name of a secret stands in a comparison, and why that tells nobody anything."""

PLACES = (
    "users",
    "signals/doors.py",
    "signals/intake.py",
    "signals/signing.py",
    "api",
    "signals/routes",
)


class Calls:
    """Counts what goes on while `compare_digest` is watched."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.pairs: list[tuple[bytes, bytes]] = []
        real = hmac.compare_digest

        def watched(one: Any, other: Any) -> bool:
            self.pairs.append((one, other))
            return real(one, other)

        patch.setattr(hmac, "compare_digest", watched)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


async def test_each_key_is_compared_once_also_an_unknown_one(
    sqlite_desk: DeskClient, calls: Calls
) -> None:
    admin = await make_admin(sqlite_desk)
    key_id, secret = admin[3:13], admin[14:57]
    other = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    tries = {
        "right": (key_id, secret, 200),
        "wrong in the last character": (key_id, other, 401),
        "wrong in the first": (key_id, other[::-1], 401),
        "unknown": ("0123456789", secret, 401),
    }
    for name, (said_id, said_secret, status) in tries.items():
        for _ in range(2):
            calls.pairs.clear()
            headers = {"APCA-API-KEY-ID": said_id, "APCA-API-SECRET-KEY": said_secret}
            answer = await sqlite_desk.get("/api/prices", headers=headers)

            assert answer.status_code == status, name
            ((expected, given),) = calls.pairs
            # Bytes, and hashes of one length: text that is not ASCII raises TypeError.
            assert isinstance(expected, bytes), name
            assert isinstance(given, bytes), name
            assert len(expected) == len(given) == 64, name


async def test_every_signature_is_compared_with_every_secret(
    sqlite_desk: DeskClient, calls: Calls
) -> None:
    made = await make_webhook(sqlite_desk, mode="record", signature_required=True)
    path = f"/api/webhooks/{made['id']}/signing-secret"
    old = (await sqlite_desk.post(path, json={"grace_seconds": 60})).json()["secret"]
    await sqlite_desk.post(path, json={"grace_seconds": 60})
    now = int(sqlite_desk.app.state.desk.clock.now().timestamp())
    body = json.dumps({"ticker": "AAPL", "action": "buy", "quantity": 1})
    right = hmac.new(old.encode(), f"v1:{now}:{body}".encode(), "sha256").hexdigest()
    wrong = "0" * 64
    for signatures, status in (
        (f"v1={right},v1={wrong}", 200),
        (f"v1={wrong},v1={right}", 200),
        (f"v1={wrong},v1={wrong}", 401),
        ("v1=,\u00e4", 401),
    ):
        calls.pairs.clear()
        headers = {
            "x-paperdesk-timestamp": str(now),
            "x-paperdesk-signature": signatures.encode("latin-1"),
        }
        answer = await sqlite_desk.post(f"/hooks/{made['token']}", content=body, headers=headers)

        assert answer.status_code == status
        assert len(calls.pairs) == 4


async def test_a_token_is_never_compared_but_looked_up_by_its_hash(
    sqlite_desk: DeskClient,
) -> None:
    token = (await make_webhook(sqlite_desk, mode="record"))["token"]
    sqlite_desk.app.state.intake.doors.forget()
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        asked.append(f"{statement} {values}")

    engine = sqlite_desk.app.state.database.reader.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    for said in (token, token[:-1] + "_", "unknown"):
        await sqlite_desk.post(f"/hooks/{said}", json={"ticker": "AAPL", "action": "buy"})
    event.remove(engine, "before_cursor_execute", note)

    lookups = [each for each in asked if "token_hash =" in each]
    assert len(lookups) == 3
    assert not [each for each in asked if token in each or "unknown" in each]


def comparisons() -> list[tuple[str, str]]:
    """Return each `==` and `!=`, `in` and `not in` of what is named like a secret."""
    found: list[tuple[str, str]] = []
    for place in PLACES:
        at = SOURCE / place
        for path in [at] if at.suffix else sorted(at.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Compare):
                    continue
                if not isinstance(node.ops[0], ast.Eq | ast.NotEq):
                    continue
                sides = [node.left, *node.comparators]
                if any(isinstance(each, ast.Constant) for each in sides):
                    continue
                if any(SECRET.search(ast.unparse(each)) for each in sides):
                    found.append((str(path.relative_to(SOURCE)), ast.unparse(node)))
    return found


def test_nowhere_is_a_secret_compared_by_a_plain_operator() -> None:
    assert set(comparisons()) == COMPARED


@pytest.mark.parametrize(
    "said", ["pd_" + "x" * 50_000, "\u00e4" * 60, "pd_0123456789_" + "\u00e9" * 43, "\x00"]
)
async def test_a_key_of_odd_characters_is_just_no_key(sqlite_url: str, said: str) -> None:
    async with open_desk(sqlite_url, auth="required") as desk:
        for name in ("authorization", "apca-api-key-id", "apca-api-secret-key"):
            value = f"Bearer {said}".encode() if name == "authorization" else said.encode()
            answer = await desk.get("/api/prices", headers={name.encode(): value})
            assert answer.status_code == 401
