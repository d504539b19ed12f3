"""What is said of a dataset as a whole."""

import pytest

from support.gallery import Gallery

pytestmark = pytest.mark.anyio


async def test_datasource_is_unknown_until_set_and_comes_back_without_its_secret(gallery: Gallery):
    path = f"/datasets/{await gallery.make_dataset()}/datasource"
    answer = await gallery.client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "DATASET_DATASOURCE_UNKNOWN")
    given = {
        "type": "S3",
        "purpose": "INPUT_OUTPUT",
        "fullPath": "bucket/dir",
        "thumbSuffix": ".lightly/[filename]_thumb.[extension]",
        "s3Region": "eu-central-1",
        "s3AccessKeyId": "key",
        "s3SecretAccessKey": "very secret",
    }
    assert (await gallery.client.put(path, json=given)).status_code == 200
    found = await gallery.get(path)
    assert "very secret" not in str(found)
    assert found.pop("s3SecretAccessKey")
    id_ = found.pop("id")
    assert found == {key: value for key, value in given.items() if key != "s3SecretAccessKey"}
    assert (
        await gallery.client.put(path, json={"type": "LOCAL", "purpose": "INPUT", "fullPath": ""})
    ).status_code == 200
    assert await gallery.get(path) == {"id": id_, "type": "LOCAL", "purpose": "INPUT", "fullPath": ""}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "FTP", "purpose": "INPUT", "fullPath": "x"},
        {"type": "LOCAL", "purpose": "OUTPUT", "fullPath": "x"},
        {"type": "LOCAL", "purpose": "INPUT"},
        {"type": "S3", "purpose": "INPUT", "fullPath": "x"},
        {"type": "GCS", "purpose": "INPUT", "fullPath": "x", "gcsProjectId": "p", "gcsCredentials": ""},
    ],
)
async def test_datasource_that_lacks_something_is_refused(body: dict[str, str], gallery: Gallery):
    path = f"/datasets/{await gallery.make_dataset()}/datasource"
    assert (await gallery.client.put(path, json=body)).status_code == 400


async def test_metadata_configuration_comes_back_as_it_was_made(gallery: Gallery):
    path = f"/datasets/{await gallery.make_dataset()}/configuration/metadata"
    entry = {"name": "Depth", "path": "ctd.depths[0].m", "defaultValue": None, "valueDataType": "NUMERIC_FLOAT"}
    made = await gallery.make(path, name="cruise", configs=[entry])
    (found,) = await gallery.get(path)
    assert (found["id"], found["name"], found["configs"]) == (made, "cruise", [entry])
    assert isinstance(found["createdAt"], int)
    bad = {"name": "cruise", "configs": [{**entry, "valueDataType": "NUMBER"}]}
    assert (await gallery.client.post(path, json=bad)).status_code == 400


async def test_uploads_show_which_samples_lack_their_bytes(gallery: Gallery):
    dataset = await gallery.make_dataset()
    samples = await gallery.make_samples(dataset, 3)
    await gallery.upload(dataset, samples[1], b"something")
    body = {"total": 3, "processed": 0, "uploadMethod": "USER_PIP", "isRegistered": True}
    assert (await gallery.client.put(f"/datasets/{dataset}/registerDatasetUpload", json=body)).status_code == 200
    path = f"/datasets/{dataset}/uploads"
    summary = await gallery.get(f"{path}/summary")
    assert summary == {"missing": 2, "stored": 1, "undecodable": 0, "waiting": 1}
    missing = await gallery.get(path, state="missing")
    assert [one["fileName"] for one in missing] == ["0.png", "2.png"]
    (stored,) = await gallery.get(path, state="stored")
    assert (stored["sampleId"], stored["sizeInBytes"], stored["isMeasured"]) == (samples[1], 9, False)
    assert [one["state"] for one in await gallery.get(path)] == ["missing", "stored", "missing"]
    assert await gallery.get(path, pageSize=1, pageOffset=2) == [missing[1]]
    assert (await gallery.client.get(path, params={"state": "lost"})).status_code == 400
    stranger = await gallery.stranger()
    for address in (path, f"{path}/summary"):
        assert (await stranger.get(address)).status_code == 404
