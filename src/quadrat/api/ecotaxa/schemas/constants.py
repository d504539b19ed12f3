"""Wire models of what does not change."""

from pydantic import BaseModel


class Constants(BaseModel):
    """Texts and rules that clients' pages show."""

    license_texts: dict[str, str]
    access: dict[str, str]
    app_manager: list[str]
    countries: list[str]
    user_status: dict[str, int]
    password_regexp: str
    email_verification: bool
    account_validation: bool
    short_token_age: int
    profile_token_age: int
    recaptchaid: bool


class MLModel(BaseModel):
    """A network that makes deep features."""

    name: str
