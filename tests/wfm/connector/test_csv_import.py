"""CSV exports to reports: units, zones and dates as the mapping says, and every fault at once."""

import json
from datetime import datetime, timezone
from decimal import localcontext

import pytest

from cxone_wfm import ConfigurationError, ValidationError
from cxone_wfm.connector.csv_import import CsvMapping, import_tables, read_table

QUEUES = {
    "acd_type": "Generic_Avaya",
    "rows": "queue_report",
    "interval": {"columns": ["Date", "Time"], "format": "%d.%m.%Y %H:%M", "zone": "America/New_York"},
    "columns": {
        "queue_value": "Skill",
        "contacts_received": "Offered",
        "handled_long": "Answered",
        "handle_time": {"column": "Talk", "unit": "h:mm:ss"},
        "hold_time": {"column": "Hold", "unit": "ms"},
        "work_time": {"column": "Work", "unit": "min"},
        "queue_delay_time": {"column": "Wait", "unit": "s"},
        "svc_lvl_pct": "Level",
    },
    "constants": {"is_outbound": False, "active": 0},
    "delimiter": ";",
}
HEADER = "Date;Time;Skill;Offered;Answered;Talk;Hold;Work;Wait;Level;Unused\n"
LINE = "17.04.2024;06:15;12;25;20;1:06:40;400500;15.5;300.25;97.5;x\n"


def mapping_of(**changes):
    return CsvMapping.from_json(json.dumps({**QUEUES, **changes}))


def read(text, **changes):
    return read_table(text.encode(), mapping_of(**changes), "queues.csv")


def one(table):
    (imported,) = import_tables([table])
    return imported


def faults(text, **changes):
    with pytest.raises(ValidationError) as caught:
        read(text, **changes)
    return [str(fault) for fault in caught.value.faults]


def problems(**changes):
    with pytest.raises(ConfigurationError) as caught:
        mapping_of(**changes)
    return list(caught.value.problems)


def interval(**changes):
    return {"interval": {**QUEUES["interval"], **changes}}


# --- what comes out ----------------------------------------------------------------------------------


def test_a_line_becomes_a_row_with_its_units_in_the_interval_of_its_zone():
    report = one(read(HEADER + LINE)).report
    assert (report.start_date, report.end_date) == (
        datetime(2024, 4, 17, 10, 15, tzinfo=timezone.utc),
        datetime(2024, 4, 17, 10, 30, tzinfo=timezone.utc),
    )
    assert report.acd_type == "Generic_Avaya"
    (row,) = json.loads(report.to_json())["reportData"]["queueReport"]
    assert row == {
        "queueValue": "12",
        "isOutbound": False,
        "active": 0,
        "contactsReceived": 25,
        "handledLong": 20,
        "handleTime": 4000,
        "holdTime": 400.5,
        "workTime": 930,
        "queueDelayTime": 300.25,
        "svcLvlPct": 97.5,
    }


def test_a_precision_that_the_program_has_set_rounds_no_figure():
    with localcontext() as context:
        context.prec = 2
        row = one(read(HEADER + LINE)).report.report_data.queue_report[0]
    assert (row.hold_time, row.work_time, row.queue_delay_time) == (400.5, 930, 300.25)


def test_lines_come_out_by_interval_in_the_order_of_time():
    later = LINE.replace("06:15", "06:30")
    other = LINE.replace(";12;", ";13;")
    imported = import_tables([read(HEADER + later + LINE + other)])
    assert [each.report.start_date.minute for each in imported] == [15, 30]
    assert [len(each.report.report_data.queue_report) for each in imported] == [2, 1]
    assert imported[0].report.report_data.agent_queue_report is None


def test_exports_of_queues_and_agents_become_one_report():
    agents = {
        "acd_type": "Generic_Avaya",
        "rows": "agent_system_performance_report",
        "interval": {"columns": "Start"},
        "columns": {"agent_value": "Agent", "login_time": {"column": "Staffed", "unit": "s"}},
    }
    table = read_table(
        b"Start,Agent,Staffed\n2024-04-17T10:15Z,ann,900\n2024-04-17T12:15+02:00,bob,30\n",
        CsvMapping.from_json(json.dumps(agents)),
        "agents.csv",
    )
    (imported,) = import_tables([read(HEADER + LINE), table])
    rows = imported.report.report_data.agent_system_performance_report
    assert [(row.agent_value, row.login_time) for row in rows] == [("ann", 900), ("bob", 30)]
    assert imported.place("$.reportData.agentSystemPerformanceReport[1].loginTime") == (
        "agents.csv line 3, column Staffed"
    )
    assert imported.place("$.reportData.queueReport[0]") == "queues.csv line 2"
    assert imported.place("$.reportData.queueReport[0].queueName") == "queues.csv line 2"
    assert imported.place("$.startDate") is None


