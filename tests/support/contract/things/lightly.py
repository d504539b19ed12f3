"""A dataset, a sample and the first tag."""

from support.contract.things.step import HUSH, Step, json_body, own_id, own_name

DATASET = "/v1/datasets/{datasetId}"

STEPS = (
    Step(DATASET, ("POST", "/v1/datasets"), json_body(name=own_name, type="Images"), own_id),
    Step(
        DATASET + "/samples/{sampleId}",
        ("POST", DATASET + "/samples"),
        json_body(fileName="secret.png", customMetaData={"note": HUSH}),
        own_id,
    ),
    Step(DATASET + "/tags/{tagId}", ("POST", DATASET + "/tags/initial"), json_body(imgType="full"), own_id),
)
