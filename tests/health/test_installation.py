"""doctor finds what is wrong and says how to mend it."""

from penstock.health import check_installation


def by_name(checks):
    return {check.name: check for check in checks}


def test_a_good_installation_has_no_failures(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PENSTOCK_STORE", raising=False)
    checks = by_name(check_installation())
    assert {check.level for check in checks.values()} <= {"ok", "warn"}
    assert "0 runs" in checks["store"].found
    assert checks["project folder"].found == str(tmp_path)


def test_a_store_that_cannot_be_opened_is_told_with_its_remedy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "blocked").write_text("a file")
    check = by_name(check_installation(f"sqlite:///{tmp_path}/blocked/penstock.db"))["store"]
    assert check.level == "fail"
    assert "blocked" in check.found
    assert check.fix


def test_broken_settings_are_told_and_nothing_raises(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("not toml [")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PENSTOCK_STORE", raising=False)
    check = by_name(check_installation())["settings"]
    assert check.level == "fail"
    assert "pyproject.toml" in check.found


def test_a_fixed_hash_seed_is_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    checks = by_name(check_installation(f"sqlite:///{tmp_path}/p.db"))
    assert checks["hash seed"].found == "PYTHONHASHSEED=7"
    assert checks["hash seed"].to_json()["level"] == "ok"


def test_little_disk_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("penstock.health._installation._LOW_DISK_BYTES", 1 << 62)
    check = by_name(check_installation(f"sqlite:///{tmp_path}/p.db"))["disk"]
    assert check.level == "warn"
    assert "PENSTOCK_ARTIFACTS" in check.fix


def test_missing_packages_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "importlib.metadata.requires", lambda _: ["no-such-package>=1", 'x; extra == "pandas"']
    )
    check = by_name(check_installation(f"sqlite:///{tmp_path}/p.db"))["packages"]
    assert check.level == "fail"
    assert "pip install no-such-package" in check.fix
