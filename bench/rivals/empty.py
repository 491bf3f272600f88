"""The baseline: a bare FastAPI application that does nothing."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def empty_get() -> None:
    """Answer `null`."""


@app.post("/")
async def empty_post() -> None:
    """Answer `null`."""
