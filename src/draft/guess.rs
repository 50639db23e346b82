//! What names usually mean: where ids, times, totals and cursors stand, which parameters page and filter, what is personal.
//! Every list is in the order of trust; names are compared without case and signs.

use super::name::folded;

/// Where the time of the last change usually is.
const CHANGED: [&str; 24] = [
    "updatedat",
    "modifiedat",
    "updated",
    "modified",
    "lastmodified",
    "lastmodifiedat",
    "lastmodifieddate",
    "lastmodifieddatetime",
    "lastupdated",
    "lastupdatedat",
    "lastupdateddate",
    "updateddate",
    "modifieddate",
    "dateupdated",
    "datemodified",
    "updatedon",
    "modifiedon",
    "updatetime",
    "modifiedtime",
    "lastupdatetime",
    "changedat",
    "lastchanged",
    "writedate",
    "systemmodifiedat",
];

/// Parameters that ask for what changed since a time.
const SINCE: [&str; 30] = [
    "updatedsince",
    "modifiedsince",
    "changedsince",
    "updatedafter",
    "modifiedafter",
    "changedafter",
    "updatedatmin",
    "updatedatgte",
    "updatedgte",
    "modifiedatgte",
    "filterupdatedatgte",
    "filterupdatedatfrom",
    "updatedfrom",
    "updatedatfrom",
    "modifiedfrom",
    "lastmodifiedafter",
    "lastmodifiedsince",
    "lastupdatedafter",
    "lastupdatedsince",
    "lastupdatedfrom",
    "minupdatedat",
    "updatedatafter",
    "updatedatsince",
    "modifiedatafter",
    "startmodified",
    "modifiedatfrom",
    "updatestartdate",
    "since",
    "sincedate",
    "lastmodifiedstart",
];

/// Parameters that say how many records a page has.
const SIZE: [&str; 17] = [
    "limit",
    "pagesize",
    "perpage",
    "pagelimit",
    "top",
    "size",
    "maxresults",
    "maxrecords",
    "rows",
    "take",
    "count",
    "itemsperpage",
    "resultsperpage",
    "numresults",
    "pageitems",
    "max",
    "pageperpage",
];
/// Parameters that say which record is the first.
const OFFSET: [&str; 8] = [
    "offset",
    "skip",
    "start",
    "startat",
    "startindex",
    "pageoffset",
    "first",
    "from",
];
/// Parameters that say which page is asked for.
const NUMBER: [&str; 6] = ["page", "pagenumber", "pageno", "pageindex", "currentpage", "p"];
/// Parameters that carry what the page before said.
const CURSOR: [&str; 17] = [
    "cursor",
    "pagetoken",
    "after",
    "nexttoken",
    "nextpagetoken",
    "continuationtoken",
    "continuation",
    "pagecursor",
    "pageafter",
    "nextcursor",
    "bookmark",
    "scrollid",
    "next",
    "position",
    "resumetoken",
    "aftercursor",
    "searchafter",
];
/// Parameters that carry the id of the last record.
const LAST_ID: [&str; 4] = ["startingafter", "afterid", "sinceid", "lastid"];

/// Where answers say what comes next.
const NEXT_CURSOR: [&str; 14] = [
    "nextcursor",
    "nextpagetoken",
    "nexttoken",
    "continuationtoken",
    "nextpagecursor",
    "endcursor",
    "cursor",
    "after",
    "nextpagestart",
    "bookmark",
    "scrollid",
    "resumetoken",
    "position",
    "nextposition",
];
const NEXT_URL: [&str; 7] = [
    "odatanextlink",
    "nextlink",
    "nextpageurl",
    "nexturl",
    "nextpageuri",
    "nextpage",
    "next",
];
const TOTAL: [&str; 14] = [
    "total",
    "totalcount",
    "totalrecords",
    "totalresults",
    "totalitems",
    "totalelements",
    "odatacount",
    "totalsize",
    "recordcount",
    "resultcount",
    "totalentries",
    "itemcount",
    "numfound",
    "count",
];
const MORE: [&str; 9] = [
    "hasmore",
    "hasnextpage",
    "hasnext",
    "more",
    "moreitems",
    "moreitemsincollection",
    "moreresults",
    "morerecords",
    "nextavailable",
];

