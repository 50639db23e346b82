//! Business Central, as its API v2.0 shows it.

use super::{Habits, Set};

pub const HABITS: Habits = Habits {
    root: &["v2.0", super::TENANT, "production", "api", "v2.0"],
    sets: &[
        Set {
            name: "customers",
            one: "customer",
            key: "id",
            unique: Some("number"),
            fields: "id:guid- number displayName type addressLine1 addressLine2 city state country postalCode phoneNumber email website \
                     salespersonCode creditLimit:decimal balanceDue:decimal- taxLiable:bool taxRegistrationNumber currencyCode paymentTermsId:guid \
                     blocked lastModifiedDateTime-",
        },
        Set {
            name: "contacts",
            one: "contact",
            key: "id",
            unique: Some("number"),
            fields: "id:guid- number type displayName jobTitle companyNumber companyName- addressLine1 addressLine2 city state country \
                     postalCode phoneNumber mobilePhoneNumber email website privacyBlocked:bool lastModifiedDateTime-",
        },
        Set {
            name: "items",
            one: "item",
            key: "id",
            unique: Some("number"),
            fields: "id:guid- number displayName type itemCategoryCode blocked:bool gtin unitPrice:decimal unitCost:decimal \
                     priceIncludesTax:bool inventory:decimal- baseUnitOfMeasureCode lastModifiedDateTime-",
        },
        Set {
            name: "salesOrders",
            one: "salesOrder",
            key: "id",
            unique: Some("number"),
            fields: "id:guid- number externalDocumentNumber orderDate:date requestedDeliveryDate:date customerId:guid customerNumber \
                     customerName- currencyCode pricesIncludeTax:bool salesperson totalAmountExcludingTax:decimal- totalTaxAmount:decimal- \
                     totalAmountIncludingTax:decimal- fullyShipped:bool- status- lastModifiedDateTime-",
        },
        Set {
            name: "salesInvoices",
            one: "salesInvoice",
            key: "id",
            unique: Some("number"),
            fields: "id:guid- number externalDocumentNumber invoiceDate:date postingDate:date dueDate:date customerPurchaseOrderReference \
                     customerId:guid customerNumber customerName- orderId:guid- orderNumber- currencyCode pricesIncludeTax:bool \
                     totalAmountExcludingTax:decimal- totalTaxAmount:decimal- totalAmountIncludingTax:decimal- remainingAmount:decimal- \
                     status- lastModifiedDateTime-",
        },
    ],
    modified: "lastModifiedDateTime",
    has_seconds: false,
    has_blanks: true,
    makes_by_patch: false,
    binds: false,
    stale: (409, "Request_EntityChanged"),
    missing: "BadRequest_ResourceNotFound",
    invalid: "BadRequest",
    exists: (400, "Internal_EntityWithSameKeyExists"),
};
