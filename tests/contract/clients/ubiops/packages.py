"""Packages of strangers: each convention, each way to fail, and one that spies."""

import io
import tempfile
import time
import zipfile
from pathlib import Path

import ubiops
from session import connect, own_organization, refusal, report, unique

DEADLINE_S = 120
EVAL = "import os, sys, time\nclass Model:\n    def request(self, data):\n        return str(eval(data))\n"
SPY = """
import json, os, sys

def tried(do):
    try:
        return repr(do())[:200]
    except Exception as error:
        return type(error).__name__

NOBODY = 2**30

def others(*parts, own):
    left = [name for name in os.listdir(os.path.join(*parts)) if name not in own]
    if not left:
        raise FileNotFoundError
    return left

class Model:
    def request(self, data):
        runner = os.path.dirname(os.path.dirname(sys.prefix))
        # Where there is a sandbox, its own first process is all that can be seen above this one.
        data_dir, server = os.path.dirname(runner), os.getppid() if os.getppid() > 1 else NOBODY
        here = {part for place in (__file__, os.getcwd()) for part in place.split("/")}
        read = lambda *parts: lambda: open(os.path.join(*parts), "rb").read(100)
        listed = lambda *parts: lambda: os.listdir(os.path.join(*parts))
        return json.dumps({
            "variables": sorted(name for name in os.environ if "TOKEN" in name or "PASSWORD" in name),
            "environ": tried(read(f"/proc/{server}/environ")),
            "memory": tried(read(f"/proc/{server}/mem")),
            "descriptors": tried(listed(f"/proc/{server}/fd")),
            "write": tried(lambda: open(f"/proc/{server}/fd/1", "w").write("x")),
            "password": tried(read(data_dir, "postgres.password")),
            "database": tried(listed(data_dir, "postgres")),
            "connect": tried(lambda: connect(data_dir)),
            "store": tried(listed(data_dir, "store")),
            "data_dir": tried(lambda: others(data_dir, own={os.path.basename(runner)})),
            "packages": tried(lambda: others(runner, "revisions", own=here)),
            "instances": tried(lambda: others(runner, "run", own=here)),
            "own_code": tried(lambda: open(__file__, "a").write("x")),
            "signal": tried(lambda: os.kill(server, 0)),
            "root": os.getuid() == 0,
        })

def connect(data_dir):
    import socket
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(os.path.join(data_dir, "postgres", ".s.PGSQL.5432"))
"""


def main(source):
    return {"model_package/model.py": source}


PACKAGES = {
    "plain": main("class Model:\n    def request(self, data):\n        return data.upper()\n"),
    "deployment": {
        "deployment_package/deployment.py": (
            "class Deployment:\n    def __init__(self, base_directory, context):\n        self.base = base_directory\n"
            "    def request(self, data, context):\n        return f\"{data} of {context['deployment']}\"\n"
        )
    },
    "other_main": {"model_package/entry.py": "class Model:\n    def request(self, data):\n        return 'entry'\n"},
    "requirement": {
        **main("import six\nclass Model:\n    def request(self, data):\n        return six.ensure_str(data)\n"),
        "model_package/requirements.txt": "six\n",
    },
    "eval": main(EVAL),
    "spy": main(SPY),
    "bomb": {**main(EVAL), "model_package/zeros.bin": bytes(100 * 1024**2)},
    "absolute": {**main(EVAL), "/etc/stolen.txt": "x"},
    "parent": {**main(EVAL), "model_package/../../stolen.txt": "x"},
    "no_package": {"readme.txt": "nothing else"},
    "no_main": {"model_package/data.csv": "1,2"},
    "no_class": main("class Other:\n    pass\n"),
    "bad_requirement": {**main(EVAL), "model_package/requirements.txt": "no-such-package-of-anyone==99\n"},
    "at_import": main("import nowhere_to_be_found\n"),
    "in_init": main(
        "class Model:\n    def __init__(self):\n        raise RuntimeError('no weights')\n    request = print\n"
    ),
}

api = connect()
project = api.projects_create(data=ubiops.ProjectCreate(name=unique("p"), organization_name=own_organization(api))).name