/// Where answers hold their records.
const RECORDS: [&str; 13] = [
    "data", "items", "results", "records", "value", "entries", "objects", "rows", "content", "list", "hits",
    "elements", "result",
];

/// Fields that another system's key may stand in, or by which records are told apart.
const MATCH: [&str; 30] = [
    "email",
    "emailaddress",
    "mail",
    "externalid",
    "externalkey",
    "externalreference",
    "reference",
    "ref",
    "code",
    "number",
    "customernumber",
    "accountnumber",
    "vat",
    "vatnumber",
    "vatid",
    "taxid",
    "taxnumber",
    "ein",
    "sku",
    "barcode",
    "ean",
    "gtin",
    "slug",
    "username",
    "domain",
    "clientreference",
    "ordernumber",
    "invoicenumber",
    "phone",
    "name",
];

/// Parts of names of personal data.
const PERSONAL: [&str; 27] = [
    "email",
    "mail",
    "phone",
    "mobile",
    "fax",
    "firstname",
    "lastname",
    "surname",
    "givenname",
    "familyname",
    "middlename",
    "fullname",
    "birth",
    "street",
    "address",
    "postalcode",
    "zip",
    "iban",
    "bankaccount",
    "taxid",
    "vat",
    "ssn",
    "passport",
    "gender",
    "nationalid",
    "socialsecurity",
    "contactname",
];

fn place(list: &[&str], name: &str) -> Option<usize> {
    let folded = folded(name);
    list.iter().position(|known| *known == folded)
}

/// The first of `names` that a list knows, by the order of the list.
pub(super) fn best<'a>(list: List, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let known = list.known();
    let ranked = names.filter_map(|name| Some((place(known, name)?, name)));
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, name)| name)
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Changed,
    Since,
    Size,
    Offset,
    Number,
    Cursor,
    LastId,
    NextCursor,
    NextUrl,
    Total,
    More,
    Records,
    Match,
}

impl List {
    const fn known(self) -> &'static [&'static str] {
        match self {
            Self::Changed => &CHANGED,
            Self::Since => &SINCE,
            Self::Size => &SIZE,
            Self::Offset => &OFFSET,
            Self::Number => &NUMBER,
            Self::Cursor => &CURSOR,
            Self::LastId => &LAST_ID,
            Self::NextCursor => &NEXT_CURSOR,
            Self::NextUrl => &NEXT_URL,
            Self::Total => &TOTAL,
            Self::More => &MORE,
            Self::Records => &RECORDS,
            Self::Match => &MATCH,
        }
    }
}

/// Where a name stands in a list; none where it does not.
pub(super) fn rank(list: List, name: &str) -> Option<usize> {
    place(list.known(), name)
}

/// Whether a field most likely holds personal data.
#[must_use]
pub fn is_personal(name: &str) -> bool {
    let folded = folded(name);
    let is_named = PERSONAL.iter().any(|part| folded.contains(part)) && !folded.ends_with("id");
    is_named || matches!(folded.as_str(), "taxid" | "nationalid")
}

/// The name of the id among these, for an object and the parameter that its records are asked by.
pub(super) fn id<'a>(object: &str, parameter: Option<&str>, names: &[&'a str]) -> Option<&'a str> {
    let object = folded(object);
    let asked = parameter.map(folded).unwrap_or_default();
    let wanted = [
        asked,
        "id".to_owned(),
        format!("{object}id"),
        "uuid".to_owned(),
        "guid".to_owned(),
        "key".to_owned(),
        format!("{object}uuid"),
        format!("{object}key"),
        "code".to_owned(),
        format!("{object}number"),
        format!("{object}code"),
        "number".to_owned(),
        "identifier".to_owned(),
        "gid".to_owned(),
        "slug".to_owned(),
        "username".to_owned(),
    ];
    wanted
        .iter()
        .filter(|wanted| !wanted.is_empty())
        .find_map(|wanted| names.iter().find(|name| folded(name) == **wanted).copied())
}
