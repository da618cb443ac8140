"""`penstock demo`: the story, then the web UI."""


def test_demo_ends_after_the_story_or_serves_the_ui(world, monkeypatch):
    served = []
    monkeypatch.setattr("penstock.cli._demo.run_demo", lambda folder: world.store)
    monkeypatch.setattr("penstock.cli._demo.serve_ui", lambda store, **_: served.append(store))
    monkeypatch.delenv("PENSTOCK_DEMO_ONCE", raising=False)
    world("demo", "--once")
    assert served == []
    out = world("demo", "--port", "4299").out
    assert "http://127.0.0.1:4299" in out
    assert f"To start it again: penstock --store {world.store.url} ui" in out
    assert len(served) == 1
    monkeypatch.setenv("PENSTOCK_DEMO_ONCE", "1")
    world("demo")
    assert len(served) == 1
