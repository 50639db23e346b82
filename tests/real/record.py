"""Records what the real systems put on the wire, as the fixtures of their connectors.

usage: record.py CONNECTORS_FOLDER TRYTON_URL CAP_URL

Run it on freshly started systems (see README.md) after raising a version; `git diff` then shows what the vendor changed.
A fixture is one request and its answer. Session tokens are replaced, since they differ at every run. Of a page of more
than three records the first two are kept, and `"records_left_out"` says how many are not shown.
"""

import base64
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

KEPT_HEADERS = ("content-type", "content-encoding", "etag", "location", "www-authenticate", "retry-after", "odata-version")


def exchange(base, method, path, headers, body):
    """One request and its answer: (status, headers, bytes)."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    sent = {**headers, **({} if data is None else {"Content-Type": "application/json"})}
    request = urllib.request.Request(base + path, data, sent, method=method)
    try:
        answer = urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()


class Recorder:
    """Writes each exchange with one system to a file named after what it shows."""

    def __init__(self, base, folder):
        self.base, self.folder, self.headers, self.secrets = base, folder, {}, {}
        folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, name, method, path, body=None, headers=None):
        own = {**self.headers, **(headers or {})}
        status, answered, raw = exchange(self.base, method, path, {"Accept-Encoding": "identity", **own}, body)
        kept = {key: value for key, value in sorted(answered.items()) if key in KEPT_HEADERS}
        fixture = {"request": {"method": method, "path": path}, "answer": {"status": status, "headers": kept}}
        shown = {key: value for key, value in (headers or {}).items() if key != "Authorization"}
        if shown:
            fixture["request"]["headers"] = shown
        if body is not None:
            fixture["request"]["body"] = body
        try:
            fixture["answer"]["body"] = json.loads(raw)
        except ValueError:
            fixture["answer"]["text"] = raw.decode("utf-8", "replace")
        self.shorten(fixture)
        text = json.dumps(fixture, indent=2, ensure_ascii=False)
        for secret, stand_in in self.secrets.items():
            text = text.replace(secret, stand_in)
        (self.folder / f"{name}.json").write_text(text + "\n")
        return status, answered, fixture["answer"].get("body")

    @staticmethod
    def shorten(fixture):
        body = fixture["answer"].get("body")
        for key in ("value", "result"):
            records = body.get(key) if isinstance(body, dict) else None
            if isinstance(records, list) and len(records) > 3 and isinstance(records[0], dict):
                fixture["answer"]["records_left_out"] = len(records) - 2
                body[key] = records[:2]


def tryton(base, folder):
    fields = ["id", "code", "name", "active", "create_date", "write_date", "_timestamp"]
    early = {"__class__": "datetime", "year": 2020, "month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0, "microsecond": 0}
    late = {**early, "year": 2999}
    # A version goes in the context of a write; without one, there is none to compare.
    everything, by_id, unread = {"active_test": False}, [["id", "ASC"]], {"_timestamp": {}}
    record = Recorder(base, folder)

    def call(name, method, *params, **more):
        body = {"id": 1, "method": method, "params": list(params)}
        return record(name, "POST", "/erp/rpc/", body, **more)[2]

    def party(name, method, *params, **more):
        return call(name, f"model.party.party.{method}", *params, **more)

    def sign_in(login, password):
        body = {"id": 1, "method": "common.db.login", "params": [login, {"password": password}]}
        user, token, _ = json.loads(exchange(base, "POST", "/erp/rpc/", {}, body)[2])["result"]
        record.secrets[token] = "0" * 64
        return {"Authorization": "Session " + base64.b64encode(f"{login}:{user}:{token}".encode()).decode()}

    def version(identity):
        status, _, raw = exchange(
            base,
            "POST",
            "/erp/rpc/",
            {"Accept-Encoding": "identity", **record.headers},
            {"id": 1, "method": "model.party.party.read", "params": [[identity], ["_timestamp"], {}]},
        )
        return json.loads(raw)["result"][0]["_timestamp"]

    call("login-wrong-password", "common.db.login", "syncline", {"password": "wrong"})
    call("login-without-password", "common.db.login", "syncline", {})
    # The token is learnt first, so that the recorded answer can be told apart from it: every login gives a new one.
    _, _, answer = record("login", "POST", "/erp/rpc/", {"id": 1, "method": "common.db.login", "params": ["syncline", {"password": "erp-secret"}]})
    path = folder / "login.json"
    path.write_text(path.read_text().replace(answer["result"][1], "0" * 64))
    clerk = sign_in("clerk", "erp-reader")
    party("no-session", "read", [1], fields, {})
    ended = {"Authorization": "Session " + base64.b64encode(b"syncline:2:ended").decode()}
    party("session-ended", "read", [1], fields, {}, headers=ended)
    record.headers = sign_in("syncline", "erp-secret")

    party("list-first-page", "search_read", [["id", ">", 0]], 0, 3, by_id, fields, everything)
    party("list-last-page", "search_read", [["id", ">", 298]], 0, 3, by_id, fields, everything)
    party("list-empty-page", "search_read", [["id", ">", 300]], 0, 3, by_id, fields, everything)
    party("list-changed-since", "search_read", [["id", ">", 0], ["write_date", ">=", early]], 0, 3, by_id, fields, everything)
    party("list-changed-since-far-future", "search_read", [["id", ">", 0], ["write_date", ">=", late]], 0, 3, by_id, fields, everything)
    party("list-says-gzip-and-is-plain", "search_read", [["id", ">", 0]], 0, 40, by_id, ["code"], everything)
    party("list-unknown-field", "search_read", [["nosuch", "=", 1]], 0, 3, by_id, ["id"], everything)
    party("count", "search_count", [], everything)
    party("find-by-code", "search_read", [["code", "=", "C00003"]], 0, 3, by_id, fields, everything)
    party("find-nothing", "search_read", [["code", "=", "nosuch"]], 0, 3, by_id, fields, everything)
    party("get", "read", [4], fields, everything)
    party("get-missing", "read", [999999], fields, everything)
    party("get-unknown-field", "read", [4], ["nosuch"], everything)
    created = party("create", "create", [{"code": "N00001", "name": "Newcomer & Söhne"}], {})["result"][0]
    party("get-created", "read", [created], fields, everything)
    party("create-batch", "create", [{"code": "N00002", "name": "Two"}, {"code": "N00003", "name": "Three"}], {})
    party("create-exists", "create", [{"code": "N00001", "name": "Again"}], {})
    party("create-unknown-field", "create", [{"name": "x", "nosuch": "y"}], {})
    party("create-inactive", "create", [{"code": "N00004", "name": "Born inactive", "active": False}], {})
    read = version(created)
    party("update", "write", [created], {"name": "Renamed"}, {"_timestamp": {f"party.party,{created}": read}})
    party("update-stale", "write", [created], {"name": "Late"}, {"_timestamp": {f"party.party,{created}": read}})
    party("update-missing", "write", [999999], {"name": "x"}, unread)
    party("update-deactivate", "write", [created], {"active": False}, unread)
    party("get-inactive", "read", [created], fields, everything)
    party("update-inactive-refused", "write", [created], {"name": "Renamed while inactive"}, unread)
    party("update-denied", "write", [1], {"name": "x"}, unread, headers=clerk)
    party("delete", "delete", [created], unread)
    party("delete-again", "delete", [created], unread)
    party("method-unknown", "nosuch", {})
    record("request-is-no-json", "POST", "/erp/rpc/", {"id": 1})
    record("request-with-jsonrpc-key", "POST", "/erp/rpc/", {"jsonrpc": "2.0", "id": 1, "method": "model.party.party.read", "params": [[999999], fields, {}]})


def cap(base, folder):
    record = Recorder(base, folder)
    basic = {"Authorization": "Basic " + base64.b64encode(b"syncline:crm-secret").decode()}
    record.headers = basic
    root = "/odata/v4/crm"
    missing = f"{root}/Customers/00000000-0000-0000-0000-000000000000"

    def customers(**options):
        # An OData service reads `+` as a plus, so that a space must be `%20`.
        return f"{root}/Customers?" + urllib.parse.urlencode({f"${key}": value for key, value in options.items()}, quote_via=urllib.parse.quote)

    def create(fixture, **values):
        return record(fixture, "POST", f"{root}/Customers", values)

    record.headers = {}
    record("no-credentials", "GET", customers(top=1))
    wrong = {"Authorization": "Basic " + base64.b64encode(b"syncline:wrong").decode()}
    record("wrong-password", "GET", customers(top=1), headers=wrong)
    record.headers = basic

    _, _, page = record("list-first-page", "GET", customers(count="true", orderby="ID"))
    record("list-next-page", "GET", f"{root}/{page['@odata.nextLink']}")
    # A last page that is full says that there is more; what follows is empty.
    record("list-last-page", "GET", customers(count="true", orderby="ID", skiptoken=200))
    record("list-empty-page", "GET", customers(count="true", orderby="ID", skiptoken=300))
    record("list-changed-since", "GET", customers(filter="modifiedAt ge 2020-01-01T00:00:00.000Z", orderby="ID", count="true"))
    record("list-changed-since-far-future", "GET", customers(filter="modifiedAt ge 2999-01-01T00:00:00.000Z", count="true"))
    record("list-unknown-field", "GET", customers(filter="nosuch eq 1"))
    record("find-by-code", "GET", customers(filter="code eq 'C00003'"))
    record("find-with-apostrophe", "GET", customers(filter="name eq 'O''Neil'"))
    _, _, new = create("create", code="N00001", name="Newcomer & Söhne", creditLimit="1200.50", isActive=True)
    one = f"{root}/Customers/{new['ID']}"
    _, headers, _ = record("get", "GET", one)
    version = {"If-Match": headers["etag"]}
    record("get-missing", "GET", missing)
    create("create-exists", code="N00001", name="Again")
    create("create-without-mandatory", name="No code")
    create("create-decimal-too-fine", code="N00002", name="x", creditLimit="1.005")
    create("create-text-too-long", code="N" * 21, name="x")
    create("create-unknown-field", code="N00003", name="x", nosuch=1)
    record("update-without-if-match", "PATCH", one, {"name": "Renamed"})
    record("update", "PATCH", one, {"name": "Renamed"}, version)
    record("update-stale", "PATCH", one, {"name": "Late"}, version)
    record("update-minimal", "PATCH", one, {"isActive": False}, {"If-Match": "*", "Prefer": "return=minimal"})
    record("update-missing", "PATCH", missing, {"name": "x"}, {"If-Match": "*"})
    record("delete-without-if-match", "DELETE", one)
    record("delete", "DELETE", one, headers={"If-Match": "*"})
    record("delete-again", "DELETE", one, headers={"If-Match": "*"})
    inner = {"content-type": "application/json"}
    requests = [
        {"id": str(number), "method": "POST", "url": "Customers", "headers": inner, "body": body}
        for number, body in enumerate([{"code": "B00001", "name": "One"}, {"name": "No code"}])
    ]
    record("batch-create", "POST", f"{root}/$batch", {"requests": requests})


if __name__ == "__main__":
    connectors = Path(sys.argv[1])
    tryton(sys.argv[2], connectors / "tryton" / "fixtures")
    cap(sys.argv[3], connectors / "cap-odata" / "fixtures")
