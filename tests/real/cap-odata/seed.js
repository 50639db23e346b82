// usage: seed.js COUNT      makes the database that CDS_REQUIRES_DB_CREDENTIALS_URL names, with COUNT customers.
const cds = require('@sap/cds');

async function main(count) {
  await cds.deploy('*').to('db');
  const customers = Array.from({ length: count }, (_, number) => ({
    code: `C${String(number).padStart(5, '0')}`,
    name: `Demo Customer ${String(number).padStart(5, '0')}`,
    email: `c${number}@example.com`,
    creditLimit: `${number * 10}.50`,
    addresses: [{ street: `${number} Main Street`, city: 'Springfield', country: 'US' }],
  }));
  if (count > 0) await cds.run(INSERT.into('crm.Customers').entries(customers));
  await cds.disconnect();
  console.log(`${count} customers`);
}

main(Number(process.argv[2])).catch((error) => { console.error(error); process.exit(1); });
