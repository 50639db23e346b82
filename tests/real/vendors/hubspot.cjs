// Drives an account by @hubspot/api-client: single records, all pages, searches, batches with partial results, associations and
// refusals; prints how the library signs a push.
const assert = require('node:assert/strict');
const hubspot = require('@hubspot/api-client');

const [url, accessToken, clientSecret] = process.argv.slice(2);

async function refused(promise, status, part) {
  const error = await promise.then(() => null, (error) => error);
  assert.ok(error, `${status} was expected`);
  assert.equal(error.code, status, String(error));
  assert.ok(JSON.stringify(error.body).includes(part), JSON.stringify(error.body));
}

async function main() {
  const client = new hubspot.Client({ accessToken, basePath: url });
  const { companies, contacts, products } = client.crm;
  const made = await companies.basicApi.create({ properties: { name: 'Acme GmbH', annualrevenue: '1200.50' }, associations: [] });
  assert.match(made.id, /^\d+$/);
  assert.equal(made.properties.name, 'Acme GmbH');
  assert.ok(made.createdAt instanceof Date && !Number.isNaN(made.createdAt.getTime()));
  const changed = await companies.basicApi.update(made.id, { properties: { name: 'Acme SE', phone: '+49 30 1' } });
  assert.equal(changed.properties.name, 'Acme SE');
  const few = await companies.basicApi.getById(made.id);
  assert.equal(few.properties.phone, undefined, 'what was not asked for does not come');
  const asked = await companies.basicApi.getById(made.id, ['phone', 'city']);
  assert.deepEqual([asked.properties.phone, asked.properties.city], ['+49 30 1', null]);
  await companies.basicApi.update(made.id, { properties: { phone: '' } });
  assert.equal((await companies.basicApi.getById(made.id, ['phone'])).properties.phone, null, 'an empty text clears');

  const inputs = (from, to) => Array.from({ length: to - from }, (_, at) => ({ properties: { name: `Company ${from + at}` }, associations: [] }));
  for (let from = 0; from < 230; from += 100) {
    const batch = await companies.batchApi.create({ inputs: inputs(from, Math.min(from + 100, 230)) });
    assert.equal(batch.status, 'COMPLETE');
  }
  const all = await companies.getAll(100, undefined, ['name']);
  assert.equal(new Set(all.map((company) => company.id)).size, 231);

  // The first search behind a write does not know of it yet.
  const search = {
    filterGroups: [{ filters: [{ propertyName: 'name', operator: 'EQ', value: 'Company 7' }] }],
    properties: ['name'], limit: 10, sorts: [], after: undefined,
  };
  await companies.searchApi.doSearch(search);
  const found = await companies.searchApi.doSearch(search);
  assert.deepEqual([found.total, found.results[0].properties.name], [1, 'Company 7']);
  const by = { filterGroups: [], properties: ['name'], limit: 200, sorts: ['hs_object_id'], after: '0' };
  const page = await companies.searchApi.doSearch(by);
  assert.deepEqual([page.total, page.results.length, page.paging.next.after], [231, 200, '200']);
  const rest = await companies.searchApi.doSearch({ ...by, after: page.paging.next.after });
  assert.deepEqual([rest.results.length, rest.paging], [31, undefined]);
  await refused(companies.searchApi.doSearch({ ...by, after: '9900' }), 400, '10000');

  const read = await companies.batchApi.read({ inputs: [{ id: made.id }, { id: '42' }], properties: ['name'], propertiesWithHistory: [] });
  assert.deepEqual([read.results.length, read.numErrors], [1, 1]);
  assert.deepEqual(read.errors[0].context.ids, ['42']);
  const trace = (number, properties) => ({ objectWriteTraceId: `t${number}`, properties, associations: [] });
  const partial = await companies.batchApi.create({ inputs: [trace(0, { name: 'Good' }), trace(1, { nope: 'x' })] });
  assert.deepEqual([partial.results[0].objectWriteTraceId, partial.errors[0].context.objectWriteTraceId], ['t0', ['t1']]);

  const ana = await contacts.basicApi.create({ properties: { email: 'Ana@Acme.example' }, associations: [] });
  assert.equal(ana.properties.email, 'ana@acme.example');
  await refused(contacts.basicApi.create({ properties: { email: 'ana@acme.example' }, associations: [] }), 409, ana.id);
  assert.equal((await contacts.basicApi.getById('ana@acme.example', undefined, undefined, undefined, undefined, 'email')).id, ana.id);
  await client.crm.associations.v4.basicApi.createDefault('contact', ana.id, 'company', made.id);
  const linked = await client.crm.associations.v4.basicApi.getPage('contacts', ana.id, 'companies');
  assert.deepEqual(linked.results.map((result) => String(result.toObjectId)), [made.id]);
  await refused(contacts.basicApi.update(ana.id, { properties: { email: 'nobody' } }), 400, 'INVALID_EMAIL');
  await refused(contacts.basicApi.update(ana.id, { properties: { nope: 'x' } }), 400, 'PROPERTY_DOESNT_EXIST');
  await refused(contacts.basicApi.getById('42'), 404, 'OBJECT_NOT_FOUND');
  await products.basicApi.create({ properties: { name: 'Screw', hs_sku: 'S-1', price: '0.05' }, associations: [] });
  await refused(products.basicApi.create({ properties: { name: 'Nail', hs_sku: 'S-1' }, associations: [] }), 400, 'already has that value');
  await contacts.basicApi.archive(ana.id);
  await refused(contacts.basicApi.getById(ana.id), 404, 'OBJECT_NOT_FOUND');
  const stranger = new hubspot.Client({ accessToken: 'wrong', basePath: url });
  await refused(stranger.crm.companies.basicApi.getPage(), 401, 'INVALID_AUTHENTICATION');

  const signed = { clientSecret, requestBody: '[{"eventId":1}]', url: 'http://127.0.0.1:8080/webhooks/hubspot', timestamp: 1772442000000 };
  console.log(hubspot.Signature.getSignature('POST', 'v3', signed));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
