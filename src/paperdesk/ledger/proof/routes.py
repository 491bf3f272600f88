"""POST /api/verify and /api/reopen."""

from fastapi import Request, Response

from paperdesk.api.codec import Reply, slice_router
from paperdesk.api.problems import WITH_BODY, problems
from paperdesk.api.scopes import Scope, check_whole_desk
from paperdesk.ledger.proof.keeper import Keeper
from paperdesk.ledger.proof.schemas import (
    ReopenAnswer,
    ReopenRequest,
    VerifyAnswer,
    proof_fields,
)
from paperdesk.ledger.proof.standing import Standing

router = slice_router(tags=["desk"], changes=Scope.admin)


@router.post("/verify", response_model=VerifyAnswer)
async def verify(request: Request) -> Response:
    """Replay every journal and compare it with the books. Read-only when something is wrong.

    One proof runs at a time; requests that wait for it to end share the next.
    """
    check_whole_desk(request.scope)
    keeper: Keeper = request.app.state.keeper
    return Reply(VerifyAnswer.model_validate(proof_fields(await keeper.prove())))


@router.post("/reopen", response_model=ReopenAnswer, responses=problems(*WITH_BODY))
async def reopen(request: Request, body: ReopenRequest) -> Response:
    """Prove the books anew and take changes again, if they are proven or what is wrong is accepted.

    What was accepted does not close the desk again; /api/verify goes on to show it.
    """
    check_whole_desk(request.scope)
    keeper: Keeper = request.app.state.keeper
    standing: Standing = request.app.state.standing
    fields = proof_fields(await keeper.reopen(accept=body.accept))
    return Reply(ReopenAnswer.model_validate(fields | {"read_only": await standing.reason()}))
