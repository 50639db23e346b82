"""Drives the business partners of an S/4HANA by pyodata: metadata, a CSRF token, writes under their versions, pages and filters."""

import sys

import pyodata
import requests
from pyodata.exceptions import HttpError

url, user, password = sys.argv[1:4]
service = url + "/sap/opu/odata/sap/API_BUSINESS_PARTNER/"
session = requests.Session()
session.auth = (user, password)


def refused(call, status):
    try:
        call()
    except HttpError as error:
        assert error.response.status_code == status, (error.response.status_code, error.response.text)
        return error.response
    raise AssertionError(f"{status} was expected")


client = pyodata.Client(service, session)
partners = client.entity_sets.A_BusinessPartner
key = client.schema.entity_type("A_BusinessPartnerType").key_proprties
assert [part.name for part in key] == ["BusinessPartner"]
without = refused(lambda: partners.create_entity().set(BusinessPartnerCategory="2").execute(), 403)
assert without.headers["x-csrf-token"] == "Required"
session.headers["x-csrf-token"] = session.get(service, headers={"x-csrf-token": "Fetch"}).headers["x-csrf-token"]

for number in range(30):
    made = partners.create_entity().set(BusinessPartnerCategory="2", OrganizationBPName1=f"Partner {number}", SearchTerm1=f"T{number}").execute()
    assert made.OrganizationBPName1 == f"Partner {number}" and made.BusinessPartner
refused(lambda: partners.create_entity().set(BusinessPartnerCategory="2", BusinessPartner=made.BusinessPartner).execute(), 400)
page = partners.get_entities().skip(10).top(15).count(inline=True).execute()
assert len(page) == 15 and page.total_count == 30, (len(page), page.total_count)
found = partners.get_entities().filter("SearchTerm1 eq 'T7'").execute()
assert [partner.OrganizationBPName1 for partner in found] == ["Partner 7"]
one = found[0].BusinessPartner
refused(lambda: partners.update_entity(one).set(SearchTerm1="NEW").execute(), 428)
session.headers["If-Match"] = 'W/"another"'
refused(lambda: partners.update_entity(one).set(SearchTerm1="NEW").execute(), 412)
session.headers["If-Match"] = found[0].etag if getattr(found[0], "etag", None) else "*"
partners.update_entity(one).set(SearchTerm1="NEW").execute()
seen = partners.get_entity(one).execute()
assert seen.SearchTerm1 == "NEW" and seen.LastChangeDate is not None, seen.LastChangeDate
assert seen.BusinessPartnerFullName == "Partner 7"
refused(lambda: partners.get_entity("9999999").execute(), 404)
print("as the vendor has it")
