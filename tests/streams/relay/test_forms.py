"""Whatever a message contains, each form is what its specification asks for, and says it again alike."""

import base64
import hashlib
import hmac
import json
import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import jsonschema
import pytest
from hypothesis import given
from hypothesis import settings as relaxed
from pydantic import SecretStr, ValidationError

from engine.pseudonyms import Identity
from schemas.cloud_event import OutMessage, attributes_of, headers_of
from schemas.nudge import nudge_adapter
from schemas.risk import RiskChange
from streams.relay.forms import Forms
from streams.relay.settings import Form, RelaySettings
from streams.relay.signing import secrets_of, signature
from tests.notifier.nudging import cancelled, nudge
from tests.streams.relay.messages import change, out_messages

IDENTITY = Identity(b"a secret of the tests")
SECRETS = [bytes(range(24)), bytes(range(100, 164))]
KEYS = " ".join("whsec_" + base64.b64encode(secret).decode() for secret in SECRETS)
IRI = {"type": "string", "pattern": r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s]+$"}
UUID_TEXT = r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}

CLOUD_EVENT = {
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1},
        "source": IRI,
        "type": {"pattern": r"^example\.homeroom\.(risk_change|nudge|nudge_cancelled)\.v1$"},
        "subject": {"type": "string", "minLength": 1},
        "time": MOMENT,
        "datacontenttype": {"const": "application/json"},
        "data": {"type": "object"},
    },
    "propertyNames": {"pattern": "^[a-z0-9]+$"},
    "additionalProperties": False,
}
"""By the core specification and the JSON format."""

ACTIVITY = {
    "required": ["id"],
    "properties": {
        "objectType": {"const": "Activity"},
        "id": IRI,
        "definition": {"properties": {"type": IRI}, "additionalProperties": False},
    },
    "additionalProperties": False,
}
STATEMENT = {
    "required": ["id", "actor", "verb", "object", "timestamp"],
    "properties": {
        "id": {"pattern": f"^{UUID_TEXT}$"},
        "actor": {
            "required": ["account"],
            "properties": {
                "objectType": {"const": "Agent"},
                "account": {
                    "required": ["homePage", "name"],
                    "properties": {"homePage": IRI, "name": {"type": "string", "minLength": 1}},
                    "additionalProperties": False,
                },
            },
            "additionalProperties": False,
        },
        "verb": {
            "required": ["id", "display"],
            "properties": {
                "id": IRI,
                "display": {"required": ["en"], "additionalProperties": {"type": "string"}},
            },
        },
        "object": ACTIVITY,
        "context": {
            "properties": {
                "platform": {"type": "string"},
                "contextActivities": {
                    "properties": {"grouping": {"type": "array", "items": ACTIVITY}},
                    "additionalProperties": False,
                },
            },
            "additionalProperties": False,
        },
        "result": {"properties": {"extensions": {"propertyNames": IRI}}, "additionalProperties": False},
        "timestamp": MOMENT,
    },
    "additionalProperties": False,
}
"""By 1.0.3, 2.4, as far as it allows what we use."""