def test_different_types_of_acd_do_not_go_together():
    with pytest.raises(ValidationError, match="acd_type: found Generic_Avaya, Other"):
        import_tables([read(HEADER + LINE), read(HEADER + LINE, acd_type="Other")])


def test_an_empty_cell_is_not_known_and_not_zero():
    row = one(read(HEADER + LINE.replace("400500", " "))).report.report_data.queue_report[0]
    assert row.hold_time is None


def test_blank_lines_blanks_quotes_and_a_byte_order_mark_do_no_harm():
    text = (
        "\ufeff" + HEADER + '\n"17.04.2024"; 06:15 ;" 12 ";25;20;1:06:40;400500;15.5;300.25;97.5;"x\n;y"\n\n'
    )
    assert one(read(text)).report == one(read(HEADER + LINE)).report
    assert one(read(text, encoding="utf-8")).report == one(read(HEADER + LINE)).report


def test_another_encoding_is_read_as_the_mapping_says():
    columns = {"queue_value": "Skill", "queue_name": "Größe"}
    mapping = mapping_of(encoding="cp1252", columns=columns, constants={})
    table = read_table("Date;Time;Skill;Größe\n17.04.2024;06:15;12;Käufe\n".encode("cp1252"), mapping, "x")
    assert one(table).report.report_data.queue_report[0].queue_name == "Käufe"


def test_true_and_false_are_read_in_a_column_of_directions():
    columns = {"queue_value": "Skill", "is_outbound": "Out"}
    text = "Date;Time;Skill;Out\n17.04.2024;06:15;12;TRUE\n17.04.2024;06:15;13;false\n"
    rows = one(read(text, columns=columns, constants={})).report.report_data.queue_report
    assert [row.is_outbound for row in rows] == [True, False]


# --- presets -----------------------------------------------------------------------------------------

AVAYA = {
    "acd_type": "Generic_Avaya",
    "rows": "queue_report",
    "interval": {"columns": "start"},
    "columns": {"queue_value": "split"},
    "preset": "avaya_cms",
}
AVAYA_CSV = (
    "start,split,callsoffered,acdcalls,acceptable,abncalls,slvlabns,acdtime,holdtime,acwtime,anstime\n"
    "2024-04-17T10:15Z,12,25,20,15,5,2,3600,400,900,300\n"
)


def read_avaya(text, **changes):
    return read_table(text.encode(), CsvMapping.from_json(json.dumps({**AVAYA, **changes})), "hsplit.csv")


def test_a_preset_knows_the_formulas_of_its_acd():
    row = one(read_avaya(AVAYA_CSV)).report.report_data.queue_report[0]
    assert (row.handled_short, row.handled_long, row.handle_time, row.work_time) == (15, 5, 4000, 900)
    assert row.active is None


def test_fields_of_a_preset_can_be_left_out_or_taken_from_elsewhere():
    columns = {"queue_value": "split", "hold_time": {"column": "held", "unit": "s"}}
    text = AVAYA_CSV.replace("slvlabns", "other").replace("start,", "start,held,").replace("Z,", "Z,7,")
    without = ["abandoned_short", "abandoned_long", "hold_time"]
    row = one(read_avaya(text, columns=columns, without=without)).report.report_data.queue_report[0]
    assert (row.hold_time, row.abandoned_long, row.handle_time) == (7, None, 4000)


def test_the_columns_of_a_preset_are_told_by_line_and_column():
    with pytest.raises(ValidationError) as caught:
        read_avaya(AVAYA_CSV.replace(",3600,", ",,").replace(",900,", ",x,"))
    assert [str(fault) for fault in caught.value.faults] == [
        "line 2, column acdtime: found '', expected a number of at least 0",
        "line 2, column acwtime: found 'x', expected a number of at least 0",
    ]
    with pytest.raises(ValidationError, match="field handled_long: found -5 as acdcalls - acceptable"):
        read_avaya(AVAYA_CSV.replace(",20,15,", ",10,15,"))
    with pytest.raises(ValidationError, match="line 1, column anstime: found no such column"):
        read_avaya(AVAYA_CSV.replace("anstime", "abntime"))