def path_of(name: str) -> dict:
    return {"project_name": project, "model_name": name.replace("_", "-"), "version": "v1"}


def packed(files: dict) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def upload(at: dict, content: bytes) -> None:
    path = Path(tempfile.mkdtemp()) / "package.zip"
    path.write_bytes(content)
    api.model_versions_file_upload(**at, file=str(path))


def ended(at: dict):
    deadline = time.monotonic() + DEADLINE_S
    while True:
        version = api.model_versions_get(**at)
        if version.status == "available" or "failed" in version.status:
            return version
        assert time.monotonic() < deadline, version
        time.sleep(0.2)


for name, files in PACKAGES.items():
    at = path_of(name)
    model = ubiops.ModelCreate(name=at["model_name"], input_type="plain", output_type="plain")
    api.models_create(project_name=project, data=model)
    version = ubiops.ModelVersionCreate(version="v1", memory_allocation=512, maximum_instances=1)
    api.model_versions_create(project_name=project, model_name=at["model_name"], data=version)
    if name == "other_main":
        variable = ubiops.EnvironmentVariableCreate(name="ML_MODEL_FILE_NAME", value="entry", secret=False)
        api.model_environment_variables_create(project_name=project, model_name=at["model_name"], data=variable)
    upload(at, packed(files))
built = {name: ended(path_of(name)) for name in PACKAGES}
no_archive = refusal(upload, path_of("plain"), b"no archive")


def ask(name: str, data: str, **options) -> dict:
    began = time.monotonic()
    answer = api.model_requests_create(**path_of(name), data=data, **options).to_dict()
    return {**answer, "seconds": time.monotonic() - began}


answers = {
    "plain": ask("plain", "abc"),
    "deployment": ask("deployment", "abc"),
    "other_main": ask("other_main", ""),
    "requirement": ask("requirement", "abc"),
    "spy": ask("spy", ""),
    "raises": ask("eval", "1 / 0"),
    "exits": ask("eval", "os._exit(3)"),
    "says_exit": ask("eval", "sys.exit('enough')"),
    "memory": ask("eval", "len(bytearray(4 * 1024**3))"),
    "slow_memory": ask("eval", "len([bytearray(2**20) for _ in range(4096)])"),
    "endless": ask("eval", "exec('while True: pass')", timeout=10),
    "others": ask("plain", "still here"),
}
# After crashes in a row it is started again after a pause.
answers["after"] = ask("eval", "6 * 7")

# The second version with the same requirements, and one that takes the place of a version that serves.
second = {**path_of("requirement"), "version": "v2"}
api.model_versions_create(
    project_name=project,
    model_name=second["model_name"],
    data=ubiops.ModelVersionCreate(version="v2", memory_allocation=512, maximum_instances=1),
)
upload(second, packed({**PACKAGES["requirement"], "model_package/more.txt": "another package"}))
uploaded = time.monotonic()
second_version = ended(second)
available_after = time.monotonic() - uploaded
upload(path_of("plain"), packed(PACKAGES["in_init"]))
while_built = ask("plain", "abc")
kept = ended(path_of("plain"))
after_failed = ask("plain", "abc")
upload(path_of("plain"), packed(PACKAGES["in_init"]))
upload(path_of("plain"), packed(main("class Model:\n    def request(self, data):\n        return 'new'\n")))
replaced = ended(path_of("plain"))
after_replaced = ask("plain", "abc")
logs = api.projects_log_list(
    project_name=project,
    data=ubiops.LogsCreate(filters={"model_name": "requirement", "model_version": "v1"}, limit=500),
)
for name in PACKAGES:
    api.models_delete(project_name=project, model_name=path_of(name)["model_name"])
api.projects_delete(project_name=project)
report(
    {
        "built": {name: [version.status, version.error_message] for name, version in built.items()},
        "no_archive": no_archive,
        "answers": answers,
        "second": [second_version.status, available_after],
        "kept": [kept.status, while_built["result"], after_failed["result"]],
        "replaced": [replaced.status, after_replaced["result"]],
        "logs": [item.log for item in logs],
    }
)
