"""What every runner does, with real processes and packages as people upload them."""

import asyncio
import json
from typing import Any

import pytest
from tests.unit.runner.conftest import MIB, OWN_LANGUAGE, Workbench

from quadrat.runner.base import BuildError, BuildStage, Instance, InstanceLostError, Reply, RequestTimeoutError

pytestmark = pytest.mark.anyio

ECHO = """
class Model:
    def __init__(self, base_directory, context):
        pass
    def request(self, data):
        return data
"""
VERSATILE = """
import os, subprocess, sys, time
class Model:
    def __init__(self, base_directory, context):
        self.context = context
    def request(self, data):
        return eval(data["do"], {"os": os, "sys": sys, "time": time, "subprocess": subprocess, "data": data})
"""


async def ask(instance: Instance, data: Any, request_id: str = "r", timeout_s: float = 20.0) -> Reply:
    return await instance.send(request_id, json.dumps(data).encode(), timeout_s)


class TestPackages:
    async def test_start_model_package_gets_base_directory_and_context(self, bench: Workbench) -> None:
        model = """
import os
class Model:
    def __init__(self, base_directory, context):
        with open(os.path.join(base_directory, "weights.txt")) as weights:
            self.weights = weights.read()
        self.context = context
    def request(self, data):
        return {"weights": self.weights, "context": self.context, "variable": os.environ["LEVEL"]}
"""
        files = {"model_package/model.py": model, "model_package/weights.txt": "w1"}
        instance = await bench.start(files, context={"model": "m", "version": "v"}, environment={"LEVEL": "9"})
        reply = await ask(instance, {})
        assert json.loads(reply.result) == {
            "weights": "w1",
            "context": {"model": "m", "version": "v", "environment_variables": {"LEVEL": "9"}},
            "variable": "9",
        }
        assert reply.success
        assert reply.error_message is None
        assert reply.duration_ns > 0

    async def test_start_deployment_package_calls_request_with_context(self, bench: Workbench) -> None:
        deployment = """
class Deployment:
    def __init__(self, context):
        self.name = context["deployment"]
    def request(self, data, context):
        return [self.name, context["deployment"], data]
"""
        instance = await bench.start({"deployment_package/deployment.py": deployment}, context={"deployment": "d"})
        assert json.loads((await ask(instance, 1)).result) == ["d", "d", 1]

    async def test_start_directory_of_any_name_with_noise_beside_it_runs(self, bench: Workbench) -> None:
        files = {"plankton-1.0/model.py": ECHO, "__MACOSX/._model.py": "x", "README.md": "x"}
        assert (await ask(await bench.start(files), "hello")).result == b'"hello"'

    @pytest.mark.parametrize("declared", ["other", "other.py", "deep/other"])
    async def test_start_declared_main_file_replaces_model(self, bench: Workbench, declared: str) -> None:
        main = "import os\nclass Model:\n def __init__(self, base_directory): self.base = base_directory\n"
        main += " def request(self, data): return os.path.basename(self.base)\n"
        files = {"model_package/other.py": main, "model_package/deep/other.py": main, "model_package/model.py": "1/0"}
        instance = await bench.start(files, environment={"ML_MODEL_FILE_NAME": declared})
        folder = "deep" if "/" in declared else "model_package"
        assert json.loads((await ask(instance, {})).result) == folder

    async def test_start_libraries_folder_is_importable(self, bench: Workbench) -> None:
        files = {
            "model_package/model.py": "import helper, beside\n"
            + ECHO.replace("return data", "return helper.X+beside.Y"),
            "model_package/libraries/helper.py": "X = 40",
            "model_package/beside.py": "Y = 2",
        }
        assert (await ask(await bench.start(files), {})).result == b"42"

    async def test_start_requirement_is_installed_and_logged(self, bench: Workbench) -> None:
        files = {
            "model_package/model.py": "import six\n" + ECHO.replace("return data", "return six.__version__"),
            "model_package/requirements.txt": "# comment\r\nsix==1.17.0\r\n",
        }
        instance = await bench.start(files)
        assert json.loads((await ask(instance, {})).result) == "1.17.0"

    async def test_prepare_unknown_requirement_names_it(self, bench: Workbench) -> None:
        files = {"model_package/model.py": ECHO, "model_package/requirements.txt": "six==99.0\n"}
        with pytest.raises(BuildError, match=r"six==99\.0") as refused:
            await bench.prepare(files)
        assert refused.value.stage is BuildStage.REQUIREMENTS
        assert any("six" in line.text for line in bench.lines)

    async def test_prepare_language_without_interpreter_uses_newer_and_says_so(self, bench: Workbench) -> None:
        prepared = await bench.prepare({"model_package/model.py": ECHO}, language="python3.5")
        assert prepared.language != "python3.5"
        assert any("python3.5 is not installed" in text for text in bench.texts(system=True))

    async def test_prepare_other_language_is_refused(self, bench: Workbench) -> None:
        with pytest.raises(BuildError, match=r"r4\.0"):
            await bench.prepare({"model_package/model.py": ECHO}, language="r4.0")

    async def test_prepare_twice_fetches_once(self, bench: Workbench) -> None:
        files = {"model_package/model.py": ECHO, "model_package/unique.txt": "fetched once"}
        first = await bench.prepare(files)
        bench.lines.clear()
        assert await bench.prepare(files) == first
        assert bench.lines == []


