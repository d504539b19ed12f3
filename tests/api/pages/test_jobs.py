import asyncio
import json
from datetime import datetime

import pytest

from quadrat.api.pages.routes.events import job_events
from quadrat.identity.types import Caller
from quadrat.jobs import actions, store
from quadrat.jobs.types import JobId, JobState, ResultFile
from support.house import Person
from support.pages import PASSWORD, Browser

pytestmark = pytest.mark.anyio


async def _ask(browser: Browser, owner: Person) -> JobId:
    async with browser.house.db.begin() as tx:
        return await actions.enqueue(tx, "test.pages", {"n": 1}, owner_id=owner.caller.user_id)


async def _change(browser: Browser, job_id: JobId, **values: object) -> None:
    async with browser.house.db.begin() as tx:
        await store.change(tx, job_id, **values)


async def test_jobs_list_shows_the_callers_and_no_others(browser: Browser) -> None:
    person, stranger = await browser.house.make_person(password=PASSWORD), await browser.house.make_person()
    await browser.sign_in(person.caller.email)
    mine, foreign = await _ask(browser, person), await _ask(browser, stranger)
    listed = (await browser.client.get("/ui/api/jobs")).json()
    assert [job["id"] for job in listed] == [mine]
    assert listed[0]["state"] == "pending"
    assert (await browser.client.get("/ui/api/jobs", params={"state": ["failed"]})).json() == []
    assert (await browser.client.get("/ui/api/jobs", params={"everyone": True})).status_code == 403
    for what in ("", "/log", "/file"):
        assert (await browser.client.get(f"/ui/api/jobs/{foreign}{what}")).status_code == 404


async def test_jobs_of_everyone_say_whose_they_are(browser: Browser) -> None:
    person, admin = await browser.house.make_person(), await browser.house.make_person(admin=True)
    asked = await _ask(browser, person)
    query = {"everyone": True, "limit": 1}
    [job] = (await browser.client.get("/ui/api/jobs", params=query, headers=admin.header)).json()
    assert (job["id"], job["owner"]) == (asked, person.caller.email)
    [job] = (await browser.client.get("/ui/api/jobs", headers=person.header)).json()
    assert job["owner"] is None


async def test_jobs_cancel_retry_answer_follow_the_state(browser: Browser) -> None:
    person = await browser.house.make_person(password=PASSWORD)
    headers = {"X-Quadrat-CSRF": await browser.sign_in(person.caller.email)}
    job_id = await _ask(browser, person)
    post = browser.client.post
    assert (await post(f"/ui/api/jobs/{job_id}/retry", headers=headers)).status_code == 409
    await _change(browser, job_id, state=JobState.ASKING, question={"missing": ["x"]})
    answered = await post(f"/ui/api/jobs/{job_id}/answer", json={"reply": {"x": 1}}, headers=headers)
    assert answered.status_code == 204
    await _change(browser, job_id, state=JobState.FAILED, errors=["no"])
    assert (await post(f"/ui/api/jobs/{job_id}/retry", headers=headers)).status_code == 204
    assert (await post(f"/ui/api/jobs/{job_id}/cancel", headers=headers)).status_code == 204
    assert (await browser.client.get(f"/ui/api/jobs/{job_id}")).json()["state"] == "cancelled"
    assert (await browser.client.delete(f"/ui/api/jobs/{job_id}", headers=headers)).status_code == 204
    assert (await browser.client.get(f"/ui/api/jobs/{job_id}")).status_code == 404


async def test_jobs_file_is_a_download_under_its_name(browser: Browser) -> None:
    person = await browser.house.make_person(password=PASSWORD)
    await browser.sign_in(person.caller.email)
    job_id = await _ask(browser, person)
    assert (await browser.client.get(f"/ui/api/jobs/{job_id}/file")).status_code == 404
    await browser.house.state["blobs"].put("jobs/1/result", b"a,b\n")
    made = ResultFile("jobs/1/result", 'é "x".csv', "text/csv")
    await _change(
        browser, job_id, result_key=made.key, result_filename=made.filename, result_media_type=made.media_type
    )
    answer = await browser.client.get(f"/ui/api/jobs/{job_id}/file")
    assert answer.content == b"a,b\n"
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.headers["content-type"].startswith("text/csv")


class _Stream:
    """Reads one caller's events; the test client wants whole answers, which these never are."""

    def __init__(self, browser: Browser, caller: Caller, since: str | None = None) -> None:
        self.is_signed_in = True
        moment = None if since is None else datetime.fromisoformat(since)
        self._body = job_events(browser.house.db, browser.hub, caller, moment, self._is_open)

    async def _is_open(self) -> bool:
        return self.is_signed_in

    async def next_job(self) -> tuple[str, dict[str, object]]:
        async with asyncio.timeout(10):
            async for piece in self._body:
                lines = dict(line.split(": ", 1) for line in piece.decode().strip().split("\n") if ": " in line)
                if lines.get("event") == "job":
                    return lines["id"], json.loads(lines["data"])
        raise AssertionError("the stream ended")

    async def ended(self) -> bool:
        async with asyncio.timeout(10):
            async for _ in self._body:
                pass
        return True

    async def aclose(self) -> None:
        await self._body.aclose()


async def test_events_tell_of_each_change_and_continue_after_a_break(browser: Browser) -> None:
    person, stranger = await browser.house.make_person(), await browser.house.make_person()
    events = _Stream(browser, person.caller)
    asked = asyncio.create_task(events.next_job())
    await asyncio.sleep(0)  # until it has subscribed
    await _ask(browser, stranger)
    job_id = await _ask(browser, person)
    event_id, job = await asked
    assert (job["id"], job["state"]) == (job_id, "pending")
    await events.aclose()
    await _change(browser, job_id, state=JobState.RUNNING, progress_percent=10)
    again = _Stream(browser, person.caller, event_id)
    _, job = await again.next_job()
    assert (job["id"], job["progress_percent"]) == (job_id, 10)
    browser.hub.close()
    assert await again.ended()


async def test_events_end_with_the_session(browser: Browser) -> None:
    person = await browser.house.make_person()
    events = _Stream(browser, person.caller)
    ended = asyncio.create_task(events.ended())
    await asyncio.sleep(0)  # until it has subscribed
    events.is_signed_in = False
    await _ask(browser, person)
    assert await ended


async def test_events_with_an_id_that_is_none_is_refused(browser: Browser) -> None:
    person = await browser.house.make_person(password=PASSWORD)
    await browser.sign_in(person.caller.email)
    answer = await browser.client.get("/ui/api/events", headers={"Last-Event-ID": "x"})
    assert answer.status_code == 422
