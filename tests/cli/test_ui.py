"""`penstock ui`: the web UI of the project's store."""


def test_ui_serves_the_projects_store(world, monkeypatch):
    given = {}
    monkeypatch.setattr(
        "penstock.cli._ui.serve_ui", lambda store, **options: given.update(url=store.url, **options)
    )
    assert "UI at http://127.0.0.1:4321" in world("ui", "--port", "4321").err
    assert given["port"] == 4321
    assert given["url"].endswith("penstock.db")
