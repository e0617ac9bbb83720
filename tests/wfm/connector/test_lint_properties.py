"""Properties of lint: it takes whatever is valid, and what it says is well formed."""

import json
import re

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from support.any_records import records

from cxone_wfm.connector.linting import RULES, Media, lint
from cxone_wfm.connector.presets import event_set
from cxone_wfm.models import AgentActivityReport, AgentState, AgentStateList, HistoricalReport

BY_ID = {rule.id: rule for rule in RULES}
STEP = re.compile(r"\.(\w+)|\[(\d+)\]")

some = settings(max_examples=40, deadline=None)

reports = records(HistoricalReport) | records(AgentActivityReport)
documents = reports | st.lists(records(AgentState), max_size=6)
options = st.fixed_dictionaries(
    {
        "media": st.none()
        | st.sampled_from(Media)
        | st.dictionaries(st.sampled_from(["8057", "8056"]), st.sampled_from(Media)),
        "now": st.none() | records(AgentState).map(lambda state: state.event_utc_time),
        "events": st.sampled_from([None, event_set("avaya_cms"), event_set("livevox")]),
    }
)


def on_the_wire(document):
    record = AgentStateList(agent_state_list=document) if isinstance(document, list) else document
    return json.loads(record.to_json())


def leads_somewhere(document, path):
    """Whether the path names a value of the document, or a key that may stand there and does not."""
    steps = [key or int(index) for key, index in STEP.findall(path)]
    assert path == "$" + "".join(match[0] for match in STEP.finditer(path))
    for step in steps[:-1]:
        document = document[step]
    return isinstance(document, dict) or steps[-1] < len(document)


@some
@given(st.lists(documents, max_size=4), options)
def test_lint_takes_whatever_is_valid_and_its_findings_are_well_formed(judged, told):
    for finding in lint(*judged, **told):
        rule = BY_ID[finding.rule]
        assert (finding.severity, finding.advice) == (rule.severity, rule.advice)
        assert leads_somewhere(on_the_wire(judged[finding.document]), finding.path)
        assert str(finding).isprintable()
        assert "None" not in finding.problem
        assert finding.figures or finding.rule == "WFM705"
        assert json.loads(json.dumps(dict(finding.figures))) == finding.figures


@some
@given(documents, documents, options)
def test_a_second_document_takes_nothing_from_what_is_found_in_the_first(one, other, told):
    alone = [each for each in lint(one, **told) if not each.rule.startswith("WFM7")]
    beside = [attrs.evolve(each, document=1) for each in lint(other, **told)]
    together = [each for each in lint(one, other, **told) if not each.rule.startswith("WFM7")]
    assert together == alone + beside


@some
@given(documents, options)
def test_the_same_document_gives_the_same_findings_after_a_journey_as_json(document, told):
    record = AgentStateList(agent_state_list=document) if isinstance(document, list) else document
    assert lint(type(record).from_json(record.to_json()), **told) == lint(document, **told)
