"""usage: server.py PORT RECORDS      accounts over XML-RPC, by the server of the standard library."""
import datetime
import itertools
import sys
from xmlrpc.server import SimpleXMLRPCServer, SimpleXMLRPCRequestHandler
from xmlrpc.client import Fault

port, count = int(sys.argv[1]), int(sys.argv[2])
numbers = itertools.count(1)
accounts = {}


def create(values):
    if any(account["name"] == values["name"] for account in accounts.values()):
        raise Fault(2, f"there is an account {values['name']}")
    number = next(numbers)
    now = datetime.datetime(2026, 3, 2, 9, 0, 0)
    account = {"id": number, "active": True, "credit": 1.5, "note": None, "tags": ["a", "b"], "changed": now}
    accounts[number] = {**account, **values}
    return number


def get(number):
    if number not in accounts:
        raise Fault(4, "there is no such account")
    return accounts[number]


def update(number, values):
    get(number).update(values)
    return True


def delete(number):
    get(number)
    del accounts[number]
    return True


def listed(offset, limit):
    return [accounts[number] for number in sorted(accounts)][offset:offset + limit]


class Handler(SimpleXMLRPCRequestHandler):
    rpc_paths = ("/xmlrpc",)

    def do_GET(self):
        self.report_404()


for _ in range(count):
    create({"name": f"Account {len(accounts)} <&> é"})
server = SimpleXMLRPCServer(("127.0.0.1", port), requestHandler=Handler, allow_none=True, logRequests=False)
for name, function in {"create": create, "get": get, "update": update, "delete": delete, "list": listed}.items():
    server.register_function(function, f"account.{name}")
server.serve_forever()
