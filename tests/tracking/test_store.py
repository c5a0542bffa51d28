from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.tracking import store


def test_by_default_the_store_is_at_the_repository_root_wherever_one_stands(
    bare_repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bare_repository / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir("deep/er")
    assert store.uri() == f"sqlite:///{bare_repository}/mlflow.db"


def test_in_a_copy_that_dvc_makes_the_store_is_that_of_the_main_repository(
    bare_repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", "/main")
    assert store.uri() == "sqlite:////main/mlflow.db"


def test_a_relative_sqlite_address_is_made_absolute(
    bare_repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
    assert store.database() == bare_repository / "other.db"


def test_in_a_copy_that_dvc_makes_a_relative_one_is_of_the_main_repository(
    bare_repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", "/main")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///a folder/other.db")
    assert store.uri() == "sqlite:////main/a folder/other.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////there/other.db")
    assert store.uri() == "sqlite:////there/other.db"


@pytest.mark.parametrize(
    "address",
    ["/a/folder", "mlruns", "file:///a/folder", "htp://ann:secret@host", "http://[::1", "sqlite://"],
)
def test_what_is_no_address_of_a_store_is_refused_with_those_that_are(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(
        UserError, match=r"^MLFLOW_TRACKING_URI = '.*': allowed is .*sqlite:///mlflow.db$"
    ) as told:
        store.uri()
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("address", ["postgresql+psycopg2://ann@host/db", "mysql://host/db", "http://host"])
def test_a_database_and_a_server_are_addresses_of_stores(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert store.uri() == address


def test_a_server_is_taken_as_it_is_and_shown_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ann:p@ss@mlflow.example.org:5000/x")
    assert store.uri() == "https://ann:p@ss@mlflow.example.org:5000/x"
    assert store.database() is None
    assert store.shown() == "https://mlflow.example.org:5000/x"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no answer from http://ann:secret@host/a, nor from postgresql://bob:x@db/y", "http://host/a"),
        ("at http://:secret@host", "http://host"),
        ("mail ann@example.org about http://host/@me", "ann@example.org about http://host/@me"),
    ],
)
def test_credentials_are_taken_out_of_any_message(text: str, shown: str) -> None:
    assert "secret" not in store.without_credentials(text)
    assert "bob:x" not in store.without_credentials(text)
    assert shown in store.without_credentials(text)


def test_outside_a_repository_there_is_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="set MLFLOW_TRACKING_URI"):
        store.uri()


# A question mark begins something else, and MLflow takes %2F for a slash.
@pytest.mark.parametrize(("name", "sign"), [("what?", "[?]"), ("job%2Fmain", "%2F"), ("a%20b", "%20")])
def test_what_an_address_cannot_hold_is_refused(
    tmp_path: Path, name: str, sign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/{name}/mlflow.db")
    with pytest.raises(UserError, match=f"can't hold a `{sign}`"):
        store.uri()


def test_a_link_that_leads_to_itself_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mlflow.db").symlink_to("mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    with pytest.raises(UserError, match=r"mlflow.db: .*; remove it or set another store"):
        store.uri()
