"""`penstock doctor`: the installation and the store are checked."""

import json


def test_doctor_is_well_here(world):
    document = world("doctor", "--json").json
    assert document["ok"] is True
    assert {"python", "packages", "store", "disk"} <= {c["name"] for c in document["checks"]}
    assert "✓ store" in world("doctor").out


def test_doctor_names_what_is_wrong_and_leaves_with_two(world):
    (world.folder / "blocked").write_text("a file where a folder is needed")
    url = f"sqlite:///{world.folder}/blocked/penstock.db"
    document = json.loads(world("--store", url, "doctor", "--json", code=2).out)
    assert document["ok"] is False
    [bad] = [check for check in document["checks"] if check["level"] == "fail"]
    assert bad["name"] == "store"
    assert bad["fix"]
    assert "✗ store" in world("--store", url, "doctor", code=2).out
