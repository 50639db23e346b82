"""Drives an org by simple-salesforce: signs in, writes, upserts, reads all pages, and looks at how refusals are told."""

import sys
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceResourceNotFound,
)

url, client_id, client_secret = sys.argv[1:4]


class Plain(HTTPAdapter):
    """The library only speaks https, to hosts of the vendor: here all of them are the simulator."""

    def send(self, request, **options):
        parts = urlsplit(request.url)
        request.url = url + parts.path + ("?" + parts.query if parts.query else "")
        return super().send(request, **options)


def refused(kind, call, code):
    try:
        call()
    except kind as error:
        told = getattr(error, "content", None)
        assert code in str(error) or code in str(told), error
        return
    raise AssertionError(f"{code} was expected")


session = requests.Session()
session.mount("https://", Plain())


def sign_in(secret):
    return Salesforce(consumer_key=client_id, consumer_secret=secret, domain="acme.my", session=session, version="62.0")


refused(SalesforceAuthenticationFailed, lambda: sign_in("wrong"), "invalid_client")
org = sign_in(client_secret)
contact = org.Contact
account = org.Account.create({"Name": "Acme GmbH", "AnnualRevenue": 1200.5})["id"]
made = contact.create({"LastName": "Souza", "Email": "ana@acme.example", "AccountId": account})
assert made["success"] and made["id"].startswith("003"), made
assert contact.update(made["id"], {"FirstName": "Ana "}) == 204
seen = contact.get(made["id"])
assert (seen["FirstName"], seen["AccountId"], seen["Title"]) == ("Ana", account, None), seen
assert seen["attributes"]["type"] == "Contact"
assert org.Account.upsert("ERP_Id__c/P-1", {"Name": "Upserted"}) in (200, 201)
assert org.Account.get_by_custom_id("ERP_Id__c", "P-1")["Name"] == "Upserted"

names = [{"LastName": f"Contact {number}"} for number in range(250)]
for start in range(0, 250, 200):
    records = [{"attributes": {"type": "Contact"}, **name} for name in names[start : start + 200]]
    results = org.restful("composite/sobjects", method="POST", json={"allOrNone": False, "records": records})
    assert all(result["success"] for result in results)
soql = "SELECT Id, LastName FROM Contact WHERE LastName LIKE 'Contact %' ORDER BY Id"
every = org.query_all(soql, headers={"Sforce-Query-Options": "batchSize=200"})
assert every["totalSize"] == 250 and len({record["Id"] for record in every["records"]}) == 250
first = org.query(soql, headers={"Sforce-Query-Options": "batchSize=10"})
assert len(first["records"]) == 200 and not first["done"], "a page has 200 records at least"
assert len(org.query_more(first["nextRecordsUrl"], identifier_is_url=True)["records"]) == 50

refused(SalesforceMalformedRequest, lambda: contact.create({"FirstName": "Ana"}), "REQUIRED_FIELD_MISSING")
refused(SalesforceMalformedRequest, lambda: contact.update(made["id"], {"Email": "nobody"}), "INVALID_EMAIL_ADDRESS")
refused(SalesforceMalformedRequest, lambda: contact.update(made["id"], {"Title": 7}), "JSON_PARSER_ERROR")
refused(SalesforceMalformedRequest, lambda: org.query("SELECT Id FROM Nothing"), "INVALID_TYPE")
assert contact.delete(made["id"]) == 204
refused(SalesforceResourceNotFound, lambda: contact.get(made["id"]), "ENTITY_IS_DELETED")
refused(SalesforceResourceNotFound, lambda: org.Nothing.get(made["id"]), "NOT_FOUND")
usage = org.api_usage["api-usage"]
assert usage.total == 15000 and usage.used > 5, usage
assert any(field["name"] == "Email" for field in contact.describe()["fields"])
assert "DailyApiRequests" in org.limits()

stranger = Salesforce(session_id="ended", instance_url="https://acme.my.salesforce.com", session=session, version="62.0")
refused(SalesforceExpiredSession, lambda: stranger.query("SELECT Id FROM Contact"), "INVALID_SESSION_ID")
print("as the vendor has it")
