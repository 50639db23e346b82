// An ERP by npm's soap, described by erp.wsdl: document style, names in a namespace, refusals as faults inside of a 200.
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import soap from 'soap';
import { Store } from './store.mjs';

const store = new Store();
const refuse = (faultcode, faultstring) => {
  throw { Fault: { faultcode: `erp:${faultcode}`, faultstring, statusCode: 200 } };
};
const known = (id) => store.get(id) ?? refuse('Missing', `no customer ${id}`);
// A null of XML is a text without anything here.
const plain = (customer) => Object.fromEntries(Object.entries(customer).map(([name, value]) => {
  const isNull = value === null || value?.$attributes || value?.attributes || value === '';
  return [name, isNull ? null : value];
}));
const shown = (customer) => Object.fromEntries(Object.entries(customer).filter(([, value]) => value !== null));

const erp = {
  ListCustomers({ after, size, changedSince, taxId }) {
    const { records } = store.page({ since: changedSince || undefined, after: after || 0, size: size || undefined });
    const found = taxId ? store.all().filter((customer) => customer.taxId === taxId) : records;
    const total = store.page({ since: changedSince || undefined }).records.length;
    return { total, customer: found.map(shown) };
  },
  GetCustomer({ id }) {
    return { customer: shown(known(id)) };
  },
  SaveCustomer({ expected, customer }) {
    const { id, ...fields } = plain(customer);
    if (id === undefined || id === null) {
      if (!fields.name) refuse('Invalid', 'a customer has a name');
      return { customer: shown(store.create({ isActive: true, ...fields })) };
    }
    const before = known(id);
    if (expected && Number(expected) !== before.version) refuse('Stale', `version ${before.version}`);
    return { customer: shown(store.update(id, fields)) };
  },
  DeleteCustomer({ id }) {
    store.delete(known(id).id);
    return {};
  },
};

const server = createServer((_, response) => response.writeHead(404).end());
server.listen(Number(process.argv[2]), '127.0.0.1');
const wsdl = readFileSync(new URL('./erp.wsdl', import.meta.url), 'utf8');
soap.listen(server, '/erp', { ErpService: { ErpPort: erp } }, wsdl);