def test_columns_with_a_point_in_their_names_are_told_as_they_stand_in_the_header():
    statistics = ["nOffered.count", "tHandle.count", "tAbandon.count", "tTalk.sum", "tHeld.sum", "tAcw.sum"]
    header = ",".join(["start", "split", *statistics, "tAnswered.sum"])
    with pytest.raises(ValidationError) as caught:
        read_avaya(f"{header}\n2024-04-17T10:15Z,12,1,x,1,1,1,1,\n", preset="genesys_cloud")
    assert [fault.path for fault in caught.value.faults] == [
        "line 2, column tAnswered.sum",
        "line 2, column tHandle.count",
    ]


# --- zones -------------------------------------------------------------------------------------------


def test_a_time_that_comes_twice_is_refused_unless_the_mapping_says_which():
    text = HEADER + LINE.replace("17.04.2024;06:15", "03.11.2024;01:15")
    (fault,) = faults(text)
    assert fault == (
        "line 2, column Date, Time: found '03.11.2024 01:15', which comes twice in America/New_York,"
        " expected interval.fold: 0 for the first, 1 for the second"
    )
    hours = [one(read(text, **interval(fold=fold))).report.start_date.hour for fold in (0, 1)]
    assert hours == [5, 6]


def test_a_time_that_is_skipped_is_refused_whatever_the_mapping_says():
    text = HEADER + LINE.replace("17.04.2024;06:15", "10.03.2024;02:15")
    (fault,) = faults(text, **interval(fold=1))
    assert "which America/New_York skips" in fault


def test_an_interval_that_no_clock_can_end_is_a_fault():
    (fault,) = faults(HEADER + LINE.replace("17.04.2024;06:15", "31.12.9999;18:45"))
    assert "found '31.12.9999 18:45', expected the start of an interval" in fault


def test_a_time_without_a_zone_needs_one():
    assert any("interval: zone is missing" in each for each in problems(**interval(zone=None)))
    text = HEADER + LINE.replace("17.04.2024;06:15", "2024-04-17;06:15")
    iso = {"interval": {"columns": ["Date"]}}
    (fault,) = faults(text, **iso)
    assert "found '2024-04-17', a time without its zone, expected the zone of the times" in fault
    with_offset = interval(zone=None, format="%Y-%m-%d %H:%M%z", columns=["Date", "Time"])
    assert one(read(text.replace("06:15", "06:15+0530"), **with_offset)).report.start_date.hour == 0


def test_a_format_that_no_time_can_have_is_told_with_the_line():
    (fault,) = faults(HEADER + LINE, **interval(format="%d.%m.%Y %H:%M %Y"))
    assert fault.startswith("line 2, column Date, Time: found '17.04.2024 06:15', expected the start of")


# --- faults ------------------------------------------------------------------------------------------


def test_every_fault_is_told_at_once_with_its_line_and_column():
    wrong = [
        LINE.replace("06:15", "06:20"),
        LINE.replace("17.04", "32.04"),
        LINE.replace(";25;", ";-1;"),
        LINE.replace(";25;", ";2.5;"),
        LINE.replace("1:06:40", "66:40"),
        LINE.replace("300.25", "1,5"),
        LINE.replace(";12;", ";;"),
        LINE.replace("97.5", "101"),
        LINE.replace(";x", ""),
        LINE,
    ]
    found = faults(HEADER + "".join(wrong))
    assert [fault.partition(":")[0] for fault in found] == [
        "line 2, column Date, Time",
        "line 3, column Date, Time",
        "line 4, column Offered",
        "line 5, column Offered",
        "line 6, column Talk",
        "line 7, column Wait",
        "line 8, column Skill",
        "line 9, column Level",
        "line 10",
    ]
    assert "not on the 15-minute UTC grid" in found[0]
    assert "found '66:40', expected seconds: a number of at least 0, in the column's unit h:mm:ss" in found[4]
    assert found[8] == "line 10: found 10 cells, expected 11, as the header has"


def test_a_header_without_the_columns_is_told_before_any_line():
    found = faults("Date;Time;Skill;Skill\n" + LINE)
    assert found[0] == "line 1, column Skill: found it 2 times, expected it once in the header"
    assert found[1] == "line 1, column Offered: found no such column, expected it once in the header"
    assert len(found) == 8


@pytest.mark.parametrize("text", ["", HEADER, "\n\n"])
def test_a_file_without_data_is_a_fault_and_not_a_quiet_day(text):
    (fault,) = faults(text)
    assert "no line of data" in fault


