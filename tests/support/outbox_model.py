"""A store without a disk, in 120 lines: what every store must do, plainly."""

from attrs import define, field

from cxone_wfm import ConflictingDuplicateError
from cxone_wfm.outbox.store import SUSPECT_CRASHES, SUSPECT_SECONDS, NewEvent


@define
class Kept:
    """An event."""

    new: NewEvent
    seq: int
    place: int


@define
class Group:
    """Events that are sent together."""

    kept: list[Kept]
    tries: int = 0
    unknown: bool = False
    crashes: int = 0
    not_before: float = 0.0
    sending: bool = False

    @property
    def suspect(self) -> bool:
        """Whether it must be sent alone."""
        return self.crashes >= SUSPECT_CRASHES


@define
class Model:
    """Streams are told by the events' own; keys are never forgotten."""

    pending: list[Kept] = field(factory=list)
    groups: list[Group] = field(factory=list)
    dead: list[Kept] = field(factory=list)
    last: dict[str, int] = field(factory=dict)
    known: dict[bytes, tuple[bytes, str, int]] = field(factory=dict)
    accepted: int = 0
    delivered: int = 0
    unsure: int = 0
    purged: int = 0
    forgotten: list[Kept] = field(factory=list)
    streams: dict[str, str] = field(factory=dict)
    places: int = 0
    asked: float | None = None

    def accept(self, events: list[NewEvent]) -> list[tuple[str, int, bool]]:
        """Id, number in the stream and whether it is a duplicate, for each."""
        last, known, fresh, said = dict(self.last), dict(self.known), [], []
        for index, new in enumerate(events):
            digest, event_id, seq = known.get(new.key, (b"", "", 0))
            if seq and digest != new.digest:
                raise ConflictingDuplicateError(index, event_id)
            if seq and (not new.key_is_content or seq == last[new.stream]):
                said.append((event_id, seq, True))
                continue
            seq = last[new.stream] = last.get(new.stream, 0) + 1
            known[new.key] = (new.digest, new.event_id, seq)
            self.streams[new.event_id] = new.stream
            fresh.append(Kept(new, seq, self.places + len(fresh)))
            said.append((new.event_id, seq, False))
        self.last, self.known, self.accepted = last, known, self.accepted + len(fresh)
        self.pending, self.places = self.pending + fresh, self.places + len(fresh)
        return said

    def give(self, kind: str, most: int, now: float, *, fresh_first: bool, first_id: str) -> Group | None:
        """The next attempt. Among sets with equally many tries, the one that begins with `first_id`."""
        self.asked = now if self.asked is None else self.asked
        sending = [each for each in self.groups if each.sending]
        trusted = now - self.asked >= SUSPECT_SECONDS
        due = [each for each in self.groups if not each.sending and each.not_before <= now]
        due = [each for each in due if trusted or not each.suspect]
        due = [each for each in due if each.kept[0].new.kind == kind]
        due = sorted(
            due,
            key=lambda each: (not each.suspect, each.tries, each.kept[0].new.event_id != first_id),
        )
        if any(each.suspect for each in (*sending, *(due[:1] if sending else []))):
            return None
        busy = {each.new.stream for group in self.groups for each in group.kept}
        heads = {each.new.stream: each for each in reversed(self.pending) if each.new.kind == kind}
        free = sorted(
            (each for each in heads.values() if each.new.stream not in busy), key=lambda each: each.place
        )
        group = due[0] if due and not (fresh_first and free) else None
        if group is None and free:
            group = Group(free[:most])
            self.groups.append(group)
            self.pending = [each for each in self.pending if each not in group.kept]
        if group is not None:
            group.sending, group.tries = True, group.tries + 1
        return group

    def requeue(self, kept: Kept) -> None:
        """Put it at the end of its stream."""
        self.dead.remove(kept)
        kept.seq = self.last[kept.new.stream] = self.last[kept.new.stream] + 1
        kept.place, self.places = self.places, self.places + 1
        if self.known.get(kept.new.key, ("", "", 0))[1] == kept.new.event_id:
            self.known[kept.new.key] = (kept.new.digest, kept.new.event_id, kept.seq)
        self.pending.append(kept)

    def forget(self, stream: str) -> int:
        """Drop what is not on its way. How many events; those pending leave a watch."""
        gone = [each for each in [*self.pending, *self.dead] if each.new.stream == stream]
        self.forgotten += [each for each in gone if each in self.pending]
        self.pending = [each for each in self.pending if each.new.stream != stream]
        self.dead = [each for each in self.dead if each.new.stream != stream]
        held = {
            each.new.event_id for group in self.groups for each in group.kept if each.new.stream == stream
        }
        self.known = {
            key: value
            for key, value in self.known.items()
            if self.streams[value[1]] != stream or value[1] in held
        }
        if not held:
            self.last.pop(stream, None)
        self.purged += len(gone)
        return len(gone)

    def restart(self, *, crash: bool) -> None:
        """Forget times; what was being sent may have arrived. An end in order breaks a row of crashes."""
        alone = sum(group.sending for group in self.groups) == 1
        survived, self.asked = self.asked is not None and not crash, None
        for group in self.groups:
            if group.sending:
                group.unknown, group.crashes = True, group.crashes + (alone or not group.suspect)
            if survived:
                group.crashes = 0
            group.sending, group.not_before = False, 0.0
