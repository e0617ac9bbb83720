"""The sample payloads of the vendor's page, with its values, and the record that reads each."""

from attrs import frozen

from cxone_wfm.models import (
    AccessKeyTokenRequest,
    AgentActivityReport,
    AgentStateList,
    HistoricalReport,
    RefreshTokenRequest,
    RefreshTokenResponse,
    TokenRequest,
    TokenResponse,
)
from cxone_wfm.models._record import Record

TOKEN_REQUEST = """\
{
  "accessKeyTokenRequest": {
    "accessKeyId": "ICIK6JQHUUZANCQ====",
    "accessKeySecret": "3MMUKO7PCQ===="
  }
}"""
"""The page's schema also names `tenantName`; its sample, this one, leaves it out."""

TOKEN_ANSWER = """\
{
  "id_token": "",
  "token_type": "Bearer",
  "expires_in": 3600,
  "refresh_token": "",
  "access_token": ""
}"""

REFRESH_REQUEST = """\
{
  "token": "use refresh token value from previous token request",
  "updateCookie": true,
  "toggleEnabled": false
}"""

REFRESH_ANSWER = """\
{
  "token": "",
  "tokenExpirationTimeSec": 3600,
  "refreshToken": "",
  "refreshTokenExpirationTimeSec": 7200,
  "sessionId": null
}"""

AGENT_ACTIVITY_REPORT = """\
{
  "acdType": "Generic_acdName",
  "reportVersion": "0",
  "startDate": "2024-01-15T16:45:00.000Z",
  "endDate": "2024-01-15T17:00:00.000Z",
  "reportData": [
    {
      "agentValue": "19837005",
      "agentId": "11eb0706-b268-988f-811b-005056a15ae6",
      "userName": "aa4rszz@mmm.com",
      "agentActivity": [
        {
          "state": "CallContact",
          "startTime": "2023-10-01T07:59:09.860Z",
          "duration": 139090,
          "reason": ""
        }
      ]
    }
  ]
}"""

HISTORICAL_REPORT = """\
{
  "acdType": "Generic_LiveVox",
  "reportVersion": "0",
  "startDate": "2024-04-17T10:00:12.000Z",
  "endDate": "2024-04-17T10:15:12.000Z",
  "status": "SUCCESS",
  "statusReason": "",
  "reportData": {
    "queueReport": [
      {
        "queueValue": "8057",
        "queueName": "ChatSkill_11",
        "isOutbound": false,
        "contactsReceived": 1,
        "abandonedShort": 0,
        "abandonedLong": 0,
        "handledShort": 1,
        "handledLong": 0,
        "handleTime": 276,
        "workTime": 3,
        "queueDelayTime": 405,
        "svcLvlPct": 100.0,
        "rightPartyHandleTime": 0,
        "rightPartyContacts": 0,
        "wrongPartyHandleTime": 0,
        "wrongPartyContacts": 0,
        "backlog": 0,
        "backlogNotExpired": 0,
        "backlogExpired": 0,
        "holdTime": 0,
        "active": 0
      },
      {
        "queueValue": "8056",
        "queueName": "EmailSkill",
        "isOutbound": false,
        "contactsReceived": 1,
        "abandonedShort": 0,
        "abandonedLong": 0,
        "handledShort": 1,
        "handledLong": 10,
        "handleTime": 276,
        "workTime": 3,
        "queueDelayTime": 10,
        "svcLvlPct": 100.0,
        "rightPartyHandleTime": 0,
        "rightPartyContacts": 0,
        "wrongPartyHandleTime": 0,
        "wrongPartyContacts": 0,
        "backlog": 0,
        "backlogNotExpired": 0,
        "backlogExpired": 0,
        "holdTime": 0,
        "active": 0
      }
    ],
    "agentQueueReport": [
      {
        "queueValue": "8056",
        "queueName": "EmailSkill",
        "isOutbound": false,
        "agentValue": "967385",
        "agentId": "11eceb46-1528-7bf0-8adf-0242ac110003",
        "handled": 1,
        "handledTime": 276,
        "workTime": 3,
        "rightPartyHandleTime": 0,
        "rightPartyContacts": 0,
        "wrongPartyHandleTime": 0,
        "wrongPartyContacts": 0,
        "holdTime": 0,
        "active": 0
      },
      {
        "queueValue": "8057",
        "queueName": "ChatSkill_11",
        "isOutbound": false,
        "agentValue": "967382",
        "agentId": "11eceb46-1527-7bf0-8adf-0242ac110002",
        "handled": 1,
        "handledTime": 276,
        "workTime": 3,
        "rightPartyHandleTime": 0,
        "rightPartyContacts": 0,
        "wrongPartyHandleTime": 0,
        "wrongPartyContacts": 0,
        "holdTime": 0,
        "active": 0
      }
    ],
    "agentSystemPerformanceReport": [
      {
        "agentValue": "945987",
        "agentId": "11e9f619-855d-0dc7-80e6-005056a16bed",
        "readyTime": 0,
        "notReadyTime": 0,
        "loginTime": 900
      },
      {
        "agentValue": "945988",
        "agentId": "11e9f619-855e-0ec7-80e6-005089a16bed",
        "readyTime": 10,
        "notReadyTime": 9,
        "loginTime": 900
      }
    ]
  }
}"""

AGENT_STATES = """\
{
  "agentStateList": [
    {
      "loginId": "aa4rszz@mmm.com",
      "acdId": "Tenant_Name",
      "eventCode": "CallContact",
      "reasonCode": "",
      "eventUtcTime": "2023-10-01T07:59:09.860Z"
    }
  ]
}"""

FLAT_TOKEN_REQUEST = """\
{
  "accessKeyId": "ICIK6JQHUUZANCQ====",
  "accessKeySecret": "3MMUKO7PCQ===="
}"""
"""The body of the flat login: the inner part of the page's nested sample."""


@frozen
class Sample:
    """One sample: its name, its JSON text and the record that reads it."""

    name: str
    text: str
    record: type[Record]


SAMPLES = (
    Sample("token request", TOKEN_REQUEST, TokenRequest),
    Sample("token answer", TOKEN_ANSWER, TokenResponse),
    Sample("refresh request", REFRESH_REQUEST, RefreshTokenRequest),
    Sample("refresh answer", REFRESH_ANSWER, RefreshTokenResponse),
    Sample("agent activity report", AGENT_ACTIVITY_REPORT, AgentActivityReport),
    Sample("historical report", HISTORICAL_REPORT, HistoricalReport),
    Sample("agent states", AGENT_STATES, AgentStateList),
    Sample("flat token request", FLAT_TOKEN_REQUEST, AccessKeyTokenRequest),
)
