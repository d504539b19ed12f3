import pytest

from quadrat.serving.waiting import WaitingLine

pytestmark = pytest.mark.anyio


async def test_direct_goes_before_batch_and_each_in_order():
    line: WaitingLine[str] = WaitingLine()
    batch, first, second = line.join(batch=True), line.join(batch=False), line.join(batch=False)
    served = []
    while (waiter := line.next()) is not None:
        waiter.set_result("seat")
        served.append(waiter)
    assert served == [first, second, batch]


async def test_who_had_a_place_before_is_first_of_its_kind():
    line: WaitingLine[str] = WaitingLine()
    batch, direct = line.join(batch=True), line.join(batch=False)
    again = [line.join(batch=True, again=True) for _ in range(3)]
    served = []
    while (waiter := line.next()) is not None:
        waiter.set_result("seat")
        served.append(waiter)
    assert served == [direct, *again, batch], "among themselves in the order in which they lost it"


async def test_newcomer_stands_behind_its_own_kind_and_batch_behind_all():
    line: WaitingLine[str] = WaitingLine()
    assert not line.is_before(batch=True)
    line.join(batch=True)
    assert line.is_before(batch=True)
    assert not line.is_before(batch=False)
    line.join(batch=False)
    assert line.is_before(batch=False)


async def test_waiter_that_has_given_up_is_passed_over():
    line: WaitingLine[str] = WaitingLine()
    gone, stays = line.join(batch=False), line.join(batch=False)
    gone.cancel()
    assert len(line) == 1
    assert line.next() is stays


async def test_everyone_is_sent_away_with_the_reason():
    line: WaitingLine[str] = WaitingLine()
    waiters = [line.join(batch=batch) for batch in (True, False)]
    line.fail(RuntimeError("closed"))
    assert len(line) == 0
    for waiter in waiters:
        with pytest.raises(RuntimeError, match="closed"):
            await waiter
