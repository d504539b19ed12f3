"""Sends letters through an SMTP server."""

import asyncio
import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from quadrat.errors import ErrorKind, QuadratError

_TIMEOUT_S = 30.0
_PORTS = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent."""

    to: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Mailer:
    """A server that takes letters.

    Args:
        url: ``smtp://`` (TLS where the server offers it) or ``smtps://``, with ``user:password@`` if it wants them.
        sender: Address that letters come from.
    """

    url: str = field(repr=False)
    sender: str

    async def send(self, letter: Letter) -> None:
        """Hand a letter over.

        Raises:
            QuadratError: unavailable, when the server cannot be reached or does not take it now; invalid when it
                never will.
        """
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.sender, letter.to, letter.subject
        message.set_content(letter.text)
        try:
            await asyncio.to_thread(self._send, message)
        except smtplib.SMTPRecipientsRefused as error:
            raise QuadratError(ErrorKind.INVALID, "The mail server refuses the address.", field="email") from error
        except (OSError, smtplib.SMTPException) as error:
            raise QuadratError(
                ErrorKind.UNAVAILABLE, f"The mail server does not take the letter ({type(error).__name__})."
            ) from error

    def _send(self, message: EmailMessage) -> None:
        parts = urlsplit(self.url)
        host, port = parts.hostname or "localhost", parts.port or _PORTS[parts.scheme]
        context = ssl.create_default_context()
        with (
            smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT_S, context=context)
            if parts.scheme == "smtps"
            else smtplib.SMTP(host, port, timeout=_TIMEOUT_S)
        ) as server:
            server.ehlo()
            if parts.scheme == "smtp" and server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(message)
