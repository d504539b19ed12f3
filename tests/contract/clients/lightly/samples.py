"""The way of the uploader: a dataset, its samples, their bytes through signed addresses, and reading all of it back."""

import json
import struct
import zlib

import urllib3
from session import client, connect, refusal, report, unique

api = connect()
web = urllib3.PoolManager()


def png() -> bytes:
    """One red pixel."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\x00\xff\x00\x00")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


PNG = png()
THUMBNAIL = b"RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00/\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00"


def put(url: str, content: bytes) -> int:
    """As the client does it: no content type, no token."""
    return web.request("PUT", url, body=content).status


def get(url: str) -> dict:
    answer = web.request("GET", url, redirect=False)
    return {"status": answer.status, "equal": answer.data == PNG, "type": answer.headers.get("Content-Type")}


name = unique("dataset")
dataset = api.datasets.create_dataset(client.DatasetCreateRequest(name=name, type="Images", img_type="full")).id
name_taken = refusal(api.datasets.create_dataset, client.DatasetCreateRequest(name=name))
file_name = "plate 1/ä # 100%.png"
meta = client.SampleMetaData(sharpness=1.5, mean=[0.1, 0.2, 0.3], size_in_bytes=len(PNG), shape=[1, 1, 3])
custom = {"depth_m": 12.5, "nested": {"null": None, "list": [1, "two", False]}}
sample = api.samples.create_sample_by_dataset_id(
    client.SampleCreateRequest(file_name=file_name, meta_data=meta, custom_meta_data=custom, exif={"Make": "x"}),
    dataset,
).id
second = api.samples.create_sample_by_dataset_id(client.SampleCreateRequest(file_name="second.png"), dataset).id
repeated = api.samples.create_sample_by_dataset_id(client.SampleCreateRequest(file_name="second.png"), dataset).id
no_bytes_yet = refusal(api.samples.get_sample_image_read_url_by_id, dataset, sample, type="full")

urls = api.samples.get_sample_image_write_urls_by_id(dataset, sample)
put_thumbnail, put_full = put(urls.thumb, THUMBNAIL), put(urls.full, PNG)
single_url = api.samples.get_sample_image_write_url_by_id(dataset, second, is_thumbnail=False)
put_single = put(single_url, PNG)
read_url = api.samples.get_sample_image_read_url_by_id(dataset, sample, type="full")
redirect = api.samples.get_sample_image_resource_redirect_by_id(dataset, sample, "full", _preload_content=False)
tampered = read_url[:-1] + ("0" if read_url[-1] != "0" else "1")

before = api.samples.get_sample_by_id(dataset, sample)
api.samples.update_sample_by_id({"customMetaData": {"only": "this"}}, dataset, sample, enable_dataset_update=False)
after = api.samples.get_sample_by_id(dataset, sample)
partial = json.loads(api.samples.get_samples_partial_by_dataset_id(dataset, mode="ids", _preload_content=False).data)
names = api.samples.get_samples_partial_by_dataset_id(dataset, mode="fileNames")

report(
    {
        "dataset": dataset,
        "name": name,
        "name_taken": name_taken,
        "dataset_detail": api.datasets.get_dataset_by_id(dataset).to_dict(),
        "datasets": [item.id for item in api.datasets.get_datasets()],
        "found_by_name": [item.id for item in api.datasets.get_datasets_query_by_name(name, exact=True)],
        "quota": int(api.quota.get_quota_maximum_dataset_size()),
        "samples": [sample, second],
        "repeated": repeated,
        "file_name": file_name,
        "custom": custom,
        "before": before.to_dict(),
        "after": after.to_dict(),
        "listed": [item.id for item in api.samples.get_samples_by_dataset_id(dataset)],
        "one_page": [item.id for item in api.samples.get_samples_by_dataset_id(dataset, page_size=1, page_offset=1)],
        "past_the_end": api.samples.get_samples_by_dataset_id(dataset, page_size=5, page_offset=50),
        "partial_ids": partial,
        "partial_names": [item.file_name for item in names],
        "mapping": api.mappings.get_sample_mappings_by_dataset_id(dataset, "fileName"),
        "no_bytes_yet": no_bytes_yet,
        "put": [put_thumbnail, put_full, put_single],
        "read": get(read_url),
        "read_tampered": get(tampered),
        "redirect": {"status": redirect.status, "equal": redirect.data == PNG},
        "unknown_sample": refusal(api.samples.get_sample_by_id, dataset, "5f" * 12),
        "deleted": api.datasets.delete_dataset_by_id(dataset),
        "gone": refusal(api.datasets.get_dataset_by_id, dataset),
        "bytes_gone": get(read_url),
    }
)
