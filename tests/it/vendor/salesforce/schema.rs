//! The objects of the org and their fields, as `describe` tells them.

use serde_json::{Map, Value as Json, json};

/// A field: name, type, length, and what is said of it (`!` required, `=` unique, `#` external id, `-` read only, `1` on create only).
type Line = (&'static str, &'static str, usize, &'static str);

const OBJECTS: [(&str, &str, &[Line]); 6] = [
    (
        "Account",
        "001",
        &[
            ("Name", "string", 255, "!"),
            ("AccountNumber", "string", 40, ""),
            ("ERP_Id__c", "string", 40, "=#"),
            ("Type", "picklist", 255, ""),
            ("Phone", "phone", 40, ""),
            ("Website", "url", 255, ""),
            ("Industry", "picklist", 255, ""),
            ("Description", "textarea", 32_000, ""),
            ("AnnualRevenue", "currency", 0, ""),
            ("NumberOfEmployees", "int", 0, ""),
            ("BillingStreet", "textarea", 255, ""),
            ("BillingCity", "string", 40, ""),
            ("BillingState", "string", 80, ""),
            ("BillingPostalCode", "string", 20, ""),
            ("BillingCountry", "string", 80, ""),
            ("ParentId", "reference:Account", 18, ""),
        ],
    ),
    (
        "Contact",
        "003",
        &[
            ("AccountId", "reference:Account", 18, ""),
            ("FirstName", "string", 40, ""),
            ("LastName", "string", 80, "!"),
            ("Email", "email", 80, ""),
            ("Phone", "phone", 40, ""),
            ("MobilePhone", "phone", 40, ""),
            ("Title", "string", 128, ""),
            ("MailingStreet", "textarea", 255, ""),
            ("MailingCity", "string", 40, ""),
            ("MailingState", "string", 80, ""),
            ("MailingPostalCode", "string", 20, ""),
            ("MailingCountry", "string", 80, ""),
        ],
    ),
    (
        "Product2",
        "01t",
        &[
            ("Name", "string", 255, "!"),
            ("ProductCode", "string", 255, ""),
            ("Description", "textarea", 4000, ""),
            ("Family", "picklist", 255, ""),
            ("IsActive", "boolean", 0, ""),
        ],
    ),
    (
        "PricebookEntry",
        "01u",
        &[
            ("Pricebook2Id", "string", 18, "!1"),
            ("Product2Id", "reference:Product2", 18, "!1"),
            ("ProductCode", "string", 255, "-"),
            ("UnitPrice", "currency", 0, "!"),
            ("IsActive", "boolean", 0, ""),
            ("UseStandardPrice", "boolean", 0, ""),
        ],
    ),
    (
        "Order",
        "801",
        &[
            ("OrderNumber", "string", 30, "-"),
            ("Name", "string", 80, ""),
            ("AccountId", "reference:Account", 18, "!"),
            ("Pricebook2Id", "string", 18, ""),
            ("EffectiveDate", "date", 0, "!"),
            ("EndDate", "date", 0, ""),
            ("Status", "picklist", 255, "!"),
            ("StatusCode", "picklist", 255, "-"),
            ("PoNumber", "string", 80, ""),
            ("OrderReferenceNumber", "string", 80, ""),
            ("Description", "textarea", 32_000, ""),
            ("TotalAmount", "currency", 0, "-"),
        ],
    ),
    (
        "Invoice__c",
        "a00",
        &[
            ("Name", "string", 80, "!="),
            ("Account__c", "reference:Account", 18, "!"),
            ("Date__c", "date", 0, ""),
            ("Due_Date__c", "date", 0, ""),
            ("Currency__c", "string", 3, ""),
            ("Amount__c", "currency", 0, ""),
            ("Balance__c", "currency", 0, ""),
            ("Payment_Status__c", "picklist", 255, ""),
        ],
    ),
];

/// What every object has.
const EVERY: [Line; 5] = [
    ("Id", "id", 18, "-"),
    ("OwnerId", "string", 18, ""),
    ("CreatedDate", "datetime", 0, "-"),
    ("LastModifiedDate", "datetime", 0, "-"),
    ("SystemModstamp", "datetime", 0, "-"),
];

/// A kind of record.
#[derive(Debug, Clone, Copy)]
pub struct Object {
    pub name: &'static str,
    /// What its ids begin with.
    pub prefix: &'static str,
    own: &'static [Line],
}

/// A field of it.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub name: &'static str,
    pub kind: &'static str,
    pub length: usize,
    marks: &'static str,
}

impl Object {
    /// The object of this name, whatever its case.
    pub fn find(name: &str) -> Option<Self> {
        Self::all().find(|object| object.name.eq_ignore_ascii_case(name))
    }

    pub fn all() -> impl Iterator<Item = Self> {
        OBJECTS.iter().map(|(name, prefix, own)| Self { name, prefix, own })
    }

    pub fn fields(self) -> impl Iterator<Item = Field> {
        EVERY.iter().chain(self.own).map(|&(name, kind, length, marks)| Field {
            name,
            kind,
            length,
            marks,
        })
    }

    pub fn field(self, name: &str) -> Option<Field> {
        self.fields().find(|field| field.name.eq_ignore_ascii_case(name))
    }

    pub fn describe(self) -> Json {
        let fields: Vec<Json> = self.fields().map(Field::describe).collect();
        let mut told = self.summary();
        told.as_object_mut().unwrap().extend([
            ("fields".to_owned(), json!(fields)),
            ("childRelationships".to_owned(), json!([])),
            ("recordTypeInfos".to_owned(), json!([])),
        ]);
        told
    }

    pub fn summary(self) -> Json {
        json!({
            "name": self.name, "label": self.name, "labelPlural": format!("{}s", self.name), "keyPrefix": self.prefix,
            "custom": self.name.ends_with("__c"), "createable": true, "updateable": true, "deletable": true,
            "queryable": true, "retrieveable": true, "urls": {},
        })
    }

    /// A record without anything.
    pub fn blank(self) -> Map<String, Json> {
        let value = |field: &Field| {
            if field.kind == "boolean" {
                json!(false)
            } else {
                Json::Null
            }
        };
        self.fields()
            .map(|field| (field.name.to_owned(), value(&field)))
            .collect()
    }
}

impl Field {
    pub fn is_required(self) -> bool {
        self.marks.contains('!')
    }

    pub fn is_unique(self) -> bool {
        self.marks.contains('=')
    }

    pub fn is_external_id(self) -> bool {
        self.marks.contains('#')
    }

    /// Whether it may be given when a record is made, or changed later.
    pub fn may_be_written(self, is_new: bool) -> bool {
        !self.marks.contains('-') && (is_new || !self.marks.contains('1'))
    }

    /// The object that it leads to.
    pub fn target(self) -> Option<Object> {
        self.kind.strip_prefix("reference:").and_then(Object::find)
    }

    fn describe(self) -> Json {
        json!({
            "name": self.name, "label": self.name, "type": self.kind.split(':').next(), "length": self.length,
            "nillable": !self.is_required(), "unique": self.is_unique(), "externalId": self.is_external_id(),
            "idLookup": self.is_external_id() || self.name == "Id", "createable": self.may_be_written(true),
            "updateable": self.may_be_written(false), "custom": self.name.ends_with("__c"), "filterable": true,
            "sortable": true, "referenceTo": self.target().map(|object| object.name).into_iter().collect::<Vec<_>>(),
        })
    }
}
