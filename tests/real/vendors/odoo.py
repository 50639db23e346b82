"""Drives a database by OdooRPC: signs in, writes, searches with domains, and looks at how refusals are told."""

import sys
from urllib.parse import urlsplit

import odoorpc

url, database, user, password = sys.argv[1:5]
where = urlsplit(url)
odoo = odoorpc.ODOO(where.hostname, port=where.port, protocol="jsonrpc")
assert odoo.version == "17.0", odoo.version


def refused(call, part):
    try:
        call()
    except odoorpc.error.RPCError as error:
        assert part in str(error), error
        return
    raise AssertionError(f"{part} was expected")


refused(lambda: odoo.login(database, user, "wrong"), "Wrong login")
odoo.login(database, user, password)


def call(model, method, *args, **options):
    return odoo.execute_kw(model, method, list(args), options)


acme = call("res.partner", "create", {"name": "Acme GmbH", "is_company": True, "ref": "C001", "vat": ""})
ana = call("res.partner", "create", {"name": "Ana", "parent_id": acme})
assert call("res.partner", "write", [acme], {"city": "Berlin"}) is True
fields = ["name", "parent_id", "vat", "city", "write_date"]
found = call("res.partner", "search_read", [["parent_id", "=", acme]], fields=fields)
assert [(record["id"], record["parent_id"], record["vat"]) for record in found] == [(ana, [acme, "Acme GmbH"], False)], found
since = call("res.partner", "search_read", [["id", ">", 0], ["write_date", ">=", "2020-01-01 00:00:00"]], fields=["name"], limit=1)
assert len(since) == 1
call("res.partner", "write", [ana], {"active": False})
assert call("res.partner", "search_read", [["id", "=", ana]], fields=["name"]) == []
hidden = call("res.partner", "search_read", [["id", "=", ana]], fields=["name"], context={"active_test": False})
assert len(hidden) == 1
refused(lambda: call("res.partner", "write", [424242], {"name": "x"}), "does not exist")
refused(lambda: call("res.partner", "create", {"nope": 1}), "Invalid field")
refused(lambda: call("nope.nope", "search_read", []), "nope.nope")
assert call("res.partner", "unlink", [ana]) is True
print("as the vendor has it")
