"""Enriched events in their two forms: what of them is read, by the names of the canonical event model."""

from collections.abc import Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any

import msgspec

from sources.formats.fields import parse_object
from sources.formats.properties import snake_case
from sources.formats.translation import InvalidFieldError

_NAMES = """
app_id platform etl_tstamp collector_tstamp dvce_created_tstamp event event_id txn_id name_tracker
v_tracker v_collector v_etl user_id user_ipaddress user_fingerprint domain_userid domain_sessionidx
network_userid geo_country geo_region geo_city geo_zipcode geo_latitude geo_longitude
geo_region_name ip_isp ip_organization ip_domain ip_netspeed page_url page_title page_referrer
page_urlscheme page_urlhost page_urlport page_urlpath page_urlquery page_urlfragment refr_urlscheme
refr_urlhost refr_urlport refr_urlpath refr_urlquery refr_urlfragment refr_medium refr_source
refr_term mkt_medium mkt_source mkt_term mkt_content mkt_campaign contexts se_category se_action
se_label se_property se_value unstruct_event tr_orderid tr_affiliation tr_total tr_tax tr_shipping
tr_city tr_state tr_country ti_orderid ti_sku ti_name ti_category ti_price ti_quantity
pp_xoffset_min pp_xoffset_max pp_yoffset_min pp_yoffset_max useragent br_name br_family br_version
br_type br_renderengine br_lang br_features_pdf br_features_flash br_features_java
br_features_director br_features_quicktime br_features_realplayer br_features_windowsmedia
br_features_gears br_features_silverlight br_cookies br_colordepth br_viewwidth br_viewheight
os_name os_family os_manufacturer os_timezone dvce_type dvce_ismobile dvce_screenwidth
dvce_screenheight doc_charset doc_width doc_height tr_currency tr_total_base tr_tax_base
tr_shipping_base ti_currency ti_price_base base_currency geo_timezone mkt_clickid mkt_network
etl_tags dvce_sent_tstamp refr_domain_userid refr_dvce_tstamp derived_contexts domain_sessionid
derived_tstamp event_vendor event_name event_format event_version event_fingerprint true_tstamp
"""
COLUMNS = tuple(_NAMES.split())
"""The columns of an enriched event, in their order (*Enriched stream TSV file format*). Others may follow."""

TIMES = ("true_tstamp", "derived_tstamp", "collector_tstamp")
"""When it happened: as the sender knows it, by the device's clock set right, as it came in."""

_READ = (
    *TIMES,
    "app_id",
    "event",
    "event_id",
    "user_id",
    "page_url",
    "se_category",
    "se_action",
    "se_label",
    "se_property",
    "se_value",
    "unstruct_event",
    "contexts",
    "derived_contexts",
    "br_type",
    "br_lang",
    "os_timezone",
    "domain_sessionid",
)
_read = itemgetter(*map(COLUMNS.index, _READ))

Entity = tuple[str, Any]
"""Self-describing JSON: the name of its schema as the SDKs have it (``com_acme_course_1``), and its data."""


class _SelfDescribing(msgspec.Struct):
    schema: str
    data: Any = None


class _Many(msgspec.Struct):
    data: list[_SelfDescribing]


class _One(msgspec.Struct):
    data: _SelfDescribing


_decode_many = msgspec.json.Decoder(_Many).decode
_decode_one = msgspec.json.Decoder(_One).decode
_ERRORS = (msgspec.DecodeError, ValueError, RecursionError)


@lru_cache(maxsize=10_000)
def schema_name(uri: str) -> str:
    """The name of a schema as the analytics SDKs write it; empty where the text is no address of one.

    ``iglu:com.acme/golf_course/jsonschema/1-0-2`` → ``com_acme_golf_course_1``.
    """
    parts = uri.removeprefix("iglu:").split("/")
    if not uri.startswith("iglu:") or len(parts) != 4:
        return ""
    vendor, name, _, version = parts
    return f"{snake_case(vendor)}_{snake_case(name)}_{version.partition('-')[0]}"


class TsvEvent:
    """An event as tab-separated values."""

    __slots__ = ("atomic",)

    def __init__(self, value: bytes | None) -> None:
        """value: a record.

        Raises:
            InvalidFieldError: it has fewer columns, or is not UTF-8.
        """
        try:
            columns = (value or b"").decode().split("\t")
        except UnicodeDecodeError:
            raise InvalidFieldError("value", value, "UTF-8", "malformed") from None
        if len(columns) < len(COLUMNS):
            raise InvalidFieldError(
                "value", value, f"{len(COLUMNS)} columns, not {len(columns)}", "malformed"
            )
        self.atomic: dict[str, Any] = dict(zip(_READ, _read(columns), strict=True))

    def own(self) -> Entity | None:
        """What a self-describing event says, with its schema; None of another event.

        Raises:
            InvalidFieldError: it is no self-describing JSON.
        """
        found = self.atomic["unstruct_event"]
        if not found:
            return None
        try:
            one = _decode_one(found).data
        except _ERRORS as error:
            raise InvalidFieldError(
                "unstruct_event", found, f"self-describing JSON ({error})", "malformed"
            ) from None
        return schema_name(one.schema), one.data

    def entities(self) -> list[Entity]:
        """What trackers and enrichments attached to the event.

        Raises:
            InvalidFieldError: it is no self-describing JSON.
        """
        entities: list[Entity] = []
        for column in ("contexts", "derived_contexts"):
            if found := self.atomic[column]:
                try:
                    many = _decode_many(found).data
                except _ERRORS as error:
                    raise InvalidFieldError(
                        column, found, f"self-describing JSON ({error})", "malformed"
                    ) from None
                entities += [(schema_name(each.schema), each.data) for each in many]
        return entities


class JsonEvent:
    """An event in the JSON of the analytics SDKs: a key for each column and each schema."""

    __slots__ = ("_found", "atomic")

    def __init__(self, value: bytes | None) -> None:
        """value: a record.

        Raises:
            InvalidFieldError: it is no JSON object.
        """
        self._found = parse_object(value)
        self.atomic: Mapping[str, Any] = self._found

    def own(self) -> Entity | None:
        """As of a :class:`TsvEvent`."""
        for key, data in self._found.items():
            if key.startswith("unstruct_event_"):
                return key[len("unstruct_event_") :], data
        return None

    def entities(self) -> list[Entity]:
        """As of a :class:`TsvEvent`.

        Raises:
            InvalidFieldError: entities of a schema are no array.
        """
        entities: list[Entity] = []
        for key, found in self._found.items():
            if key.startswith("contexts_") and found is not None:
                if not isinstance(found, list):
                    raise InvalidFieldError(key, found, "an array of entities", "malformed")
                name = key[len("contexts_") :]
                entities += [(name, data) for data in found]
        return entities


EnrichedEvent = TsvEvent | JsonEvent
