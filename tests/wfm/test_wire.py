"""What is generated for a record's class does what attrs' own does, only faster."""

import inspect
import threading
from datetime import datetime, timezone

import attrs
import pytest

from cxone_wfm import ValidationError
from cxone_wfm._kinds import Count, Instant, Name, to_instant
from cxone_wfm.models._record import Record

NOON = datetime(2024, 4, 17, 12, 0, tzinfo=timezone.utc)


def new_class():
    """A record's class of which nothing was built yet."""

    @attrs.frozen(kw_only=True)
    class Sample(Record):
        name: Name
        count: Count | None = None
        at: Instant = attrs.field(default=NOON, converter=to_instant)

    return Sample


def test_the_first_and_the_second_record_are_the_same():
    sample = new_class()
    first, second = sample(name="a", count=1), sample(name="a", count=1)
    assert first == second
    assert hash(first) == hash(second)
    assert type(first) is type(second) is sample
    assert repr(second).endswith(f"Sample(name='a', count=1, at={NOON!r})")
    assert second.to_json() == b'{"name":"a","count":1,"at":"2024-04-17T12:00:00.000Z"}'


@pytest.mark.parametrize("before", [0, 1], ids=["first", "second"])
def test_no_record_can_be_changed(before):
    sample = new_class()
    made = [sample(name="a") for _ in range(before + 1)][-1]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.name = "b"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        del made.name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.__class__ = sample


@pytest.mark.parametrize("before", [0, 1], ids=["first", "second"])
def test_every_record_is_converted_and_checked(before):
    sample = new_class()
    for _ in range(before):
        sample(name="a")
    assert sample(name="a", at=NOON.replace(microsecond=1999)).at.microsecond == 1000
    with pytest.raises(ValidationError) as caught:
        sample(name="", count=-1, at=NOON.replace(tzinfo=None))
    assert [fault.path for fault in caught.value.faults] == ["$.name", "$.count", "$.at"]


@pytest.mark.parametrize("before", [0, 1], ids=["first", "second"])
def test_wrong_arguments_are_type_errors(before):
    sample = new_class()
    for _ in range(before):
        sample(name="a")
    for wrong in ({}, {"name": "a", "unknown": 1}):
        with pytest.raises(TypeError):
            sample(**wrong)
    with pytest.raises(TypeError):
        sample("a")


def test_the_signature_that_tools_see_stays():
    sample = new_class()
    before = inspect.signature(sample)
    sample(name="a")
    assert inspect.signature(sample) == before
    assert inspect.signature(sample).parameters["count"].default is None


def test_many_threads_may_build_the_first_record():
    sample = new_class()
    together = threading.Barrier(16)
    made = []

    def build(number):
        together.wait()
        made.extend(sample(name=str(number), count=i) for i in range(50))

    threads = [threading.Thread(target=build, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 16 * 50
    assert {type(each) for each in made} == {sample}
