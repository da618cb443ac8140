"""`penstock demo`: the story, then the web UI."""

import socket


def test_demo_ends_after_the_story_or_serves_the_ui(world, monkeypatch):
    served = []
    monkeypatch.setattr("penstock.cli._demo.run_demo", lambda folder: world.store)

    def serve(port, ready, store):
        served.append(store)
        ready("http://127.0.0.1:1234")

    monkeypatch.setattr("penstock.cli._demo.serve_ui", serve)
    monkeypatch.delenv("PENSTOCK_DEMO_ONCE", raising=False)
    world("demo", "--once")
    assert served == []
    out = world("demo", "--port", "0").out
    assert "The UI is at http://127.0.0.1:1234" in out
    assert f"To start the UI again: penstock --store {world.store.url} ui" in out
    assert len(served) == 1
    monkeypatch.setenv("PENSTOCK_DEMO_ONCE", "1")
    world("demo")
    assert len(served) == 1


def test_a_port_in_use_is_an_error_before_the_demo_not_after(world, monkeypatch):
    monkeypatch.setattr("penstock.cli._demo.run_demo", lambda folder: 1 / 0)
    monkeypatch.delenv("PENSTOCK_DEMO_ONCE", raising=False)  # set where the demo is tried alone
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert f"Port {port} on 127.0.0.1 is in use." in world("demo", "--port", port, code=2).err
