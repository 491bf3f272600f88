"""Who turned a kill switch on decides who turns it off, and each sees what stops his own."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from paperdesk.models import DeskMeta
from support.desk import DeskClient
from support.hooks import audited, make_hook
from support.keys import bearer, make_admin, make_key

NOT_YOURS = "The administrator of the desk turned this kill switch on."


class Keys:
    """The keys of a desk with the accounts `default` and another."""

    def __init__(self, desk: DeskClient, admin: str) -> None:
        self.desk = desk
        self.admin = admin
        self.other = ""
        self.own = ""
        """Manages webhooks of `default` alone."""
        self.second = ""
        """Another one of `default`."""
        self.own_admin = ""
        """May do everything, on `default` alone."""
        self.every = ""
        """Manages webhooks of every account."""

    async def turn(
        self, key: str, *, on: bool, account: str | None = None, **more: Any
    ) -> httpx2.Response:
        headers = bearer(key) | ({"X-Account": account} if account else {})
        return await self.desk.post("/api/killswitch", json={"on": on, **more}, headers=headers)

    async def on(self) -> list[tuple[str | None, str | None]]:
        """Return of whom switches are on, and by whose authority."""
        answer = await self.desk.get("/api/killswitch", headers=bearer(self.admin))
        return [(each["account_id"], each["by"]) for each in answer.json()]


@pytest.fixture
async def keys(desk: DeskClient) -> Keys:
    keys = Keys(desk, await make_admin(desk))
    opening = {"name": "b", "cash_balance": 5_000}
    opened = await desk.post("/api/accounts", json=opening, headers=bearer(keys.admin))
    keys.other = opened.json()["id"]
    for name, scope, account in (
        ("own", "webhook", "default"),
        ("second", "webhook", "default"),
        ("own_admin", "admin", "default"),
        ("every", "webhook", None),
    ):
        made = await make_key(desk, scope, by=keys.admin, account_id=account)
        setattr(keys, name, made["key"])
    return keys


async def test_what_the_administrator_stopped_no_key_of_the_account_sets_going(keys: Keys) -> None:
    assert (await keys.turn(keys.admin, on=True, account="default", reason="no")).is_success
    for key in (keys.own, keys.own_admin):
        # Turning on what is on makes it nobody else's.
        assert (await keys.turn(key, on=True)).is_success
        refused = await keys.turn(key, on=False)
        assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN")
        assert NOT_YOURS in refused.json()["detail"]
    assert (await keys.turn(keys.every, on=False, account="default")).status_code == 403
    assert await keys.on() == [("default", "desk")]
    assert (await keys.turn(keys.admin, on=False, account="default")).is_success
    assert await keys.on() == []
    lines = await audited(keys.desk, "killswitch.")
    assert [line.action for line in lines] == ["killswitch.engaged", "killswitch.released"]


async def test_what_the_account_stopped_its_keys_and_the_administrator_set_going(
    keys: Keys,
) -> None:
    for key, account in ((keys.second, None), (keys.own_admin, None), (keys.admin, "default")):
        assert (await keys.turn(keys.own, on=True)).is_success
        assert await keys.on() == [("default", "account")]
        assert (await keys.turn(key, on=False, account=account)).is_success
        assert await keys.on() == []


async def test_the_administrator_takes_over_what_the_account_stopped(keys: Keys) -> None:
    # With what looks like the mark of an account in the reason.
    said = '{"by": "account"}'
    await keys.turn(keys.own, on=True, reason=said)
    await keys.turn(keys.admin, on=True, account="default", reason=said)
    assert await keys.on() == [("default", "desk")]
    assert (await keys.turn(keys.own, on=False)).status_code == 403
    await keys.turn(keys.admin, on=True, account="default", reason="later")
    (shown,) = (await keys.desk.get("/api/killswitch", headers=bearer(keys.own))).json()
    assert shown["reason"] == said


async def test_only_the_administrator_touches_the_switch_of_the_desk(keys: Keys) -> None:
    for on in (True, False):
        refused = await keys.turn(keys.every, on=on)
        assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN")
        assert "the whole desk" in refused.json()["detail"]
    assert await keys.on() == []
    await keys.turn(keys.admin, on=True)
    # A key of an account turns its account's, whatever it may do there.
    assert (await keys.turn(keys.own_admin, on=False)).json()["account_id"] == "default"
    assert await keys.on() == [(None, "desk")]
    assert (await keys.turn(keys.admin, on=False)).is_success
    assert await keys.on() == []


async def test_an_open_desk_is_the_administrators(desk: DeskClient) -> None:
    await desk.post("/api/killswitch", json={"on": True, "account_id": "default"})
    admin = await make_admin(desk)
    own = (await make_key(desk, "webhook", by=admin, account_id="default"))["key"]
    refused = await desk.post("/api/killswitch", json={"on": False}, headers=bearer(own))
    assert refused.status_code == 403


async def test_a_switch_from_before_it_was_noted_who_is_the_administrators(keys: Keys) -> None:
    await keys.turn(keys.own, on=True)
    value = '{"since": "2026-11-22T01:26:00.000000Z", "reason": null}'
    async with keys.desk.app.state.database.write() as session:
        await session.execute(
            update(DeskMeta).where(DeskMeta.key == "killswitch:default").values(value=value)
        )
    assert (await keys.turn(keys.own, on=False)).status_code == 403
    assert await keys.on() == [("default", "desk")]


@pytest.mark.parametrize("by", ["header", "query", "body"])
async def test_the_account_is_chosen_as_everywhere(keys: Keys, by: str) -> None:
    named: dict[str, Any] = {
        "header": {"headers": {"X-Account": keys.other}},
        "query": {"params": {"account": keys.other}},
        "body": {"json": {"account_id": keys.other}},
    }[by]

    async def ask(method: str, key: str, *, on: bool = True) -> httpx2.Response:
        body = {"json": {"on": on} | named.get("json", {})} if method == "POST" else {}
        headers = bearer(key) | named.get("headers", {})
        params = named.get("params", {})
        return await keys.desk.request(
            method, "/api/killswitch", headers=headers, params=params, **body
        )

    assert (await ask("POST", keys.own)).status_code == 404
    assert (await ask("POST", keys.every)).json()["account_id"] == keys.other
    assert await keys.on() == [(keys.other, "account")]
    if by != "body":
        assert (await ask("GET", keys.own)).status_code == 404
        await keys.turn(keys.own, on=True)
        shown = (await ask("GET", keys.every)).json()
        assert [each["account_id"] for each in shown] == [keys.other]
    assert (await ask("POST", keys.every, on=False)).is_success


async def test_two_accounts_are_refused_and_a_webhook_is_of_the_one_named(keys: Keys) -> None:
    hook = await make_hook(keys.desk, key=keys.admin)
    two = await keys.turn(keys.every, on=True, account=keys.other, account_id="default")
    nobodys = await keys.turn(keys.every, on=True, account="nobody")
    foreign = await keys.turn(keys.every, on=True, account=keys.other, webhook_id=hook.id)
    assert (two.status_code, nobodys.status_code, foreign.status_code) == (422, 404, 404)
    assert (await keys.turn(keys.every, on=True, webhook_id=hook.id)).is_success


async def test_webhooks_that_are_off_are_listed_to_who_may_see_them(keys: Keys) -> None:
    hook = await make_hook(keys.desk, key=keys.admin, name="mine")
    foreign = await make_hook(keys.desk, key=keys.admin, account=keys.other, name="theirs")
    gone = await make_hook(keys.desk, key=keys.admin)
    await make_hook(keys.desk, key=keys.admin)
    for each in (hook, foreign, gone):
        await keys.turn(keys.admin, on=True, webhook_id=each.id)
    await keys.desk.delete(f"/api/webhooks/{gone.id}", headers=bearer(keys.admin))
    shown = {
        key: (await keys.desk.get("/api/killswitch", headers=bearer(key))).json()
        for key in (keys.own, keys.admin)
    }
    assert shown[keys.own] == [
        {
            "account_id": "default",
            "webhook_id": hook.id,
            "webhook_name": "mine",
            "by": None,
            "since": None,
            "reason": None,
        }
    ]
    assert {each["webhook_id"] for each in shown[keys.admin]} == {hook.id, foreign.id}
