// A CRM by GraphQL Yoga: a connection with cursors, mutations, and refusals as errors with codes inside of a 200.
import { createServer } from 'node:http';
import { GraphQLError } from 'graphql';
import { createSchema, createYoga } from 'graphql-yoga';
import { Store } from './store.mjs';

const store = new Store();
const refuse = (code) => {
  throw new GraphQLError(`refused: ${code}`, { extensions: { code } });
};
const known = (id) => store.get(id) ?? refuse('NOT_FOUND');
const free = (vatNumber, own) => {
  const taken = vatNumber && store.all().some((account) => account.vatNumber === vatNumber && account.id !== own);
  if (taken) refuse('VAT_TAKEN');
};

const typeDefs = /* GraphQL */ `
  type Account {
    id: ID!
    name: String!
    vatNumber: String
    creditLimit: Float
    isActive: Boolean!
    city: String
    updatedAt: String!
    version: Int!
  }
  input AccountInput {
    name: String
    vatNumber: String
    creditLimit: Float
    isActive: Boolean
    city: String
  }
  type PageInfo {
    hasNextPage: Boolean!
    endCursor: String
  }
  type AccountConnection {
    nodes: [Account!]!
    totalCount: Int!
    pageInfo: PageInfo!
  }
  type Query {
    accounts(first: Int!, after: String, changedSince: String): AccountConnection!
    accountsByVatNumber(vatNumber: String!): [Account!]!
    account(id: ID!): Account
  }
  type Mutation {
    createAccount(input: AccountInput!): Account!
    updateAccount(id: ID!, version: Int, input: AccountInput!): Account!
    deleteAccount(id: ID!): Boolean!
  }
`;

const resolvers = {
  Query: {
    accounts: (_, { first, after, changedSince }) => {
      const { records, hasMore } = store.page({ since: changedSince, after: after ? atob(after) : 0, size: first });
      const last = records.at(-1);
      const totalCount = store.page({ since: changedSince }).records.length;
      return { nodes: records, totalCount, pageInfo: { hasNextPage: hasMore, endCursor: last ? btoa(last.id) : null } };
    },
    accountsByVatNumber: (_, { vatNumber }) => store.all().filter((account) => account.vatNumber === vatNumber),
    account: (_, { id }) => store.get(id) ?? null,
  },
  Mutation: {
    createAccount: (_, { input }) => {
      if (!input.name) refuse('NAME_MISSING');
      free(input.vatNumber);
      return store.create({ isActive: true, ...input });
    },
    updateAccount: (_, { id, version, input }) => {
      const before = known(id);
      if (version != null && version !== before.version) refuse('STALE');
      free(input.vatNumber, id);
      return store.update(id, input);
    },
    deleteAccount: (_, { id }) => store.delete(known(id).id),
  },
};

const yoga = createYoga({ schema: createSchema({ typeDefs, resolvers }), logging: false });
createServer(yoga).listen(Number(process.argv[2]), '127.0.0.1');
