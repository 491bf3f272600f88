"""Keys for tests: made over HTTP by whoever may, and sent as a client sends them."""

from typing import Any

from support.desk import DeskClient


def bearer(key: str) -> dict[str, str]:
    """Return the header that sends a key."""
    return {"Authorization": f"Bearer {key}"}


async def make_key(desk: DeskClient, *scopes: str, by: str | None = None, **more: Any) -> Any:
    """Make a key and return the whole answer; `by` is the key of whoever makes it."""
    body = {"name": f"a key for {scopes}", "scopes": list(scopes), **more}
    answer = await desk.post("/api/keys", json=body, headers=bearer(by) if by else {})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def make_admin(desk: DeskClient) -> str:
    """Make the first key of a desk, which may do everything, and return it."""
    return str((await make_key(desk, "admin"))["key"])
