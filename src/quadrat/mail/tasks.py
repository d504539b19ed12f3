"""Jobs that send letters."""

from collections.abc import Mapping
from typing import Any, Protocol

import structlog

from quadrat.identity.actions.activation import begin_activation
from quadrat.identity.types import UserId
from quadrat.jobs.registry import Handler, JobContext
from quadrat.mail.actions import ACTIVATION
from quadrat.mail.sender import Letter, Mailer

_log = structlog.get_logger(__name__)
_ATTEMPTS = 8
_TEXT = """\
Somebody, most likely you, made an account at {house} with this address.

Open this page to activate it:

{link}

The link works for seven days. If it was not you, there is nothing to do: without the link nobody can sign in.
"""


class MailResources(Protocol):
    """What a worker process has to offer these jobs."""

    @property
    def mailer(self) -> Mailer | None:
        """The server that takes letters; None when the operator named none."""
        ...

    @property
    def own_url(self) -> str:
        """Address under which people reach this server, without a trailing slash."""
        ...


async def send_activation(context: JobContext[MailResources], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Send a link that activates a user. Run twice it sends two letters, and both links work."""
    resources = context.resources
    async with context.db.begin() as tx:
        begun = await begin_activation(tx, UserId(int(params["user_id"])))
    if begun is None:
        return {"outcome": "not needed"}
    user, secret = begun
    link = f"{resources.own_url}/activate/{secret}"
    if resources.mailer is None:
        # The operator hands it on, or uses `quadrat user activate`.
        _log.warning("user.activation_link", email=user.email, link=link)
        return {"outcome": "logged"}
    await resources.mailer.send(
        Letter(user.email, "Activate your account", _TEXT.format(house=resources.own_url, link=link))
    )
    return {"outcome": "sent"}


HANDLERS = (Handler(ACTIVATION, send_activation, max_attempts=_ATTEMPTS),)
