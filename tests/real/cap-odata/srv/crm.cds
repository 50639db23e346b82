using crm from '../db/schema';

@path: '/odata/v4/crm'
@requires: 'authenticated-user'
@cds.query.limit: { default: 100, max: 500 }
service CrmService {
  entity Customers as projection on crm.Customers;
  entity Addresses as projection on crm.Addresses;
}

annotate CrmService.Customers with { modifiedAt @odata.etag; };
