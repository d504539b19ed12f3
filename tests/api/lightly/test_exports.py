"""Exports with links that work without an account."""

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from quadrat.api.lightly.app import PREFIX, create_app
from support.gallery import UNKNOWN, Gallery, picture

pytestmark = pytest.mark.anyio


async def exported(gallery: Gallery, names: list[str]) -> tuple[str, str, list[str]]:
    """Dataset, tag of its samples but the first, and their ids."""
    dataset = await gallery.make_dataset()
    await gallery.make(f"/datasets/{dataset}/samples", fileName="left out.png")
    ids = [
        await gallery.make(f"/datasets/{dataset}/samples", fileName=name, customMetaData={"n": name}) for name in names
    ]
    initial = await gallery.initial_tag(dataset)
    mask = hex((1 << len(names) + 1) - 2)
    body = {"name": "export", "prevTagId": initial, "bitMaskData": mask, "totSize": 0}
    return dataset, await gallery.make(f"/datasets/{dataset}/tags", **body), ids


def token_of(link: str) -> str:
    return parse_qs(urlsplit(link).query)["publicToken"][0]


async def open_link(gallery: Gallery, link: str) -> Any:
    """As a browser does: no credential but what is in the link."""
    nobody = gallery.house.client_for(create_app, PREFIX)
    return await nobody.get(link, follow_redirects=False)


async def test_label_studio_tasks_carry_links_names_and_everything_known(gallery: Gallery):
    dataset, tag, ids = await exported(gallery, ["a.png", "b/ü c.png"])
    tasks = await gallery.get(f"/datasets/{dataset}/tags/{tag}/export/LabelStudio/tasks")
    assert [task["data"]["lightlyFileName"] for task in tasks] == ["a.png", "b/ü c.png"]
    assert [task["data"]["lightlyMetaInfo"]["id"] for task in tasks] == ids
    assert all(isinstance(task["id"], int) for task in tasks)
    assert gallery.person.token not in str(tasks)
    plain = await gallery.get(f"/datasets/{dataset}/tags/{tag}/export/LabelStudio/tasks", includeMetaData="False")
    assert "lightlyMetaInfo" not in plain[0]["data"]


async def test_link_opens_the_image_without_an_account_until_it_is_revoked(gallery: Gallery):
    dataset, tag, ids = await exported(gallery, ["a.png", "b.png"])
    content = picture()
    await gallery.upload(dataset, ids[0], content)
    rows = await gallery.get(f"/datasets/{dataset}/tags/{tag}/export/LabelBox/datarows")
    assert [row["externalId"] for row in rows] == ["a.png", "b.png"]
    answer = await open_link(gallery, rows[0]["imageUrl"])
    assert answer.status_code == 307
    assert (await gallery.store.get(answer.headers["location"])).content == content
    again = await gallery.get(f"/datasets/{dataset}/tags/{tag}/export/LabelBox/datarows")
    assert again == rows
    (token,) = await gallery.get(f"/datasets/{dataset}/publicTokens")
    assert token["expiresAt"] is None
    assert (await gallery.client.delete(f"/datasets/{dataset}/publicTokens/{token['id']}")).status_code == 200
    assert (await open_link(gallery, rows[0]["imageUrl"])).status_code == 401
    assert (await gallery.client.delete(f"/datasets/{dataset}/publicTokens/{token['id']}")).status_code == 404


