"""What `lightly-upload` with embeddings and `lightly-download` ask for, by the generated client, in their order."""

import json

import urllib3
from session import client, connect, refusal, report, unique

api = connect()
web = urllib3.PoolManager()
name = unique("sets")

not_there = api.datasets.get_datasets_query_by_name(name, shared=False, exact=True)
dataset = api.datasets.create_dataset(
    client.DatasetCreateRequest(name=name, type="Images", creator="USER_PIP_LIGHTLY_MAGIC")
).id
no_tags = api.tags.get_tags_by_dataset_id(dataset)
no_datasource = refusal(api.datasources.get_datasource_by_dataset_id, dataset)
meta = client.JobStatusMeta(total=4, processed=0, upload_method="USER_PIP", is_registered=True)
registered = api.datasets.register_dataset_upload_by_id(meta, dataset)
names = ["a b.png", "ü/c.png", "d.png", "e.png"]
samples = [
    api.samples.create_sample_by_dataset_id(client.SampleCreateRequest(file_name=one), dataset).id for one in names[:3]
]
initial = api.tags.create_initial_tag_by_dataset_id(
    client.InitialTagCreateRequest(img_type="full", creator="USER_PIP"), dataset
).id
samples.append(api.samples.create_sample_by_dataset_id(client.SampleCreateRequest(file_name=names[3]), dataset).id)
upsized = api.tags.upsize_tags_by_dataset_id(
    client.TagUpsizeRequest(upsize_tag_name="20230215_10h00m00s", upsize_tag_creator="USER_PIP"), dataset
).id
child = api.tags.create_tag_by_dataset_id(
    {"name": "child", "prevTagId": initial, "bitMaskData": "0x5", "totSize": 4, "creator": "USER_PIP"}, dataset
).id
request = client.TagArithmeticsRequest(tag_id1=initial, tag_id2=child, operation="DIFFERENCE")
difference = api.tags.perform_tag_arithmetics_bitmask(request, dataset).bit_mask_data
arithmetics = json.loads(api.tags.perform_tag_arithmetics(request, dataset, _preload_content=False).data)
api.tags.update_tag_by_tag_id({"name": "renamed child"}, dataset, child)
tags = [tag.to_dict() for tag in api.tags.get_tags_by_dataset_id(dataset)]
one_tag = api.tags.get_tag_by_tag_id(dataset, child).to_dict()

no_embeddings = api.embeddings.get_embeddings_by_dataset_id(dataset)
written = api.embeddings.get_embeddings_csv_write_url_by_id(dataset, name="default")
rows = [f"{one},{n},{n * n},{-n},0" for n, one in enumerate(names)]
csv = "\n".join(["filenames,embedding_0,embedding_1,embedding_2,labels", *rows]) + "\n"
put_csv = web.request("PUT", written.signed_write_url, body=csv.encode()).status
for method in ("PCA", "TSNE"):
    api.embeddings.trigger2d_embeddings_job(
        client.Trigger2dEmbeddingJobRequest(dimensionality_reduction_method=method), dataset, written.embedding_id
    )
read_csv = api.embeddings.get_embeddings_csv_read_url_by_id(dataset, written.embedding_id)
embeddings = [one.to_dict() for one in api.embeddings.get_embeddings_by_dataset_id(dataset)]
two_dimensional = api.embeddings2d.get_embeddings2d_by_embedding_id(dataset, written.embedding_id)

entry = client.ConfigurationEntry(name="Depth", path="depth", default_value=0, value_data_type="NUMERIC_FLOAT")
configuration = api.configurations.create_meta_data_configuration(
    client.ConfigurationSetRequest(name="cruise", configs=[entry]), dataset
).id
source = {"type": "LOCAL", "purpose": "INPUT_OUTPUT", "fullPath": ""}
api.datasources.update_datasource_by_dataset_id(source, dataset)
tasks = api.tags.export_tag_to_label_studio_tasks(dataset, child)
data_rows = api.tags.export_tag_to_label_box_data_rows(dataset, child)

report(
    {
        "not_there": not_there,
        "no_tags": no_tags,
        "no_datasource": no_datasource,
        "registered": registered,
        "samples": samples,
        "names": names,
        "initial": initial,
        "upsized": upsized,
        "child": child,
        "difference": difference,
        "arithmetics": arithmetics,
        "tags": tags,
        "one_tag": one_tag,
        "no_embeddings": no_embeddings,
        "put_csv": put_csv,
        "csv_equal": web.request("GET", read_csv).data == csv.encode(),
        "embeddings": embeddings,
        "two_dimensional": [one.to_dict() for one in two_dimensional],
        "mapping": api.mappings.get_sample_mappings_by_dataset_id(dataset, "_id"),
        "configuration": configuration,
        "configurations": [one.to_dict() for one in api.configurations.get_meta_data_configurations(dataset)],
        "datasource": json.loads(api.datasources.get_datasource_by_dataset_id(dataset, _preload_content=False).data),
        "tasks": tasks,
        "data_rows": data_rows,
        "filenames": api.tags.export_tag_to_basic_filenames(dataset, child),
        "img_type": api.datasets.get_dataset_by_id(dataset).img_type,
        "undeletable": refusal(api.tags.delete_tag_by_tag_id, dataset, initial),
        "tag_deleted": api.tags.delete_tag_by_tag_id(dataset, child),
        "embedding_deleted": api.embeddings.delete_embedding_by_id(dataset, written.embedding_id),
    }
)
