from datetime import timedelta
from pathlib import Path

import pytest

from quadrat.settings import Settings, SettingsError


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"QUADRAT_{name.upper()}", raising=False)


def test_load_without_environment_gives_the_documented_defaults() -> None:
    settings = Settings.load()
    assert (settings.data_dir, settings.host, settings.port) == (Path("quadrat-data"), "127.0.0.1", 8000)


def test_load_option_wins_over_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUADRAT_PORT", "9000")
    assert Settings.load().port == 9000
    assert Settings.load(port=9001).port == 9001
    assert Settings.load(port=None).port == 9000


def test_load_unknown_variable_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUADRAT_PROT", "9000")
    with pytest.raises(SettingsError, match="QUADRAT_PROT is not a setting"):
        Settings.load()


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "http"), ("PORT", "70000"), ("STORE_URL", "ftp://x"), ("READ_URL_LIFE", "P8D"), ("LOG_LEVEL", "loud")],
)
def test_load_bad_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"QUADRAT_{name}", value)
    with pytest.raises(SettingsError, match=f"QUADRAT_{name}"):
        Settings.load()


def test_load_bad_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUADRAT_SECRET_KEY", "hunter2")
    with pytest.raises(SettingsError) as refused:
        Settings.load()
    assert "hunter2" not in str(refused.value)


def test_with_options_keeps_what_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUADRAT_WRITE_URL_LIFE", "PT5M")
    settings = Settings.load(data_dir=Path("elsewhere")).with_options(port=0, host=None)
    assert (settings.data_dir, settings.port, settings.host) == (Path("elsewhere"), 0, "127.0.0.1")
    assert settings.write_url_life == timedelta(minutes=5)
