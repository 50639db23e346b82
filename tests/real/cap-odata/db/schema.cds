using { cuid, managed } from '@sap/cds/common';
namespace crm;

entity Customers : cuid, managed {
  code        : String(20)  @mandatory;
  name        : String(100) @mandatory;
  email       : String(120);
  creditLimit : Decimal(15, 2);
  isActive    : Boolean default true;
  addresses   : Composition of many Addresses on addresses.customer = $self;
}

entity Addresses : cuid {
  customer : Association to Customers;
  street   : String(200);
  city     : String(100);
  country  : String(2);
}

annotate Customers with @assert.unique: { code: [code] };
