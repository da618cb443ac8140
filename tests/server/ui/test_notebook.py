"""The page of a notebook's run: cells as they ran; outputs cannot do anything."""

from datetime import timedelta

from penstock.core import StepRunRecord, StepState, new_id, now
from penstock.tracking import start_run

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def record(run, position, state, source, outputs, error=None):
    started = now()
    step = StepRunRecord(
        step_run_id=new_id(),
        run_id=run.run_id,
        step=f"cell {position + 1}",
        position=position,
        state=state,
        started_at=started,
        ended_at=started + timedelta(seconds=0.25),
        error=error,
        facts={"notebook_cell": position + 1, "outputs": "sha256:" + "a" * 64},
    )
    stored = run.store.pack({"source": source, "outputs": outputs})
    step = step.with_outputs({"outputs": (stored[0].content_digest, stored[0].digest)})
    run.store.metadata.steps.finish(step, outputs=stored)


def notebook_run(store):
    with start_run("analysis", experiment="notebooks", store=store, provenance=False) as run:
        shown = {
            "output_type": "execute_result",
            "data": {
                "text/html": f"<table><tr><td>7</td></tr></table>{HOSTILE}",
                "text/plain": "7",
            },
        }
        picture = {"output_type": "display_data", "data": {"image/png": PIXEL + "\n"}}
        no_picture = {"output_type": "display_data", "data": {"image/png": '"><script>'}}
        stream = {"output_type": "stream", "name": "stdout", "text": HOSTILE}
        failed = {"output_type": "error", "traceback": ["\x1b[31mValueError\x1b[0m: no"]}
        record(
            run, 0, StepState.FINISHED, f"x = 1  # {HOSTILE}", [stream, shown, picture, no_picture]
        )
        record(run, 1, StepState.FAILED, "1 / 0", [failed], "ValueError: no")
    return run


def test_cells_are_shown_with_state_time_text_and_outputs(store, client):
    run = notebook_run(store)
    page = client.get(f"/runs/{run.run_id}/notebook").text
    assert "1 of 2" in page
    assert page.count('class="cell-source"') == 2
    assert page.count("250 ms") == 2
    assert f'src="data:image/png;base64,{PIXEL}"' in page
    assert "ValueError: no" in page
    assert "\x1b" not in page
    assert f"/runs/{run.run_id}/notebook" in client.get(f"/runs/{run.run_id}").text
    twin = client.get(f"/runs/{run.run_id}/notebook?format=json").json()
    assert [cell["state"] for cell in twin["cells"]] == ["finished", "failed"]


def test_outputs_are_text_or_stand_in_a_frame_without_rights(store, client):
    page = client.get(f"/runs/{notebook_run(store).run_id}/notebook").text
    assert HOSTILE not in page
    assert 'sandbox=""' in page
    assert 'srcdoc="&lt;table&gt;' in page
    assert '"><script>' not in page
    assert "An output of type image/png" in page


def test_a_run_without_cells_has_no_such_page(store, client):
    with start_run("plain", store=store, provenance=False) as run:
        pass
    answer = client.get(f"/runs/{run.run_id}/notebook")
    assert answer.status_code == 404
    assert "/notebook" not in client.get(f"/runs/{run.run_id}").text
