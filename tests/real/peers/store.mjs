// Records in memory: ids that count up, a version and a time of change that move with every write.
export class Store {
  #records = new Map();
  #made = 0;

  all() {
    return [...this.#records.values()];
  }

  get(id) {
    return this.#records.get(String(id));
  }

  create(fields) {
    const id = String(++this.#made);
    this.#records.set(id, { ...fields, id, version: 1, updatedAt: new Date().toISOString() });
    return this.get(id);
  }

  update(id, fields) {
    const before = this.get(id);
    this.#records.set(before.id, { ...before, ...fields, version: before.version + 1, updatedAt: new Date().toISOString() });
    return this.get(id);
  }

  delete(id) {
    return this.#records.delete(String(id));
  }

  // Those changed since a time, behind an id, so many.
  page({ since, after = 0, size = Infinity }) {
    const changed = this.all().filter((record) => !since || record.updatedAt >= new Date(since).toISOString());
    const rest = changed.filter((record) => Number(record.id) > Number(after));
    return { records: rest.slice(0, size), hasMore: rest.length > size };
  }
}