class TestFailingStart:
    @pytest.mark.parametrize(
        ("model", "text"),
        [
            ("import no_such_module", "model.py could not be imported: ModuleNotFoundError: No module named"),
            ("class Model(:", "model.py could not be imported: SyntaxError"),
            ("raise SystemExit(3)", "model.py could not be imported: SystemExit: 3"),
            ("x = 1", "The class Model is missing in model.py"),
            ("class Model: pass", "has no method request"),
            ("class Model:\n def __init__(self): raise ValueError('bad weights')\n def request(self, data): 0",
             "Model.__init__ failed: ValueError: bad weights"),
            ("import os; os._exit(7)", "exit code 7"),
            ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ],
    )  # fmt: skip
    async def test_start_broken_model_says_why(self, bench: Workbench, model: str, text: str) -> None:
        with pytest.raises(BuildError) as refused:
            await bench.start(model)
        assert text in refused.value.message
        assert refused.value.stage is BuildStage.START

    async def test_start_missing_declared_main_file_is_named(self, bench: Workbench) -> None:
        with pytest.raises(BuildError, match=r"names gone\.py, which is not in model_package"):
            await bench.start(ECHO, environment={"ML_MODEL_FILE_NAME": "gone"})

    async def test_start_failing_import_writes_traceback_without_own_frames(self, bench: Workbench) -> None:
        with pytest.raises(BuildError):
            await bench.start("def inner():\n    return 1 / 0\ninner()\n")
        log = "\n".join(bench.texts())
        assert "ZeroDivisionError" in log
        assert "in inner" in log
        assert "exec_module" not in log

    async def test_start_too_slow_is_ended(self, bench: Workbench) -> None:
        with pytest.raises(BuildError, match=r"could not be loaded within 0\.5 seconds"):
            await bench.start("import time; time.sleep(600)", start_timeout_s=0.5)

    async def test_start_variable_that_no_process_can_have_is_refused(self, bench: Workbench) -> None:
        with pytest.raises(BuildError, match="could not be started"):
            await bench.start(ECHO, environment={"A": "nul\0"})


