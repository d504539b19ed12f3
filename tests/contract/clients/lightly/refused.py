"""What a caller with a wrong token gets: only the two versions."""

from session import connect, refusal, report

api = connect()
missing = "5f" * 12
report(
    {
        "latest": api.versions.get_latest_pip_version(current_version="1.2.46"),
        "minimum": api.versions.get_minimum_compatible_pip_version(),
        "get_datasets": refusal(api.datasets.get_datasets),
        "get_dataset": refusal(api.datasets.get_dataset_by_id, missing),
        "get_samples": refusal(api.samples.get_samples_by_dataset_id, missing),
        "create_sample": refusal(api.samples.create_sample_by_dataset_id, {"fileName": "a.png"}, missing),
        "quota": refusal(api.quota.get_quota_maximum_dataset_size),
    }
)
