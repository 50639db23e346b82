//! Dataverse, as the Web API of Dynamics 365 shows it.

use super::{Habits, Set};

pub const HABITS: Habits = Habits {
    root: &["api", "data", "v9.2"],
    sets: &[
        Set {
            name: "accounts",
            one: "account",
            key: "accountid",
            unique: None,
            fields: "accountid:guid- name accountnumber telephone1 emailaddress1 websiteurl description address1_line1 address1_line2 address1_city \
                     address1_stateorprovince address1_postalcode address1_country creditlimit:decimal creditonhold:bool revenue:decimal \
                     numberofemployees:int statecode:state statuscode:state _parentaccountid_value:guid- _primarycontactid_value:guid- \
                     _ownerid_value:guid- createdon- modifiedon-",
        },
        Set {
            name: "contacts",
            one: "contact",
            key: "contactid",
            unique: None,
            fields: "contactid:guid- firstname lastname emailaddress1 telephone1 mobilephone jobtitle description address1_line1 address1_line2 \
                     address1_city address1_stateorprovince address1_postalcode address1_country statecode:state statuscode:state \
                     _parentcustomerid_value:guid- _ownerid_value:guid- createdon- modifiedon-",
        },
        Set {
            name: "products",
            one: "product",
            key: "productid",
            unique: Some("productnumber"),
            fields: "productid:guid- name productnumber description price:decimal currentcost:decimal standardcost:decimal quantitydecimal:int \
                     statecode:state statuscode:state _defaultuomid_value:guid- _defaultuomscheduleid_value:guid- createdon- modifiedon-",
        },
        Set {
            name: "salesorders",
            one: "salesorder",
            key: "salesorderid",
            unique: None,
            fields: "salesorderid:guid- name ordernumber description requestdeliveryby:date datefulfilled:date statecode:state statuscode:state \
                     totalamount:decimal- totaltax:decimal- _customerid_value:guid- _transactioncurrencyid_value:guid- _pricelevelid_value:guid- \
                     createdon- modifiedon-",
        },
        Set {
            name: "invoices",
            one: "invoice",
            key: "invoiceid",
            unique: None,
            fields: "invoiceid:guid- name invoicenumber description duedate:date datedelivered:date statecode:state statuscode:state \
                     totalamount:decimal- totaltax:decimal- _customerid_value:guid- _salesorderid_value:guid- \
                     _transactioncurrencyid_value:guid- _pricelevelid_value:guid- createdon- modifiedon-",
        },
    ],
    modified: "modifiedon",
    has_seconds: true,
    has_blanks: false,
    makes_by_patch: true,
    binds: true,
    stale: (412, "0x80060882"),
    missing: "0x80040217",
    invalid: "0x80048d19",
    exists: (412, "0x80060892"),
};