class TestRequests:
    @pytest.mark.parametrize("data", ["", "ä€😀", {"a": [1, 2.5, None, True], "": {}}, [], 0, "x" * 3_000_000])
    async def test_send_any_json_comes_back(self, bench: Workbench, data: Any) -> None:
        reply = await ask(await bench.start(ECHO), data)
        assert json.loads(reply.result) == data

    async def test_send_raising_model_fails_with_text_and_logs_traceback(self, bench: Workbench) -> None:
        instance = await bench.start(ECHO.replace("return data", "raise ValueError('Asset ID not supported')"))
        reply = await ask(instance, {}, "r-raise")
        assert reply == Reply(False, b"null", "Asset ID not supported", reply.duration_ns)
        log = "\n".join(bench.texts("r-raise"))
        assert "ValueError: Asset ID not supported" in log
        assert "shim" not in log
        assert (await ask(instance, {})).success is False

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("raise KeyError()", "KeyError"),
            ("raise RuntimeError('x' * 5000)", "x" * 2000),
            ("sys.exit(4)", "The model called sys.exit(4)."),
            ("return {1, 2} if False else object()", "The result of the model's request method is not JSON"),
            ("raise Broken()", "Broken"),
        ],
    )
    async def test_send_failing_body_gives_message(self, bench: Workbench, body: str, message: str) -> None:
        broken = "class Broken(Exception):\n    def __str__(self): raise ValueError\n"
        instance = await bench.start("import sys\n" + broken + ECHO.replace("return data", body))
        reply = await ask(instance, {})
        assert reply.success is False
        assert reply.error_message is not None
        assert reply.error_message.startswith(message)
        assert len(reply.error_message) <= 2000
        assert instance.alive

    async def test_send_many_at_once_answers_in_order_each_with_its_own(self, bench: Workbench) -> None:
        instance = await bench.start(ECHO)
        order: list[int] = []

        async def one(number: int) -> None:
            reply = await ask(instance, {"n": number})
            order.append(json.loads(reply.result)["n"])

        await asyncio.gather(*(one(number) for number in range(500)))
        assert order == list(range(500))

    async def test_send_several_at_once_works_on_one_at_a_time(self, bench: Workbench) -> None:
        model = ECHO.replace("pass", "self.busy = 0").replace(
            "return data", "self.busy += 1; seen = self.busy; time.sleep(0.05); self.busy -= 1; return seen"
        )
        instance = await bench.start("import time\n" + model)
        replies = await asyncio.gather(*(ask(instance, {}) for _ in range(4)))
        assert {reply.result for reply in replies} == {b"1"}

    async def test_send_cancelled_before_its_turn_never_runs(self, bench: Workbench) -> None:
        instance = await bench.start(VERSATILE)
        first = asyncio.create_task(ask(instance, {"do": "time.sleep(0.3)"}))
        second = asyncio.create_task(ask(instance, {"do": "print('SECOND RAN', flush=True)"}, "r-second"))
        third = asyncio.create_task(ask(instance, {"do": "1"}))
        await asyncio.sleep(0.05)
        second.cancel()
        assert (await first).success
        assert (await third).result == b"1"
        assert bench.texts("r-second") == []

    async def test_send_past_deadline_while_waiting_leaves_instance_alone(self, bench: Workbench) -> None:
        instance = await bench.start(VERSATILE)
        first = asyncio.create_task(ask(instance, {"do": "time.sleep(0.5)"}))
        await asyncio.sleep(0)
        with pytest.raises(RequestTimeoutError):
            await ask(instance, {"do": "print('LATE', flush=True)"}, "r-late", timeout_s=0.1)
        assert (await first).success
        assert (await ask(instance, {"do": "2"})).result == b"2"
        assert bench.texts("r-late") == []


