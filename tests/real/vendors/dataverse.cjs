// Drives an environment by dynamics-web-api: single records with and without conditions, all pages, filters, lookups, several at once,
// and how refusals are told.
const assert = require('node:assert/strict');
const { DynamicsWebApi } = require('dynamics-web-api');

const [url, tenant, clientId, clientSecret] = process.argv.slice(2);

async function token(secret) {
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId, client_secret: secret, scope: `${url}/.default` });
  const answer = await fetch(`${url}/${tenant}/oauth2/v2.0/token`, { method: 'POST', body });
  return { status: answer.status, body: await answer.json() };
}

async function refused(promise, status, code) {
  const error = await promise.then(() => null, (error) => error);
  assert.ok(error, `${status} was expected`);
  assert.deepEqual([error.status, error.code], [status, code], String(error));
}

async function main() {
  assert.equal((await token('wrong')).status, 401);
  const given = await token(clientSecret);
  assert.equal(given.body.token_type, 'Bearer');
  const api = new DynamicsWebApi({ serverUrl: url, dataApi: { version: '9.2' }, onTokenRefresh: async () => given.body.access_token });

  const acme = await api.create({ collection: 'accounts', data: { name: 'Acme GmbH', creditlimit: 1200.5 }, returnRepresentation: true });
  assert.match(acme.accountid, /^[0-9a-f-]{36}$/);
  assert.deepEqual([acme.address1_city, acme.creditlimit], [null, 1200.5]);
  const changed = await api.update({ collection: 'accounts', key: acme.accountid, data: { name: 'Acme SE' }, ifmatch: acme['@odata.etag'], returnRepresentation: true });
  assert.equal(changed.name, 'Acme SE');
  assert.notEqual(changed['@odata.etag'], acme['@odata.etag']);
  assert.equal(await api.update({ collection: 'accounts', key: acme.accountid, data: { name: 'Late' }, ifmatch: acme['@odata.etag'] }), false, 'a stale version is no update');
  const some = await api.retrieve({ collection: 'accounts', key: acme.accountid, select: ['name'] });
  assert.deepEqual([some.name, some.creditlimit], ['Acme SE', undefined]);

  for (let number = 0; number < 70; number++) {
    await api.create({ collection: 'contacts', data: { lastname: `O'Neil ${number}`, emailaddress1: `${number}@acme.example` } });
  }
  const first = await api.retrieveMultiple({ collection: 'contacts', maxPageSize: 30, select: ['lastname'], count: true });
  assert.deepEqual([first.value.length, first.oDataCount], [30, 70]);
  const all = await api.retrieveAll({ collection: 'contacts', select: ['lastname'], filter: "emailaddress1 ne null" });
  assert.equal(new Set(all.value.map((contact) => contact.lastname)).size, 70);
  const quoted = await api.retrieveMultiple({ collection: 'contacts', filter: "lastname eq 'O''Neil 7' and statecode eq 0" });
  assert.deepEqual(quoted.value.map((contact) => contact.emailaddress1), ['7@acme.example']);
  const id = quoted.value[0].contactid;
  await api.update({ collection: 'contacts', key: id, data: { 'parentcustomerid_account@odata.bind': `/accounts(${acme.accountid})` } });
  assert.equal((await api.retrieve({ collection: 'contacts', key: id }))._parentcustomerid_value, acme.accountid);

  await refused(api.create({ collection: 'accounts', data: { nope: 1 } }), 400, '0x80048d19');
  await refused(api.create({ collection: 'accounts', data: { creditlimit: 'much' } }), 400, '0x80048d19');
  const nobody = '00000000-0000-4000-8000-000000000000';
  await refused(api.retrieve({ collection: 'accounts', key: nobody }), 404, '0x80040217');
  await refused(api.create({ collection: 'contacts', data: { 'parentcustomerid_account@odata.bind': `/accounts(${nobody})` } }), 404, '0x80040217');
  await api.create({ collection: 'products', data: { name: 'Screw', productnumber: 'S-1' } });
  await refused(api.create({ collection: 'products', data: { name: 'Nail', productnumber: 'S-1' } }), 412, '0x80060892');
  await api.deleteRecord({ collection: 'contacts', key: id });
  await refused(api.retrieve({ collection: 'contacts', key: id }), 404, '0x80040217');
}

main().then(() => console.log('as the vendor has it'), (error) => {
  console.error(error);
  process.exit(1);
});
