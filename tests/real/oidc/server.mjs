// usage: server.mjs PORT      an OpenID provider: for machines, by client credentials, and for people, whom the clients `cli`
// and `console` send here to sign in. Anybody is let in (the forms of `devInteractions`); a refresh token that is used twice revokes everything.
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
  {
    client_id: 'cli',
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    redirect_uris: ['http://127.0.0.1/callback'],
    application_type: 'native',
  },
  // The console of the daemon.
  {
    client_id: 'console',
    client_secret: 'console-secret',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['authorization_code'],
    response_types: ['code'],
    redirect_uris: ['http://127.0.0.1:8320/console/sign-in/openid/back'],
    post_logout_redirect_uris: ['http://127.0.0.1:8320/console/sign-in'],
  },
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
  scopes: ['openid', 'offline_access', 'profile', ...scope.split(' ')],
  findAccount: (_context, id) => ({ accountId: id, claims: async () => ({ sub: id, preferred_username: id, groups: [`${id}-group`] }) }),
  claims: { openid: ['sub'], profile: ['preferred_username', 'groups'] },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      // A person's own claims are read with a token for no other resource.
      defaultResource: (_context, client) => (client.clientId === 'console' ? undefined : `${issuer}/api`),
      useGrantedResource: () => true,
      getResourceServerInfo: (_context, resource) => resourceServer(resource),
    },
  },
  ttl: { AccessToken: 60, AuthorizationCode: 60, ClientCredentials: 60, Grant: 3600, Interaction: 600, RefreshToken: 3600, Session: 3600 },
});
provider.listen(port, '127.0.0.1', () => console.log(`oidc-provider at ${issuer}`));