class TestLostInstances:
    async def test_send_endless_loop_is_killed_and_those_behind_are_handed_back(self, bench: Workbench) -> None:
        instance = await bench.start(VERSATILE)
        endless = asyncio.create_task(ask(instance, {"do": "[0 for _ in iter(int, 1)]"}, timeout_s=0.4))
        await asyncio.sleep(0)
        behind = asyncio.create_task(ask(instance, {"do": "1"}))
        with pytest.raises(RequestTimeoutError, match=r"longer than 0\.4 seconds"):
            await endless
        with pytest.raises(InstanceLostError) as lost:
            await behind
        assert lost.value.began is False
        assert not instance.alive
        assert "0.4 seconds" in await instance.wait_closed()

    async def test_send_cancelled_endless_loop_still_ends_at_its_deadline(self, bench: Workbench) -> None:
        instance = await bench.start(VERSATILE)
        endless = asyncio.create_task(ask(instance, {"do": "time.sleep(600)"}, timeout_s=0.4))
        await asyncio.sleep(0.1)
        endless.cancel()
        assert "0.4 seconds" in await instance.wait_closed()

    @pytest.mark.parametrize(
        ("do", "reason"),
        [
            ("os._exit(3)", "exit code 3"),
            ("os.abort()", "SIGABRT"),
            ("os.kill(os.getpid(), 9)", "killed by the system"),
        ],
    )
    async def test_send_dying_model_gives_lost_with_reason(self, bench: Workbench, do: str, reason: str) -> None:
        instance = await bench.start(VERSATILE)
        with pytest.raises(InstanceLostError, match=reason) as lost:
            await ask(instance, {"do": f"[print('last words', end='', flush=True), {do}]"}, "r-dying")
        assert lost.value.began is True
        assert reason in await instance.wait_closed()
        assert "last words" in "".join(bench.texts("r-dying"))
        with pytest.raises(InstanceLostError, match=reason):
            await ask(instance, {"do": "1"})

    async def test_send_using_too_much_memory_ends_instance_with_clear_message(self, bench: Workbench) -> None:
        instance = await bench.start(VERSATILE, memory_limit_bytes=256 * MIB)
        with pytest.raises(InstanceLostError, match="used more than 256 MiB of memory"):
            await ask(instance, {"do": "[b'x' * (400 << 20), time.sleep(30)]"})
        assert "256 MiB" in await instance.wait_closed()

    async def test_send_memory_of_grandchildren_counts(self, bench: Workbench) -> None:
        instance = await bench.start(VERSATILE, memory_limit_bytes=256 * MIB)
        child = "subprocess.run([sys.executable, '-c', 'x = b\\'x\\' * (400 << 20); import time; time.sleep(30)'])"
        with pytest.raises(InstanceLostError, match="used more than 256 MiB of memory"):
            await ask(instance, {"do": child})

    async def test_send_absurd_allocation_fails_the_request_only(self, bench: Workbench) -> None:
        instance = await bench.start(VERSATILE, memory_limit_bytes=256 * MIB)
        reply = await ask(instance, {"do": "bytearray(1 << 50)"})
        assert reply.error_message == "The model used more than 256 MiB of memory."
        assert (await ask(instance, {"do": "1"})).success

    async def test_send_memory_below_limit_with_many_threads_lives(self, bench: Workbench) -> None:
        threads = "import threading\n"
        threads += "for _ in range(64): threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n"
        instance = await bench.start(
            VERSATILE.replace("class Model", threads + "class Model"), memory_limit_bytes=256 * MIB
        )
        assert (await ask(instance, {"do": "len(b'x' * (100 << 20))"})).success


class TestStop:
    async def test_stop_runs_exit_handlers_and_is_safe_twice(self, bench: Workbench) -> None:
        instance = await bench.start("import atexit\natexit.register(lambda: print('goodbye'))\n" + ECHO)
        await asyncio.gather(instance.stop(), instance.stop())
        await instance.stop()
        assert await instance.wait_closed() == "The instance was stopped."
        assert not instance.alive
        assert bench.texts() == ["goodbye"]

    async def test_stop_busy_instance_is_killed_after_grace(self, bench: Workbench) -> None:
        instance = await bench.start(VERSATILE)
        busy = asyncio.create_task(ask(instance, {"do": "time.sleep(600)"}, timeout_s=700))
        await asyncio.sleep(0.05)
        await instance.stop(grace_s=0.2)
        with pytest.raises(InstanceLostError, match="was stopped"):
            await busy

    async def test_stop_lets_request_in_work_finish(self, bench: Workbench) -> None:
        instance = await bench.start(VERSATILE)
        busy = asyncio.create_task(ask(instance, {"do": "[time.sleep(0.3), 5][1]"}))
        await asyncio.sleep(0.05)
        await instance.stop(grace_s=10)
        assert (await busy).result == b"5"