def test_broken_quotes_and_a_wrong_encoding_are_told():
    assert faults(HEADER + LINE + 'a"b;"c') == [
        "line 3: found unexpected end of data, expected CSV with balanced quotes"
    ]
    with pytest.raises(ValidationError, match=r"byte 0xf6 in position 2.*, expected text in utf-8"):
        read_table("Größe".encode("cp1252") + b"aa", mapping_of(), "x")
    with pytest.raises(ValidationError, match="expected text in punycode"):
        read_table(b"a-\xff", mapping_of(encoding="punycode"), "x")


# --- mappings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [b"\xff", "{", "[]", "7"])
def test_a_mapping_must_be_a_json_object(text):
    with pytest.raises(ConfigurationError, match="the mapping"):
        CsvMapping.from_json(text)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"colums": {}}, "colums is no key of a mapping"),
        ({"rows": "queues"}, "rows must be one of queue_report, agent_queue_report"),
        ({"acd_type": ""}, "acd_type must be a text"),
        ({"interval": "Start"}, "interval must be an object"),
        (interval(zone="Mars/Olympus"), "interval: zone must be a zone of the tz database"),
        (interval(zone="../etc"), "interval: zone must be a zone of the tz database"),
        (interval(zone=7), "interval: zone must be a zone of the tz database"),
        (interval(format=7), "interval: format must be a text"),
        (interval(fold=2), "interval: fold must be 0 or 1"),
        (interval(fold=True), "interval: fold must be 0 or 1"),
        (interval(length=30), "interval: length is no key of it"),
        (interval(columns=[]), "interval: columns must be a text or a list of texts"),
        ({"columns": []}, "columns must be an object"),
        ({"columns": {"queue_value": 7}}, "columns: queue_value must be a column"),
        ({"columns": {"queue_value": {"column": 7}}}, "columns: queue_value must be a column"),
        ({"columns": {"queue_value": {"name": "x"}}}, "columns: queue_value must be a column"),
        (
            {"columns": {"queue_value": "S", "handle_time": "T"}},
            "handle_time is a time, and its unit must be",
        ),
        (
            {"columns": {"queue_value": "S", "handle_time": {"column": "T", "unit": "h"}}},
            "one of s, ms, min, h:mm:ss",
        ),
        (
            {"columns": {"queue_value": {"column": "S", "unit": "s"}}},
            "queue_value is no time, and takes no unit",
        ),
        ({"columns": {"queue_value": "S", "handled": "A"}}, "handled is no field of queue_report"),
        ({"columns": {}}, "columns: queue_value is missing"),
        ({"constants": {"is_outbound": "no"}}, "constants: is_outbound is 'no', expected true or false"),
        ({"preset": "nortel"}, "preset must be one of"),
        (
            {"preset": "genesys_cloud", "rows": "agent_system_performance_report"},
            "preset: genesys_cloud has no mapping of agent_system_performance_report",
        ),
        ({"without": ["hold_time"]}, "without: hold_time is not mapped by the preset"),
        ({"without": 7}, "without must be a text or a list of texts"),
        ({"preset": "avaya_cms"}, "hold_time is mapped twice, by the preset and here"),
        ({"delimiter": ";;"}, "delimiter must be one character"),
        ({"delimiter": '"'}, "delimiter must be one character"),
        ({"delimiter": "\n"}, "delimiter must be one character"),
        ({"encoding": "utf-9"}, "encoding: there is none for text of the name 'utf-9'"),
        ({"encoding": "base64"}, "encoding: there is none for text of the name 'base64'"),
        ({"encoding": "undefined"}, "encoding: there is none for text of the name 'undefined'"),
    ],
)
def test_what_is_wrong_with_a_mapping_is_told(changes, told):
    assert any(told in each for each in problems(**changes)), problems(**changes)


def test_a_key_that_is_there_twice_is_refused_wherever_it_stands():
    text = json.dumps(QUEUES).replace(
        '"svc_lvl_pct"', '"hold_time": {"column": "Hold", "unit": "s"}, "svc_lvl_pct"'
    )
    text = text.replace('"unit": "min"', '"unit": "s", "unit": "min"')
    with pytest.raises(ConfigurationError) as caught:
        CsvMapping.from_json(text)
    assert caught.value.problems == (
        "hold_time is there more than once; keep one",
        "unit is there more than once; keep one",
    )


def test_all_that_is_wrong_with_a_mapping_is_told_at_once():
    assert len(problems(acd_type="", delimiter="", encoding="x", **interval(fold=9))) == 4
