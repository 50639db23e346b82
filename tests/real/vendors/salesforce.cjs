// Drives an org by jsforce: signs in, makes 450 accounts in collections, reads them page by page, writes single records, upserts
// by an external id, and looks at how every refusal is told.
const assert = require('node:assert/strict');
const jsforce = require('jsforce');

const [url, clientId, clientSecret] = process.argv.slice(2);

async function refused(promise, code) {
  const error = await promise.then(() => null, (error) => error);
  assert.ok(error, `${code} was expected`);
  assert.equal(error.errorCode ?? error.name, code, String(error));
  return error;
}

async function main() {
  const wrong = new jsforce.Connection({ oauth2: { loginUrl: url, clientId, clientSecret: 'wrong' }, instanceUrl: url });
  await refused(wrong.authorize({ grant_type: 'client_credentials' }), 'invalid_client');

  const org = new jsforce.Connection({ oauth2: { loginUrl: url, clientId, clientSecret }, instanceUrl: url, version: '62.0' });
  const user = await org.authorize({ grant_type: 'client_credentials' });
  assert.match(user.organizationId, /^00D/);
  assert.equal(org.instanceUrl, url);

  const account = org.sobject('Account');
  const described = await account.describe();
  const names = described.fields.map((field) => field.name);
  assert.ok(names.includes('AccountNumber') && names.includes('SystemModstamp'));
  assert.equal(described.fields.find((field) => field.name === 'ERP_Id__c').externalId, true);
  const global = await org.describeGlobal();
  assert.ok(global.sobjects.some((object) => object.name === 'Invoice__c'));

  const many = Array.from({ length: 450 }, (_, number) => ({ Name: `Account ${number}`, AccountNumber: `A${number}` }));
  const made = await account.create(many, { allowRecursive: true });
  assert.equal(made.length, 450);
  assert.ok(made.every((result) => result.success && /^001.{15}$/.test(result.id)));

  // Pages of 200, however the library is asked for all.
  const soql = "SELECT Id, Name FROM Account WHERE AccountNumber LIKE 'A%' ORDER BY Id";
  const first = await org.query(soql, { autoFetch: false, headers: { 'Sforce-Query-Options': 'batchSize=200' } });
  assert.equal(first.totalSize, 450);
  assert.equal(first.records.length, 200);
  assert.equal(first.done, false);
  const second = await org.queryMore(first.nextRecordsUrl);
  const third = await org.queryMore(second.nextRecordsUrl);
  assert.deepEqual([second.records.length, third.records.length, third.done], [200, 50, true]);
  const ids = new Set([...first.records, ...second.records, ...third.records].map((record) => record.Id));
  assert.equal(ids.size, 450);

  const id = made[0].id;
  const quoted = await account.update({ Id: id, Name: "O'Neil & Söhne", Website: '' });
  assert.equal(quoted.success, true);
  const found = await account.find({ Name: "O'Neil & Söhne" }, 'Id, Website').execute();
  assert.deepEqual(found.map((record) => [record.Id, record.Website]), [[id, null]]);
  const several = await account.retrieve([id, made[1].id, '001xx0000099999AAA'], { fields: ['Id', 'Name'] });
  assert.deepEqual(several.map((record) => record && record.Id), [id, made[1].id, null]);

  const late = { headers: { 'If-Unmodified-Since': 'Thu, 01 Jan 2026 00:00:00 GMT' } };
  await refused(account.update({ Id: id, Name: 'Late' }, late), 'PRECONDITION_FAILED');
  await refused(account.create({ AccountNumber: 'X' }), 'REQUIRED_FIELD_MISSING');
  await refused(account.create({ Name: 'X', Nope__c: 1 }), 'INVALID_FIELD');
  await refused(account.update({ Id: id, CreatedDate: '2026-01-01T00:00:00Z' }), 'INVALID_FIELD_FOR_INSERT_UPDATE');
  await refused(account.create({ Name: 'x'.repeat(256) }), 'STRING_TOO_LONG');
  await refused(account.create({ Name: 'X', ParentId: '001xx0000099999AAA' }), 'INVALID_CROSS_REFERENCE_KEY');
  await refused(account.retrieve('001xx0000099999AAA'), 'NOT_FOUND');
  await refused(org.query('SELECT Nope FROM Account'), 'INVALID_FIELD');
  await refused(org.query('SELECT Id FRM Account'), 'MALFORMED_QUERY');

  const upserted = await account.upsert({ ERP_Id__c: 'E-1', Name: 'Upserted' }, 'ERP_Id__c');
  assert.equal(upserted.created, true);
  const again = await account.upsert({ ERP_Id__c: 'E-1', Name: 'Upserted again' }, 'ERP_Id__c');
  assert.deepEqual([again.created, again.id], [false, upserted.id]);
  const both = await account.upsert([{ ERP_Id__c: 'E-1', Name: 'One' }, { ERP_Id__c: 'E-2', Name: 'Two' }], 'ERP_Id__c');
  assert.deepEqual(both.map((result) => [result.success, result.created]), [[true, false], [true, true]]);

  const mixed = await account.update([{ Id: id, Name: 'Good' }, { Id: made[1].id, Name: null }]);
  assert.deepEqual(mixed.map((result) => result.success), [true, false]);
  assert.equal(mixed[1].errors[0].statusCode, 'REQUIRED_FIELD_MISSING');
  const twice = await account.create([{ Name: 'Twin', ERP_Id__c: 'T-1' }, { Name: 'Twin', ERP_Id__c: 'T-1' }]);
  assert.deepEqual(twice.map((result) => result.errors.map((error) => error.statusCode)), [[], ['DUPLICATE_VALUE']]);

  const gone = await account.destroy([made[2].id, made[3].id]);
  assert.ok(gone.every((result) => result.success));
  await refused(account.destroy(made[2].id), 'ENTITY_IS_DELETED');
  assert.equal((await org.query("SELECT COUNT() FROM Account WHERE AccountNumber LIKE 'A%'")).totalSize, 448);
  assert.match(String(org.limitInfo.apiUsage.limit), /^15000$/);
  assert.ok(org.limitInfo.apiUsage.used > 10);

  const stranger = new jsforce.Connection({ instanceUrl: url, accessToken: 'ended', version: '62.0' });
  await refused(stranger.query('SELECT Id FROM Account'), 'INVALID_SESSION_ID');
}

main().then(() => console.log('as the vendor has it'), (error) => {
  console.error(error);
  process.exit(1);
});
