// usage: server.mjs PORT      an OpenID provider for machines: the clients below get tokens by client credentials.
import { Provider } from 'oidc-provider';

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const scope = 'api.read api.write';
const machine = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [], scope };

// Both ways in which a client may prove itself (RFC 6749, section 2.3.1), and one whose secret needs percent-encoding.
const clients = [
  { ...machine, client_id: 'svc', client_secret: 'svc-secret', token_endpoint_auth_method: 'client_secret_basic' },
  { ...machine, client_id: 'svc-post', client_secret: 'svc-secret', token_endpoint_auth_method: 'client_secret_post' },
  { ...machine, client_id: 'svc odd:1', client_secret: 'p+%& :/=', token_endpoint_auth_method: 'client_secret_basic' },
];

// Opaque tokens: who receives one asks `/token/introspection` (RFC 7662). `resource=…/jwt` asks for a signed one instead.
const resourceServer = (resource) => ({
  scope,
  audience: resource,
  accessTokenTTL: 60,
  ...(resource.endsWith('/jwt')
    ? { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } }
    : { accessTokenFormat: 'opaque' }),
});

const provider = new Provider(issuer, {
  clients,
  scopes: ['openid', ...scope.split(' ')],
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => `${issuer}/api`,
      getResourceServerInfo: (_context, resource) => resourceServer(resource),
    },
  },
  ttl: { ClientCredentials: 60 },
});
provider.listen(port, '127.0.0.1', () => console.log(`oidc-provider at ${issuer}`));