class TestLogs:
    async def test_print_carries_request_id_whoever_writes(self, bench: Workbench) -> None:
        instance = await bench.start("print('importing')\n" + VERSATILE)
        do = (
            "[print('py'), print('err', file=sys.stderr), os.write(1, b'raw\\n'), os.system('echo child; printf tail')]"
        )
        await ask(instance, {"do": do}, "r-1")
        await ask(instance, {"do": "print('next', end='')"}, "r-2")
        assert bench.texts("r-1") == ["py", "err", "raw", "child", "tail"]
        assert bench.texts("r-2") == ["next"]
        assert bench.texts() == ["importing"]

    async def test_pipelined_prints_are_told_apart(self, bench: Workbench) -> None:
        instance = await bench.start(VERSATILE)
        do = "os.write(1, data['n'].encode() + (b'' if int(data['n']) % 2 else b'\\n'))"
        await asyncio.gather(*(ask(instance, {"do": do, "n": str(n)}, f"p-{n}") for n in range(300)))
        assert {n: bench.texts(f"p-{n}") for n in range(300)} == {n: [str(n)] for n in range(300)}

    async def test_line_is_given_out_before_request_ends(self, bench: Workbench) -> None:
        instance = await bench.start(VERSATILE)
        seen = asyncio.Event()
        bench.lines = _Watched(seen)
        instance = await bench.start(VERSATILE)
        busy = asyncio.create_task(ask(instance, {"do": "[print('step 1'), time.sleep(600)]"}, "r-live", timeout_s=700))
        async with asyncio.timeout(10):
            await seen.wait()
        assert bench.lines[-1].request_id == "r-live"
        busy.cancel()

    async def test_very_long_line_is_cut(self, bench: Workbench) -> None:
        instance = await bench.start(VERSATILE)
        await ask(instance, {"do": "print('x' * 5_000_000)"}, "r-long")
        (text,) = bench.texts("r-long")
        assert 64 * 1024 <= len(text) < 64 * 1024 + 30
        assert text.endswith("(line cut)")

    async def test_flood_is_bounded_and_said(self, bench: Workbench) -> None:
        instance = await bench.start(VERSATILE)
        await ask(instance, {"do": "[print(n) for n in range(200_000)][:0]"}, "r-flood", timeout_s=60)
        assert 10_000 <= len(bench.texts("r-flood")) < 60_000
        (left_out,) = bench.texts("r-flood", system=True)
        assert left_out.endswith("lines were left out: the model writes too many.")
        assert int(left_out.split()[0]) + len(bench.texts("r-flood")) == 200_000

    async def test_bytes_that_are_no_text_are_shown_replaced(self, bench: Workbench) -> None:
        instance = await bench.start(VERSATILE)
        await ask(instance, {"do": "os.write(1, b'a\\xff\\x00b\\r\\n\\n10%\\r20%\\n')"}, "r-bytes")
        assert bench.texts("r-bytes") == ["a��b", "20%"]

    async def test_closed_stdout_disturbs_nothing(self, bench: Workbench) -> None:
        instance = await bench.start(VERSATILE)
        do = "[sys.stdout.close(), os.close(1), sys.stderr.close(), os.close(2)]"
        assert (await ask(instance, {"do": do})).success
        assert (await ask(instance, {"do": OWN_LANGUAGE[-1]})).success


class _Watched(list):  # type: ignore[type-arg]
    def __init__(self, seen: asyncio.Event) -> None:
        super().__init__()
        self._seen = seen

    def append(self, line: Any) -> None:
        super().append(line)
        if line.text == "step 1":
            self._seen.set()