ENTITY = {"required": ["id", "type"], "properties": {"id": IRI, "type": {"type": "string"}}}
ENVELOPE = {
    "required": ["sensor", "sendTime", "dataVersion", "data"],
    "properties": {
        "sensor": IRI,
        "sendTime": MOMENT,
        "dataVersion": {"const": "http://purl.imsglobal.org/ctx/caliper/v1p2"},
        "data": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "required": ["@context", "id", "type", "profile", "actor", "action", "object", "eventTime"],
                "properties": {
                    "@context": {"const": "http://purl.imsglobal.org/ctx/caliper/v1p2"},
                    "id": {"pattern": f"^urn:uuid:{UUID_TEXT}$"},
                    "type": {"const": "Event"},
                    "profile": {"const": "GeneralProfile"},
                    "actor": ENTITY,
                    "action": {"enum": ["Classified", "Recommended", "Removed"]},
                    "object": ENTITY,
                    "target": ENTITY,
                    "edApp": ENTITY,
                    "group": ENTITY,
                    "eventTime": MOMENT,
                    "extensions": {"type": "object"},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
"""By Caliper 1.2, the envelope and the General Profile's event."""

SCHEMAS: dict[Form, dict[str, Any]] = {"cloudevents": CLOUD_EVENT, "xapi": STATEMENT, "caliper": ENVELOPE}


def forms(form: Form, prefix: str = "", **more: Any) -> Forms:
    settings = RelaySettings(_env_file=None, form=form, **more)
    return Forms(settings, IDENTITY, prefix, lambda: 1_770_000_000.5)


@pytest.mark.parametrize("form", SCHEMAS)
@relaxed(deadline=None)
@given(message=out_messages())
def test_any_message_is_valid_and_the_same_each_time(form: Form, message: OutMessage) -> None:
    request = forms(form).request(message)
    jsonschema.validate(json.loads(request.body), SCHEMAS[form])
    assert request == forms(form).request(message)
    assert request.name == str(UUID(request.name)) == request.headers["Idempotency-Key"]
    assert all(value.isascii() and value.isprintable() for value in request.headers.values())


@pytest.mark.parametrize("form", SCHEMAS)
def test_a_learner_has_the_pseudonym_of_the_store_unless_the_setting_says_so(form: Form) -> None:
    for message in (change(learner="ann@raw"), nudge("n", learner="ann@raw")):
        pseudonym = IDENTITY.learner("ann@raw")
        hidden, raw = (forms(form, raw_learners=raw).request(message) for raw in (False, True))
        assert not re.search(rb"ann(@|%40)raw", hidden.body)
        assert pseudonym.encode() in hidden.body
        assert re.search(rb"ann(@|%40)raw", raw.body)
        assert pseudonym.encode() not in raw.body
        assert hidden.name == raw.name


@relaxed(deadline=None)
@given(message=out_messages())
def test_headers_on_kafka_are_the_binary_mode(message: OutMessage) -> None:
    headers = {name: value.decode("utf-8") for name, value in headers_of(message, "a_b.")}
    assert headers["content-type"] == "application/json"
    attributes = {
        name.removeprefix("ce_"): value for name, value in headers.items() if name != "content-type"
    }
    jsonschema.validate(attributes, CLOUD_EVENT)
    assert attributes["source"].endswith("/a_b.")
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", "".join(headers.values()))


def test_a_cancellation_is_another_event_than_its_nudge() -> None:
    one = nudge("n")
    names = {attributes_of(message).uuid for message in (one, cancelled(one), change("n"))}
    assert len(names) == 3
    assert attributes_of(one).uuid != attributes_of(one, "other.").uuid
    assert attributes_of(one).id != attributes_of(cancelled(one)).id


def test_a_cloud_event_carries_the_message_of_the_contract() -> None:
    for message in (change(), nudge("n"), cancelled(nudge("n"))):
        event = json.loads(forms("cloudevents", raw_learners=True).request(message).body)
        data = json.dumps(event["data"])
        if event["type"] == "example.homeroom.risk_change.v1":
            assert RiskChange.model_validate_json(data) == message
        else:
            assert nudge_adapter.validate_json(data) == message


def test_what_a_risk_change_says_is_in_every_form() -> None:
    statement = json.loads(forms("xapi").request(change()).body)
    details = {name.rpartition("/")[2]: value for name, value in statement["result"]["extensions"].items()}
    assert (details["previous_level"], details["level"], details["probability"]) == ("low", "high", 0.71)
    (course,) = statement["context"]["contextActivities"]["grouping"]
    assert course["id"].endswith("/courses/BBB%2F2014B")
    (event,) = json.loads(forms("caliper").request(change()).body)["data"]
    assert (event["action"], event["object"]["type"], event["group"]["id"]) == (
        "Classified",
        "Person",
        course["id"],
    )
    assert event["extensions"]["homeroom"]["level"] == "high"
    assert datetime.fromisoformat(event["eventTime"]) == change().occurred_at


def verified(secret: bytes, headers: dict[str, str], body: bytes) -> bool:
    """By the specification: any of the signatures, of id, timestamp and body."""
    content = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    expected = base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
    return any(each == f"v1,{expected}" for each in headers["webhook-signature"].split(" "))


def test_either_secret_verifies_and_a_changed_body_does_not() -> None:
    request = forms("cloudevents", signing_keys=SecretStr(KEYS)).request(change())
    assert all(verified(secret, request.headers, request.body) for secret in SECRETS)
    assert not verified(SECRETS[0], request.headers, request.body + b" ")
    assert not verified(b"another" * 5, request.headers, request.body)
    assert request.headers["webhook-timestamp"] == "1770000000"
    assert "webhook-signature" not in forms("cloudevents").request(change()).headers


def test_the_signature_of_the_specifications_own_example() -> None:
    (secret,) = secrets_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    assert signature([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_authentication_is_what_the_endpoint_asks_for() -> None:
    basic = forms("xapi", user="u", password=SecretStr("p")).request(change()).headers
    assert basic["Authorization"] == "Basic dTpw"
    assert basic["X-Experience-API-Version"] == "1.0.3"
    bearer = forms("caliper", bearer_token=SecretStr("t")).request(change()).headers
    assert bearer["Authorization"] == "Bearer t"
    assert "Authorization" not in forms("caliper").request(change()).headers


@pytest.mark.parametrize(
    "url",
    [
        "http://lms.example.org/in",
        "ftp://127.0.0.1/",
        "https://u:p@lms.example.org/",
        "lms",
        "https://",
        "//x",
    ],
)
def test_an_address_that_is_not_safe_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="expected an https address"):
        RelaySettings(_env_file=None, url=url)


@pytest.mark.parametrize("url", ["https://lms.example.org/in?a=b", "http://127.0.0.1:1/", "http://[::1]:1/"])
def test_an_address_that_is_safe_is_taken(url: str) -> None:
    assert urlsplit(RelaySettings(_env_file=None, url=url).url).hostname


@pytest.mark.parametrize("keys", ["hidden", "whsec_", "whsec_AAAA", "whsec_%%%", f"{KEYS} hidden"])
def test_a_secret_that_is_none_is_refused_and_not_shown(keys: str) -> None:
    with pytest.raises(ValidationError, match=r"secret \d is none") as raised:
        RelaySettings(_env_file=None, signing_keys=SecretStr(keys))
    message = raised.value.errors()[0]["msg"].replace("expected whsec_ and", "")
    assert not any(word in message for word in keys.split())
