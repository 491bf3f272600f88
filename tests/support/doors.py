"""Webhooks for tests: made over HTTP, and the desk's state around what comes through them."""

from typing import Any

from support.desk import DeskClient


async def make_webhook(desk: DeskClient, mode: str = "execute", **more: Any) -> Any:
    """Make a webhook and return the whole answer; `headers` say who asks."""
    headers = more.pop("headers", {})
    body = {"name": "a door", "mode": mode, **more}
    made = await desk.post("/api/webhooks", json=body, headers=headers)
    assert made.status_code == 201, made.text
    return made.json()


async def is_well(desk: DeskClient) -> bool:
    """Say whether the desk is healthy, its books are proven, and trades are booked."""
    health = (await desk.get("/api/health")).json()
    proof = (await desk.post("/api/verify")).json()
    traded = await desk.trade("AAPL", "buy", 1)
    return health["status"] == "ok" and proof["ok"] and traded.status_code == 200
