"""What does not change, in the words of the object-set API."""

from collections.abc import Sequence

from quadrat.api.ecotaxa.convert.countries import COUNTRIES
from quadrat.api.ecotaxa.convert.users import full_name
from quadrat.api.ecotaxa.schemas.constants import Constants
from quadrat.identity.types import User

_LICENSES = {
    "CC0 1.0": "CC0: all who want may use the dataset without any restriction",
    "CC BY 4.0": "CC BY: all who want may use the dataset if they name its authors",
    "CC BY-NC 4.0": "CC BY-NC: all who want may use the dataset if they name its authors, but not to earn money",
    "Copyright": "Copyright: only those who have worked on the dataset may use it",
    "": "Not chosen",
}
_ACCESS = {"PUBLIC": "1", "OPEN": "2", "PRIVATE": "0"}
_STATUS = {"active": 1, "inactive": 0, "pending": 2, "blocked": -1}
#: 8 to 20 characters with a small and a capital letter, a digit and a symbol.
_PASSWORD = "^(?:(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])(?=.*[!@#?%^&*-+])).{8,20}$"  # noqa: S105 - a rule


def constants(administrators: Sequence[User]) -> Constants:
    """Texts and rules that clients' pages show; the oldest administrator is the one to ask."""
    manager = ["", ""] if not administrators else [full_name(administrators[0]), administrators[0].email]
    return Constants(
        license_texts=_LICENSES,
        access=_ACCESS,
        app_manager=manager,
        countries=list(COUNTRIES),
        user_status=_STATUS,
        password_regexp=_PASSWORD,
        email_verification=False,
        account_validation=True,
        short_token_age=1,
        profile_token_age=24,
        recaptchaid=False,
    )
