"""The ways in which a digest goes out: by mail, or to a webhook."""

import http.client
import json
import smtplib
import ssl
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any
from urllib.error import HTTPError

from crystal_search.errors import ConfigError, CrystalSearchError
from crystal_search.viewer.message_settings import MessageSettings
from crystal_search.viewer.messages.digest import Digest, SmallPicture, json_of, mail_of

TAKEN = range(200, 300)  #: HTTP statuses of a webhook that took a digest


class SendingError(CrystalSearchError):
    """The message could not be handed over; it is tried again."""


Sender = Callable[[Digest, MessageSettings, SmallPicture], None]


def send_mail(digest: Digest, settings: MessageSettings, picture_of: SmallPicture) -> None:
    """Hand a digest over to the mail server.

    Raises
    ------
    SendingError
        If it does not take it, or its password cannot be read; the message has no password.
    """
    mail = mail_of(digest, settings, picture_of)
    try:
        with _server(settings) as server:
            if settings.smtp_tls == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.smtp_user:
                server.login(settings.smtp_user, settings.password())
            server.send_message(mail)
    except ConfigError as error:
        raise SendingError(str(error)) from error
    except smtplib.SMTPAuthenticationError as error:
        raise SendingError(f"{settings.smtp_host} does not let {settings.smtp_user} in: {error.smtp_code}") from None
    except (smtplib.SMTPException, OSError) as error:
        raise SendingError(f"{settings.smtp_host}:{settings.smtp_port}: {' '.join(str(error).split())}") from error


def _server(settings: MessageSettings) -> smtplib.SMTP:
    place, patience = (settings.smtp_host, settings.smtp_port), settings.timeout_seconds
    if settings.smtp_tls == "tls":
        return smtplib.SMTP_SSL(*place, timeout=patience, context=ssl.create_default_context())
    return smtplib.SMTP(*place, timeout=patience)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow nothing: the settings name the place."""


def post_to_webhook(digest: Digest, settings: MessageSettings, _: SmallPicture) -> None:
    """Post a digest as JSON.

    Raises
    ------
    SendingError
        If it is not answered, or not with a status from 200 to 299.
    """
    body = json.dumps(json_of(digest), ensure_ascii=False).encode()
    request = urllib.request.Request(settings.webhook, body, {"Content-Type": "application/json"}, method="POST")
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=settings.timeout_seconds) as answer:
            status = answer.status
    except HTTPError as error:
        status = error.code
    except (OSError, http.client.HTTPException) as error:
        raise SendingError(f"the webhook does not answer: {error}") from error
    if status not in TAKEN:
        raise SendingError(f"the webhook answers {status}")


SENDERS: Mapping[str, Sender] = {"mail": send_mail, "webhook": post_to_webhook}