async def test_public_token_opens_nothing_but_links_of_its_own_dataset(gallery: Gallery):
    dataset, tag, ids = await exported(gallery, ["a.png"])
    other, _, other_ids = await exported(gallery, ["a.png"])
    for at, sample in ((dataset, ids[0]), (other, other_ids[0])):
        await gallery.upload(at, sample, picture())
    rows = await gallery.get(f"/datasets/{dataset}/tags/{tag}/export/LabelBox/datarows")
    secret = token_of(rows[0]["imageUrl"])
    nobody = gallery.house.client_for(create_app, PREFIX)
    redirect = f"/datasets/{other}/samples/{other_ids[0]}/readurlRedirect"
    assert (await nobody.get(redirect, params={"type": "full", "publicToken": secret})).status_code == 401
    for path in (f"/datasets/{dataset}", f"/datasets/{dataset}/samples", f"/datasets/{dataset}/samples/{ids[0]}"):
        for credential in ({"token": secret}, {"publicToken": secret}):
            assert (await nobody.get(path, params=credential)).status_code == 401
        assert (await nobody.get(path, headers={"Authorization": f"Bearer {secret}"})).status_code == 401


async def test_link_with_a_life_ends(gallery: Gallery):
    dataset, tag, ids = await exported(gallery, ["a.png"])
    await gallery.upload(dataset, ids[0], picture())
    path = f"/datasets/{dataset}/tags/{tag}/export/LabelBox/datarows"
    rows = await gallery.get(path, expiresIn=1)
    async with asyncio.timeout(10):
        while (await open_link(gallery, rows[0]["imageUrl"])).status_code != 401:
            await asyncio.sleep(0.1)
    assert (await gallery.client.get(path, params={"expiresIn": 0})).status_code == 400


async def test_link_ends_with_the_access_of_its_maker(gallery: Gallery):
    dataset, tag, ids = await exported(gallery, ["a.png"])
    await gallery.upload(dataset, ids[0], picture())
    rows = await gallery.get(f"/datasets/{dataset}/tags/{tag}/export/LabelBox/datarows")
    assert (await gallery.client.delete(f"/datasets/{dataset}")).status_code == 200
    assert (await open_link(gallery, rows[0]["imageUrl"])).status_code == 401


async def test_file_names_come_in_each_format_in_the_same_order(gallery: Gallery):
    dataset, tag, ids = await exported(gallery, ["z.png", "a b.png", "m/n.png"])
    path = f"/datasets/{dataset}/tags/{tag}/export/basic/filenames"
    source = {"type": "S3DelegatedAccess", "purpose": "INPUT_OUTPUT", "fullPath": "bucket/dir"}
    access = {"s3Region": "eu-central-1", "s3ExternalId": "x" * 20, "s3ARN": "arn:aws:iam::1:role/r"}
    assert (await gallery.client.put(f"/datasets/{dataset}/datasource", json=source | access)).status_code == 200

    async def lines(**params: Any) -> list[str]:
        answer = await gallery.client.get(path, params=params)
        assert answer.headers["content-type"].startswith("text/plain")
        return str(answer.text).splitlines()

    assert await lines() == ["z.png", "a b.png", "m/n.png"]
    assert await lines(fileNameFormat="DATASOURCE_FULL") == [
        "bucket/dir/z.png",
        "bucket/dir/a b.png",
        "bucket/dir/m/n.png",
    ]
    links = await lines(fileNameFormat="REDIRECTED_READ_URL")
    assert [urlsplit(link).path.split("/")[5] for link in links] == ids
    assert await gallery.get(path, format="JSON") == ["z.png", "a b.png", "m/n.png"]
    assert await lines(pageSize=1, pageOffset=1) == ["a b.png"]
    assert await lines(pageSize=5, pageOffset=3) == []
    assert await lines(previewExample="True") == ["z.png"]


async def test_export_of_an_unknown_tag_or_by_a_stranger_is_not_found(gallery: Gallery):
    dataset, tag, _ = await exported(gallery, ["a.png"])
    stranger = await gallery.stranger()
    for kind in ("LabelStudio/tasks", "LabelBox/datarows", "basic/filenames"):
        assert (await gallery.client.get(f"/datasets/{dataset}/tags/{UNKNOWN}/export/{kind}")).status_code == 404
        assert (await stranger.get(f"/datasets/{dataset}/tags/{tag}/export/{kind}")).status_code == 404
